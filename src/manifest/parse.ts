import { normalizeNetworks } from '../domain/addresses.js';
import { nameKey } from '../domain/key-name.js';
import { holdsKeyString } from '../domain/key-string.js';
import { normalizeLabels } from '../domain/labels.js';
import { quoted } from '../domain/text.js';
import { type Bounds, type Path, YamlDocument } from '../yaml/document.js';
import { checkShape, type InferOutput } from '../yaml/shape.js';
import { type Manifest, type ManifestExpiry, type ManifestKey, manifestError, type Problem } from './manifest.js';
import { manifestSchema } from './schema.js';

/** Some 30,000 keys as `export` writes them. */
export const MAX_MANIFEST_BYTES = 4_194_304;

/** A manifest has five levels. */
const BOUNDS: Bounds = {
  kind: 'a manifest',
  maxBytes: MAX_MANIFEST_BYTES,
  maxDepth: 32,
  tooLarge: 'at most 4 MiB: split it, and give each part a name of its own',
};

/** The parts of a stored hash that nothing else has. */
const HASH = /\$2[aby]\$\d\d\$|\$hmac-sha256\$/;

/** Where the text holds something secret. It is searched before anything else is made of it, comments included. */
function secretsIn(text: string): Problem[] {
  if (!holdsKeyString(text) && !HASH.test(text)) return [];
  return text.split('\n').flatMap((line, i) =>
    [...line.matchAll(/\S+/g)].flatMap(({ 0: word, index }) => {
      const place = { line: i + 1, column: index + 1 };
      if (holdsKeyString(word))
        return [
          {
            place,
            what: 'this is a key string',
            advice: 'remove it, and treat that key as leaked (unlockos-keys disable --stdin)',
          },
        ];
      if (HASH.test(word))
        return [{ place, what: 'this is the hash of a secret', advice: 'remove it: a manifest holds no secrets' }];
      return [];
    }),
  );
}

/** Secrets that escapes hid from {@link secretsIn}. */
function hiddenSecretsIn(document: YamlDocument): Problem[] {
  const found: Problem[] = [];
  document.visitTexts((text, place) => {
    if (holdsKeyString(text) || HASH.test(text))
      found.push({
        place: place(),
        what: 'this is a key string, or the hash of one',
        advice: 'remove it, and treat that key as leaked',
      });
  });
  return found;
}

function rawKeys({ value }: YamlDocument): readonly unknown[] {
  const keys = (value as { keys?: unknown } | null | undefined)?.keys;
  return Array.isArray(keys) ? keys : [];
}

/** What the value at `path` is called in messages: `rateLimit of key "a"`. */
function nameOf(document: YamlDocument): (path: Path) => string {
  const keyAt = (index: unknown): string => {
    const name = (rawKeys(document)[Number(index)] as { name?: unknown } | null)?.name;
    return typeof name === 'string' && name !== '' ? `key ${quoted(name)}` : `keys[${index}]`;
  };
  return ([top, index, field, item]) => {
    if (top === undefined) return 'the manifest';
    if (index === undefined) return top === 'scopes' || top === 'keys' ? top : `${top} of the manifest`;
    if (top === 'scopes') return field === 'label' ? `label of scopes[${index}]` : `scopes[${index}]`;
    if (field === undefined) return keyAt(index);
    if (field === 'name') return `name of keys[${index}]`;
    const owner = keyAt(index);
    if (item === undefined) return `${field} of ${owner}`;
    if (field === 'allowFrom') return `a network of ${owner}`;
    return field === 'scopes' ? `a scope of ${owner}` : `label ${quoted(String(item))} of ${owner}`;
  };
}

function refuseSameNames(document: YamlDocument): void {
  const seen = new Map<string, number>();
  rawKeys(document).forEach((key, index) => {
    const name = (key as { name?: unknown } | null)?.name;
    if (typeof name !== 'string') return;
    const first = seen.get(nameKey(name));
    if (first === undefined) seen.set(nameKey(name), index);
    else
      document.problem(
        ['keys', index],
        `the name ${quoted(name)} is given twice (line ${document.placeOf(['keys', first]).line})`,
        'names are unique, whatever their case: choose another',
      );
  });
}

type Output = InferOutput<typeof manifestSchema>;

function expiryOf(key: Output['keys'][number], document: YamlDocument, path: Path): ManifestExpiry | undefined {
  if (key.expiresAt !== undefined) return { at: key.expiresAt, place: document.placeOf([...path, 'expiresAt']) };
  if (key.expires !== undefined) return { after: key.expires, place: document.placeOf([...path, 'expires']) };
  return undefined;
}

function keyOf(key: Output['keys'][number], document: YamlDocument, path: Path): ManifestKey {
  return {
    name: key.name,
    description: key.description,
    mode: key.mode,
    scopes: key.scopes.map((scope, i) => ({ scope, place: document.placeOf([...path, 'scopes', i]) })),
    rateLimit: key.rateLimit,
    expiry: expiryOf(key, document, path),
    labels: key.labels && normalizeLabels(key.labels),
    allowFrom: key.allowFrom && normalizeNetworks(key.allowFrom),
    disabled: key.disabled,
    place: document.placeOf(path),
  };
}

function scopesOf(scopes: NonNullable<Output['scopes']>, document: YamlDocument): Manifest['scopes'] {
  return scopes.map((entry, i) =>
    typeof entry === 'string'
      ? { scope: entry, label: null, place: document.placeOf(['scopes', i]) }
      : { scope: entry.scope, label: entry.label ?? null, place: document.placeOf(['scopes', i, 'scope']) },
  );
}

/**
 * Reads a manifest, YAML or JSON. `source` names the file in messages. Throws `usage` that names every problem by line and column: an
 * unknown property is one, so that a mistyped name does not pass for one that was left out. No message repeats what looks like a secret.
 */
export function parseManifest(text: string, source: string): Manifest {
  const secrets = Buffer.byteLength(text) > MAX_MANIFEST_BYTES ? [] : secretsIn(text);
  if (secrets.length > 0) throw manifestError(source, secrets);
  const document = new YamlDocument(text, BOUNDS);
  if (document.value === undefined) throw manifestError(source, document.problems);
  const hidden = hiddenSecretsIn(document);
  if (hidden.length > 0) throw manifestError(source, hidden);
  const output = checkShape(manifestSchema, document, nameOf(document));
  refuseSameNames(document);
  if (document.problems.length > 0 || !output) throw manifestError(source, document.problems);
  return {
    source,
    name: output.name,
    scopes: output.scopes ? scopesOf(output.scopes, document) : null,
    keys: output.keys.map((key, i) => keyOf(key, document, ['keys', i])),
  };
}
