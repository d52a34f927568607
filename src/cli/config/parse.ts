import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { parseExpiry } from '../../domain/expiry.js';
import { parseRateLimit } from '../../domain/rate-limit.js';
import { didYouMean } from '../../domain/scopes.js';
import { quoted, safeText } from '../../domain/text.js';
import { readStorePath } from '../../store/local/store-path.js';
import { isStoreUrl, parseStoreUrl } from '../../store/remote/address.js';
import { FORMATS, type Format } from '../flags.js';
import type { Config, Profile } from './config-file.js';
import { isMap, isScalar, LineCounter, type Node, parseDocument, visit, type YAMLMap } from './yaml.js';

export const PROFILE_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/i;

const SETTINGS = ['store', 'tokenFile', 'tokenCommand', 'allowHttp', 'protected', 'testOnly', 'defaults'];
const DEFAULTS = ['output', 'expires', 'rateLimit'];

interface Source {
  readonly file: string;
  readonly home: string;
  readonly now: Date;
}

/** Reads values out of one document, and names file and line of what it refuses. */
class Reader {
  readonly source: Source;
  readonly #lines: LineCounter;

  constructor(source: Source, lines: LineCounter) {
    this.source = source;
    this.#lines = lines;
  }

  fail(at: unknown, what: string, hint: string): KeysError {
    const offset = (at as Node | null)?.range?.[0];
    const line = offset === undefined ? '' : `:${this.#lines.linePos(offset).line}`;
    return new KeysError('usage', `${safeText(this.source.file)}${line}: ${what}`, hint);
  }

  /** A mapping with no other keys than these. */
  map(node: unknown, what: string, known: readonly string[] | null): Map<string, unknown> {
    if (!isMap(node)) throw this.fail(node, `${what} is not a mapping`, 'write it as "name: value" lines');
    const entries = (node as YAMLMap).items.map(({ key, value }) => {
      if (!isScalar(key) || typeof key.value !== 'string')
        throw this.fail(key, `${what} has a key that is not a text`, 'put it in quotes');
      if (known && !known.includes(key.value)) throw this.unknown(key, key.value, what, known);
      return [key.value, value] as const;
    });
    return new Map(entries);
  }

  unknown(key: unknown, name: string, what: string, known: readonly string[]): KeysError {
    if (/^(auth)?token$/i.test(name))
      return this.fail(
        key,
        'a token does not belong into this file',
        'name where it comes from: tokenFile or tokenCommand',
      );
    const guess = didYouMean(name, known);
    return this.fail(
      key,
      `${what} has no setting ${quoted(name)}${guess ? `, did you mean ${guess}?` : ''}`,
      `there are: ${known.join(', ')}`,
    );
  }

  text(node: unknown, what: string): string {
    if (isScalar(node) && typeof node.value === 'string' && node.value !== '' && !/[\0\n\r]/.test(node.value))
      return node.value;
    throw this.fail(node, `${what} is not a text`, 'put it in quotes');
  }

  flag(node: unknown, what: string): boolean {
    if (node === undefined) return false;
    if (isScalar(node) && typeof node.value === 'boolean') return node.value;
    throw this.fail(node, `${what} is neither true nor false`, 'write true or false');
  }

  /** The words of a command. */
  words(node: unknown, what: string): string[] {
    const items = (node as { items?: unknown[] } | null)?.items;
    if (!Array.isArray(items) || isMap(node) || items.length === 0)
      throw this.fail(node, `${what} is not a list of words`, 'a list, not a shell line: [op, read, "op://ops/token"]');
    return items.map((item) => this.text(item, `a word of ${what}`));
  }

  /** Hands a text to a reader of the domain, whose complaint gets the line. */
  checked<T>(node: unknown, what: string, read: (text: string) => T): string {
    const text = this.text(node, what);
    try {
      read(text);
      return text;
    } catch (error) {
      if (error instanceof KeysError) throw this.fail(node, `${what}: ${error.message}`, error.hint ?? '');
      throw error;
    }
  }

  /** A path is meant from the directory of the file, `~/` from home. */
  path(text: string): string {
    const expanded = text.startsWith('~/') ? path.join(this.source.home, text.slice(2)) : text;
    return path.resolve(path.dirname(this.source.file), expanded);
  }
}

function readFormat(text: string): Format {
  const found = FORMATS.find((format) => format === text);
  if (!found) throw new KeysError('usage', `${quoted(text)} is not an output format`, `one of: ${FORMATS.join(', ')}`);
  return found;
}

function readProfile(reader: Reader, name: string, node: unknown): Profile {
  const what = `profile ${quoted(name)}`;
  const settings = reader.map(node, what, SETTINGS);
  const optional = <T>(key: string, read: (node: unknown, what: string) => T): T | null =>
    settings.has(key) ? read(settings.get(key), `${key} of ${what}`) : null;
  if (!settings.has('store'))
    throw reader.fail(node, `${what} has no store`, 'store: a path, or the URL of a libSQL server');
  const allowHttp = reader.flag(settings.get('allowHttp'), `allowHttp of ${what}`);
  const store = reader.checked(settings.get('store'), `store of ${what}`, (text) =>
    isStoreUrl(text) ? parseStoreUrl(text, { allowHttp }) : readStorePath(text, '/'),
  );
  const tokenFile = optional('tokenFile', (at, of) => reader.path(reader.text(at, of)));
  const tokenCommand = optional('tokenCommand', (at, of) => reader.words(at, of));
  if (tokenFile !== null && tokenCommand !== null)
    throw reader.fail(settings.get('tokenCommand'), `${what} has both tokenFile and tokenCommand`, 'keep one of them');
  const defaults = settings.has('defaults')
    ? reader.map(settings.get('defaults'), `defaults of ${what}`, DEFAULTS)
    : new Map<string, unknown>();
  const fallback = (key: string, read: (text: string) => unknown): string | null =>
    defaults.has(key) ? reader.checked(defaults.get(key), `${key} of ${what}`, read) : null;
  return {
    name,
    store: isStoreUrl(store) ? store : reader.path(store),
    tokenFile,
    tokenCommand,
    allowHttp,
    protected: reader.flag(settings.get('protected'), `protected of ${what}`),
    testOnly: reader.flag(settings.get('testOnly'), `testOnly of ${what}`),
    defaults: {
      output: fallback('output', readFormat) as Format | null,
      expires: fallback('expires', (text) => parseExpiry(text, reader.source.now)),
      rateLimit: fallback('rateLimit', parseRateLimit),
    },
  };
}

/**
 * Reads a configuration. Strict: an unknown setting is an error, because a `protected` that is mistyped must not leave a store
 * unprotected. Throws `usage` with file and line.
 */
export function parseConfig(text: string, source: Source): Config {
  const lines = new LineCounter();
  const reader = new Reader(source, lines);
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const [problem = document.warnings[0]] = document.errors;
  if (problem)
    throw reader.fail(
      { range: problem.pos },
      safeText(problem.message),
      'it is YAML: https://yaml.org, or make it anew with profile add',
    );
  visit(document, {
    Alias: (_, alias) => {
      throw reader.fail(alias, 'aliases are not read', 'write each profile out');
    },
  });
  const empty: Config = { file: source.file, defaultProfile: null, profiles: new Map() };
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) return empty;
  const top = reader.map(document.contents, 'the file', ['default', 'profiles']);
  const nodes = top.has('profiles') ? profileNodes(reader, top.get('profiles')) : new Map<string, unknown>();
  const profiles = new Map([...nodes].map(([name, node]) => [name, readProfile(reader, name, node)]));
  const chosen = top.get('default');
  const defaultProfile = chosen === undefined ? null : reader.text(chosen, 'default');
  if (defaultProfile !== null && !profiles.has(defaultProfile))
    throw reader.fail(
      chosen,
      `the default profile ${quoted(defaultProfile)} is not there`,
      `there are: ${[...profiles.keys()].join(', ') || 'none'}`,
    );
  return { file: source.file, defaultProfile, profiles };
}

function profileNodes(reader: Reader, node: unknown): Map<string, unknown> {
  if (isScalar(node) && node.value === null) return new Map();
  const nodes = reader.map(node, 'profiles', null);
  for (const name of nodes.keys())
    if (!PROFILE_NAME.test(name) || ['constructor', 'prototype'].includes(name))
      throw reader.fail(
        node,
        `${quoted(name)} is no name for a profile`,
        'letters, digits, dot, dash and underscore, 64 at most',
      );
  return nodes;
}
