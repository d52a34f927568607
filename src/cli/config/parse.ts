import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { parseExpiry } from '../../domain/expiry.js';
import { parseRateLimit } from '../../domain/rate-limit.js';
import { didYouMean } from '../../domain/scopes.js';
import { quoted, safeText } from '../../domain/text.js';
import { readStorePath } from '../../store/local/store-path.js';
import { isStoreUrl, parseStoreUrl } from '../../store/remote/address.js';
import {
  isMap,
  isNestedBeyond,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLMap,
} from '../../yaml.js';
import { FORMATS, type Format } from '../flags.js';
import type { Config, Profile } from './config-file.js';

export const PROFILE_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/i;

const SETTINGS = ['store', 'tokenFile', 'tokenCommand', 'pepperFile', 'allowHttp', 'protected', 'testOnly', 'defaults'];
const DEFAULTS = ['output', 'expires', 'rateLimit'];

/** A configuration has seven levels. */
const MAX_DEPTH = 32;

/** A date that is over must not stop every command: whether an expiry has passed is for `create` to say. */
const BEFORE_ANY_EXPIRY = new Date(0);

/** In place of the messages of the YAML package that repeat a piece of the file, which may be a piece of a token. */
const OWN_WORDS: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'an alias that means nothing',
  BAD_COLLECTION_TYPE: 'a tag that does not fit',
  BAD_DIRECTIVE: 'a directive that is not read',
  BAD_DQ_ESCAPE: 'a backslash in double quotes that means nothing',
  TAG_RESOLVE_FAILED: 'a tag that is not read',
};

export interface Source {
  readonly file: string;
  readonly home: string;
  /** The text is one that would be written: nobody can look a line of it up. */
  readonly isDraft?: boolean;
}

/**
 * Throws `usage` for a text with a token in it, where only the place of one belongs: libSQL servers take JSON Web Tokens, which begin
 * like nothing else. Never repeats it.
 */
function assertNoToken(text: string): void {
  if (/\beyJ[\w-]{8,}\.[\w-]{8,}/.test(text))
    throw new KeysError(
      'usage',
      'this is a token itself',
      'put it where only you can read it, and name the file (tokenFile) or the command that prints it (tokenCommand)',
    );
}

/** Reads values out of one document, and names file and line of what it refuses. */
class Reader {
  readonly source: Source;
  readonly #lines: LineCounter;

  constructor(source: Source, lines: LineCounter) {
    this.source = source;
    this.#lines = lines;
  }

  fail(at: unknown, what: string, hint: string | undefined): KeysError {
    const offset = (at as Node | null)?.range?.[0];
    const line = offset === undefined || this.source.isDraft ? '' : `:${this.#lines.linePos(offset).line}`;
    return new KeysError('usage', `${safeText(this.source.file)}${line}: ${what}`, hint);
  }

  /** A mapping with no other keys than these. A key without a value still has its line. */
  map(node: unknown, what: string, known: readonly string[] | null): Map<string, unknown> {
    if (!isMap(node)) throw this.fail(node, `${what} is not a mapping`, 'write it as "name: value" lines');
    const entries = new Map<string, unknown>();
    for (const { key, value } of (node as YAMLMap).items) {
      if (!isScalar(key) || typeof key.value !== 'string')
        throw this.fail(key ?? node, `${what} has a key that is not a text`, 'put it in quotes');
      if (known && !known.includes(key.value)) throw this.unknown(key, key.value, what, known);
      if (entries.has(key.value))
        throw this.fail(key, `${quoted(key.value)} in ${what} is not unique`, 'keep one of them');
      entries.set(key.value, value ?? { range: key.range });
    }
    return entries;
  }

  unknown(key: unknown, name: string, what: string, known: readonly string[]): KeysError {
    if (/^(auth|access|api)?[_-]?token$/i.test(name))
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
    if (!isScalar(node) || typeof node.value !== 'string')
      throw this.fail(node, `${what} is not a text`, 'put it in quotes');
    if (node.value.trim() === '') throw this.fail(node, `${what} is empty`, 'fill it in, or leave it out');
    if (/[\0\n\r]/.test(node.value)) throw this.fail(node, `${what} has more than one line`, 'write one line');
    return node.value;
  }

  flag(node: unknown, what: string): boolean {
    if (node === undefined) return false;
    if (isScalar(node) && typeof node.value === 'boolean') return node.value;
    throw this.fail(node, `${what} is neither true nor false`, 'write true or false');
  }

  /** The words of a command: a program, and arguments that may be empty or have lines. */
  words(node: unknown, what: string): string[] {
    if (!isSeq(node) || node.items.length === 0)
      throw this.fail(node, `${what} is not a list of words`, 'a list, not a shell line: [op, read, "op://ops/token"]');
    this.text(node.items[0], `the program in ${what}`);
    return node.items.map((item) => {
      if (!isScalar(item) || typeof item.value !== 'string' || item.value.includes('\0'))
        throw this.fail(item ?? node, `a word of ${what} is not a text`, 'put it in quotes');
      return this.complaint(item, what, item.value, assertNoToken);
    });
  }

  /** Hands a text to a reader of the domain, whose complaint gets the line. */
  checked(node: unknown, what: string, read: (text: string) => unknown): string {
    return this.complaint(node, what, this.text(node, what), read);
  }

  complaint(node: unknown, what: string, text: string, read: (text: string) => unknown): string {
    try {
      read(text);
      return text;
    } catch (error) {
      if (error instanceof KeysError) throw this.fail(node, `${what}: ${error.message}`, error.hint);
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
  const tokenFile = optional('tokenFile', (at, of) => reader.path(reader.checked(at, of, assertNoToken)));
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
    pepperFile: optional('pepperFile', (at, of) => reader.path(reader.text(at, of))),
    allowHttp,
    protected: reader.flag(settings.get('protected'), `protected of ${what}`),
    testOnly: reader.flag(settings.get('testOnly'), `testOnly of ${what}`),
    defaults: {
      output: fallback('output', readFormat) as Format | null,
      expires: fallback('expires', (text) => parseExpiry(text, BEFORE_ANY_EXPIRY)),
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
  if (isNestedBeyond(text, MAX_DEPTH))
    throw reader.fail(null, 'this is nested deeper than any configuration', 'take the brackets out');
  // Doubles are found by the reader: the package compares each key with each, some 15 s for the largest file.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const [problem = document.warnings[0]] = document.errors;
  if (problem)
    throw reader.fail(
      { range: problem.pos },
      OWN_WORDS[problem.code] ?? safeText(problem.message.replace(/(?<=characters): .*$/s, '')),
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
        isMap(node) && node.items.map(({ key }) => key).find((key) => isScalar(key) && key.value === name),
        `${quoted(name)} is no name for a profile`,
        'letters, digits, dot, dash and underscore, 64 at most',
      );
  return nodes;
}
