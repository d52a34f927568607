import { nameKey, readDescription, readName } from '../domain/api-key.js';
import { KeysError } from '../domain/errors.js';
import { parseDuration, parseExpiry } from '../domain/expiry.js';
import { holdsKeyString, MODES, type Mode } from '../domain/key-string.js';
import { assertLabel, type Labels, MAX_LABELS, settleLabels } from '../domain/labels.js';
import { parseRateLimit } from '../domain/rate-limit.js';
import { assertScopeForm, didYouMean } from '../domain/scopes.js';
import { quoted, safeText } from '../domain/text.js';
import { isMap, isNestedBeyond, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from '../yaml.js';
import {
  type Manifest,
  type ManifestExpiry,
  type ManifestKey,
  type ManifestScope,
  OWN_LABELS,
  OWNER_LABEL,
  type Place,
  type Problem,
} from './manifest.js';

export const MAX_MANIFEST_BYTES = 1_048_576;

/** A manifest has five levels. */
const MAX_DEPTH = 32;
/** Nobody reads more; a file that is something else would fill the screen. */
const MAX_PROBLEMS = 50;

/** `$schema` is for editors. */
const TOP = ['$schema', 'version', 'name', 'scopes', 'keys'];
const SCOPE = ['scope', 'label'];
const KEY = ['name', 'description', 'mode', 'scopes', 'rateLimit', 'expiresAt', 'expires', 'labels', 'disabled'];

/** Whether a time has passed is for the plan to say: a manifest may speak of a key that has expired. */
const BEFORE_ANY_EXPIRY = new Date(0);

/** The parts of a stored hash that nothing else has. */
const HASH = /\$2[aby]\$\d\d\$|\$hmac-sha256\$/;
const SECRET_PROPERTIES = /^(key|keystring|secret|hash|guard|token)$/i;
const MADE_UP = /^(id|status|maskedkey|createdat|updatedat|lastusedat|rotatedfrom|rotatedto)$/i;

/** In place of the messages of the YAML package, which may repeat a piece of the file. */
const YAML_PROBLEMS: Readonly<Record<string, string>> = {
  BAD_INDENT: 'this line is not indented as those around it',
  BAD_SCALAR_START: 'this character cannot begin a text',
  BLOCK_IN_FLOW: 'there is a block inside of brackets',
  MISSING_CHAR: 'a character is missing, such as a closing quote or bracket',
  MULTILINE_IMPLICIT_KEY: 'this line has no "name: value", or the text before the colon has several lines',
  MULTIPLE_DOCS: 'there is a second document',
  TAB_AS_INDENT: 'tabs cannot indent',
  TAG_RESOLVE_FAILED: 'a tag that is not read',
  UNEXPECTED_TOKEN: 'this does not belong here',
};

/** The error that names every problem, each with its place: `keys.yaml:4:11: …`. */
export function manifestError(source: string, problems: readonly Problem[], code: 'usage' | 'conflict' = 'usage') {
  const inOrder = [...problems].sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
  const lines = inOrder
    .slice(0, MAX_PROBLEMS)
    .map(({ place, what, advice }) => `${safeText(source)}:${place.line}:${place.column}: ${what}; ${advice}`);
  const more = inOrder.length - lines.length;
  return new KeysError(
    code,
    [...lines, ...(more > 0 ? [`… and ${more} more`] : [])].join('\n'),
    'nothing was changed; the form of a manifest: unlockos-keys apply --help',
  );
}

/** Reads values out of one document. What is wrong is noted, and read as undefined: all problems are reported at once. */
class Reader {
  readonly problems: Problem[] = [];
  readonly #lines: LineCounter;

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  place(node: unknown): Place {
    const offset = (node as Node | null | undefined)?.range?.[0] ?? 0;
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  problem(at: unknown, what: string, advice: string): undefined {
    this.problems.push({ place: this.place(at), what, advice });
  }

  /** The properties of a mapping by name. `unknown` says why a property cannot be; where it is left out, any name can. */
  map(
    node: unknown,
    what: string,
    unknown?: (name: string) => { what: string; advice: string } | null,
  ): Map<string, { key: unknown; value: unknown }> | undefined {
    if (!isMap(node)) return this.problem(node, `${what} is not a mapping`, 'write it as "name: value" lines');
    const entries = new Map<string, { key: unknown; value: unknown }>();
    for (const { key, value } of node.items) {
      if (!isScalar(key) || typeof key.value !== 'string') {
        this.problem(key ?? node, `${what} has a property whose name is not a text`, 'put it in quotes');
        continue;
      }
      const refused = unknown?.(key.value);
      if (refused) this.problem(key, refused.what, refused.advice);
      else if (entries.has(key.value)) this.problem(key, `${what} has ${quoted(key.value)} twice`, 'keep one of them');
      else entries.set(key.value, { key, value: value ?? { range: key.range } });
    }
    return entries;
  }

  list(node: unknown, what: string): readonly unknown[] | undefined {
    if (!isSeq(node)) return this.problem(node, `${what} is not a list`, 'write one "- …" line for each, or [a, b]');
    return node.items.map((item) => item ?? node);
  }

  isNull(node: unknown): boolean {
    return !isMap(node) && !isSeq(node) && ((node as { value?: unknown } | null)?.value ?? null) === null;
  }

  text(node: unknown, what: string): string | undefined {
    if (isScalar(node) && typeof node.value === 'string') return node.value;
    if (this.isNull(node)) return this.problem(node, `${what} is empty`, 'fill it in, or leave the line out');
    return this.problem(
      node,
      `${what} is not a text`,
      isMap(node) || isSeq(node) ? 'write one text' : 'put it in quotes',
    );
  }

  /** A text handed to a reader of the domain, whose complaint gets the place. */
  read<T>(node: unknown, what: string, parse: (text: string) => T): T | undefined {
    const text = this.text(node, what);
    return text === undefined ? undefined : this.checked(node, what, () => parse(text));
  }

  checked<T>(node: unknown, what: string, parse: () => T): T | undefined {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof KeysError)) throw error;
      return this.problem(node, `${what}: ${error.message}`, error.hint ?? 'write another');
    }
  }

  flag(node: unknown, what: string): boolean | undefined {
    if (isScalar(node) && typeof node.value === 'boolean') return node.value;
    return this.problem(node, `${what} is neither true nor false`, 'write true or false');
  }
}

function noProperty(what: string, known: readonly string[]) {
  return (name: string) => {
    if (known.includes(name)) return null;
    if (SECRET_PROPERTIES.test(name))
      return {
        what: `${what} has a property ${quoted(name)}, and no secret belongs into a manifest`,
        advice: 'take it out: apply makes the key string and hands it out (--key-dir)',
      };
    if (MADE_UP.test(name))
      return {
        what: `${what} has a property ${quoted(name)}, which is not for a manifest to say`,
        advice: name.toLowerCase() === 'status' ? 'write disabled: true or disabled: false' : 'take it out',
      };
    const guess = didYouMean(name, known);
    return {
      what: `${what} has no property ${quoted(name)}${guess ? `, did you mean ${guess}?` : ''}`,
      advice: `there are: ${known.join(', ')}`,
    };
  };
}

function readMode(text: string): Mode {
  const found = MODES.find((mode) => mode === text);
  if (!found) throw new KeysError('usage', `${quoted(text)} is no mode`, 'write mode: live or mode: test');
  return found;
}

/** A scope by its whole name: what a key may do must not change because the catalogue grew. */
function readScope(text: string): string {
  if (/:\*$/.test(text))
    throw new KeysError('usage', `${quoted(text)} stands for several scopes`, 'write each of them out');
  assertScopeForm(text);
  return text;
}

/** The value of a label that says whose a key is. */
function readManifestName(text: string): string {
  if (text === '') throw new KeysError('usage', 'it is empty', 'e.g. name: partner-team');
  assertLabel(OWNER_LABEL, text);
  return text;
}

function readInstant(text: string): Date | null {
  if (!/^\d{4}-/.test(text) && text !== 'never')
    throw new KeysError(
      'usage',
      `${quoted(text)} is not a date or an instant`,
      'write 2027-01-31 or 2027-01-31T09:00:00Z, and a duration as expires: 90d',
    );
  return parseExpiry(text, BEFORE_ANY_EXPIRY);
}

function readLifetime(text: string): number | null {
  return text === 'never' ? null : parseDuration(text, 'expires');
}

function readLabels(reader: Reader, node: unknown, what: string): Labels | undefined {
  const before = reader.problems.length;
  const entries = reader.map(node, what, (name) =>
    OWN_LABELS.includes(name)
      ? { what: `${what} has ${quoted(name)}`, advice: 'take it out: apply sets it itself' }
      : null,
  );
  const labels: [string, string][] = [];
  for (const [name, { key, value }] of entries ?? []) {
    const text = reader.text(value, `label ${quoted(name)} of ${what}`);
    if (text === undefined) continue;
    reader.checked(key, what, () => assertLabel(name, text));
    labels.push([name, text]);
  }
  const most = MAX_LABELS - OWN_LABELS.length;
  if (labels.length > most) return reader.problem(node, `${what} are more than ${most}`, 'use fewer');
  return reader.problems.length > before ? undefined : settleLabels(Object.fromEntries(labels));
}

function readKeyScopes(reader: Reader, node: unknown, what: string): ManifestKey['scopes'] | undefined {
  const items = reader.list(node, what);
  if (items?.length === 0)
    return reader.problem(node, `${what} is empty`, 'a key needs at least one scope, e.g. scopes: [checkin:read]');
  const seen = new Set<string>();
  return items?.flatMap((item) => {
    const scope = reader.read(item, `a scope of ${what}`, readScope);
    if (scope === undefined) return [];
    if (seen.has(scope)) reader.problem(item, `${what} has ${quoted(scope)} twice`, 'keep one of them');
    seen.add(scope);
    return [{ scope, place: reader.place(item) }];
  });
}

function readExpiry(
  reader: Reader,
  properties: Map<string, { key: unknown; value: unknown }>,
  what: string,
): ManifestExpiry | undefined {
  const at = properties.get('expiresAt');
  const after = properties.get('expires');
  if (at && after) return reader.problem(after.key, `${what} has both expiresAt and expires`, 'keep one of them');
  if (at) {
    const read = reader.isNull(at.value) ? null : reader.read(at.value, `expiresAt of ${what}`, readInstant);
    return read === undefined ? undefined : { at: read, place: reader.place(at.value) };
  }
  if (!after) return undefined;
  const read = reader.read(after.value, `expires of ${what}`, readLifetime);
  return read === undefined ? undefined : { after: read, place: reader.place(after.value) };
}

function readKey(reader: Reader, node: unknown, index: number): ManifestKey | undefined {
  const unnamed = `keys[${index}]`;
  const properties = reader.map(node, unnamed, noProperty(unnamed, KEY));
  if (!properties) return undefined;
  const value = (name: string) => properties.get(name)?.value;
  const required = (name: string, advice: string) => {
    if (!properties.has(name)) reader.problem(node, `${what} has no ${name}`, advice);
    return properties.has(name);
  };
  const given = properties.has('name') ? reader.read(value('name'), `name of ${unnamed}`, readName) : undefined;
  const what = given === undefined ? unnamed : `key ${quoted(given)}`;
  required('name', 'write name: partner-checkin');
  const mode = required('mode', 'write mode: live or mode: test')
    ? reader.read(value('mode'), `mode of ${what}`, readMode)
    : undefined;
  const scopes = required('scopes', 'write scopes: [checkin:read]')
    ? readKeyScopes(reader, value('scopes'), `scopes of ${what}`)
    : undefined;
  const optional = <T>(name: string, read: (node: unknown, what: string) => T | undefined) =>
    properties.has(name) ? read(value(name), `${name} of ${what}`) : undefined;
  const description = optional('description', (at, of) =>
    reader.isNull(at) ? null : reader.read(at, of, readDescription),
  );
  const rateLimit = optional('rateLimit', (at, of) => reader.read(at, of, parseRateLimit));
  const labels = optional('labels', (at, of) => readLabels(reader, at, of));
  const disabled = optional('disabled', (at, of) => reader.flag(at, of));
  const expiry = readExpiry(reader, properties, what);
  if (given === undefined || mode === undefined || scopes === undefined) return undefined;
  return { name: given, description, mode, scopes, rateLimit, expiry, labels, disabled, place: reader.place(node) };
}

function readScopes(reader: Reader, node: unknown): ManifestScope[] | undefined {
  const seen = new Set<string>();
  return reader.list(node, 'scopes')?.flatMap((item, index) => {
    const what = `scopes[${index}]`;
    const properties = isMap(item) ? reader.map(item, what, noProperty(what, SCOPE)) : undefined;
    if (properties && !properties.has('scope')) {
      reader.problem(item, `${what} has no scope`, 'write scope: plan:delete');
      return [];
    }
    const name = properties ? properties.get('scope')?.value : item;
    const scope = reader.read(name, what, readScope);
    const label = properties?.has('label')
      ? reader.read(properties.get('label')?.value, `label of ${what}`, readName)
      : null;
    if (scope === undefined) return [];
    if (seen.has(scope)) reader.problem(name, `scopes has ${quoted(scope)} twice`, 'keep one of them');
    seen.add(scope);
    return [{ scope, label: label ?? null, place: reader.place(name) }];
  });
}

function refuseDoubles(reader: Reader, keys: readonly ManifestKey[]): void {
  const seen = new Map<string, Place>();
  for (const { name, place } of keys) {
    const first = seen.get(nameKey(name));
    if (first)
      reader.problems.push({
        place,
        what: `the name ${quoted(name)} is given twice (line ${first.line})`,
        advice: 'names are unique, whatever their case: choose another',
      });
    else seen.set(nameKey(name), place);
  }
}

/** Where something stands that must not be in any file. Looked for in the text, comments included, before anything else is made of it. */
function secretsIn(text: string): Problem[] {
  return text.split('\n').flatMap((line, i) =>
    [...line.matchAll(/\S+/g)].flatMap(({ 0: word, index }) => {
      const place = { line: i + 1, column: index + 1 };
      if (holdsKeyString(word))
        return [
          {
            place,
            what: 'this is a key string',
            advice: 'take it out, and treat that key as leaked (unlockos-keys disable --stdin)',
          },
        ];
      if (HASH.test(word))
        return [
          { place, what: 'this is the hash of a secret', advice: 'take it out: a manifest says what keys may do' },
        ];
      return [];
    }),
  );
}

/**
 * Reads a manifest, YAML or JSON. Strict: a property that is mistyped must not pass for one that was left out. Throws `usage` that
 * names every problem by line and column; nothing that looks like a secret is repeated. `source` names the file.
 */
export function parseManifest(text: string, source: string): Manifest {
  const first = { line: 1, column: 1 };
  const refuse = (what: string, advice: string, place: Place = first) =>
    manifestError(source, [{ place, what, advice }]);
  if (Buffer.byteLength(text) > MAX_MANIFEST_BYTES)
    throw refuse('this is larger than any manifest', 'at most 1 MiB: split it, each with a name of its own');
  const secrets = secretsIn(text);
  if (secrets.length > 0) throw manifestError(source, secrets);
  if (isNestedBeyond(text, MAX_DEPTH)) throw refuse('this is nested deeper than any manifest', 'take the brackets out');
  const lines = new LineCounter();
  const reader = new Reader(lines);
  // Doubles are found by the reader: the package compares each property with each.
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
  });
  for (const { code, pos } of [...document.errors, ...document.warnings])
    reader.problem({ range: pos }, YAML_PROBLEMS[code] ?? `this is not YAML (${code})`, 'it is YAML 1.2, or JSON');
  if (document.directives?.yaml.explicit) reader.problem(null, 'directives are not read', 'take the % line out');
  visit(document, {
    Alias: (_, alias) => reader.problem(alias, 'aliases are not read', 'write each key out'),
    Scalar: (_, { value, range }) => {
      if (typeof value === 'string' && (holdsKeyString(value) || HASH.test(value)))
        reader.problem({ range }, 'this is a key string, or the hash of one', 'take it out, and treat it as leaked');
    },
  });
  if (reader.problems.length > 0) throw manifestError(source, reader.problems);
  const top = reader.map(document.contents, 'the manifest', noProperty('the manifest', TOP));
  const value = (name: string) => top?.get(name)?.value;
  const missing = (name: string, advice: string) => {
    if (top && !top.has(name)) reader.problem(document.contents, `the manifest has no ${name}`, advice);
    return !top?.has(name);
  };
  if (top?.has('$schema')) reader.text(value('$schema'), '$schema');
  const version = value('version');
  if (!missing('version', 'write version: 1') && !(isScalar(version) && version.value === 1))
    reader.problem(version, 'this version of manifest is not known', 'write version: 1');
  const name = missing('name', 'write name: and whose keys they are, e.g. partner-team')
    ? undefined
    : reader.read(value('name'), 'name of the manifest', readManifestName);
  const scopes = top?.has('scopes') ? readScopes(reader, value('scopes')) : null;
  const nodes = missing('keys', 'write keys: and a list of them; [] for none')
    ? []
    : reader.list(value('keys'), 'keys');
  const keys = (nodes ?? []).flatMap((node, i) => readKey(reader, node, i) ?? []);
  refuseDoubles(reader, keys);
  if (reader.problems.length > 0 || name === undefined) throw manifestError(source, reader.problems);
  return { source, name, scopes: scopes ?? null, keys };
}
