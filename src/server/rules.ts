import { KeysError } from '../domain/errors.js';
import { assertScopeForm } from '../domain/scopes.js';
import { quoted, safeText } from '../domain/text.js';
import {
  isMap,
  isNestedBeyond,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
} from '../yaml.js';
import type { Target } from './target.js';

/** Which requests need which scopes. The first rule that fits decides; a request that none fits is refused. */
export interface Rule {
  /** Null: every method. */
  readonly methods: readonly string[] | null;
  /** Segments to be equal; null stands for any one of them. */
  readonly segments: readonly (string | null)[];
  /** The path and everything below it. */
  readonly below: boolean;
  readonly scopes: readonly string[];
}

const PROPERTIES = ['methods', 'path', 'scopes'];
const METHOD = /^[A-Z]{1,20}$/;
const MAX_DEPTH = 10;
const EXAMPLE = '- { methods: [GET], path: /check-ins/**, scopes: [checkin:read] }';

/** The scopes that a request needs, or null where no rule lets it in. HEAD is covered by a rule for GET. */
export function scopesFor(rules: readonly Rule[], { method, segments }: Target): readonly string[] | null {
  return rules.find((rule) => coversMethod(rule, method) && coversPath(rule, segments))?.scopes ?? null;
}

function coversMethod({ methods }: Rule, method: string): boolean {
  return methods === null || methods.includes(method) || (method === 'HEAD' && methods.includes('GET'));
}

function coversPath({ segments, below }: Rule, path: readonly string[]): boolean {
  if (below ? path.length < segments.length : path.length !== segments.length) return false;
  return segments.every((segment, i) => (segment === null ? path[i] !== '' : segment === path[i]));
}

/** Reads a file of rules, YAML or JSON. Throws `usage` with file, line and column of what is wrong. */
export function parseRules(text: string, file: string): Rule[] {
  const lines = new LineCounter();
  const fail = (at: unknown, what: string, hint = EXAMPLE): KeysError => {
    const offset = (at as Node | null)?.range?.[0];
    const place = offset === undefined ? null : lines.linePos(offset);
    return new KeysError('usage', `${safeText(file)}${place ? `:${place.line}:${place.col}` : ''}: ${what}`, hint);
  };
  if (isNestedBeyond(text, MAX_DEPTH)) throw fail(null, 'this is nested deeper than any rules');
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const [problem = document.warnings[0]] = document.errors;
  if (problem) throw fail({ range: problem.pos }, safeText(problem.message));
  const { contents } = document;
  if (!isSeq(contents) || contents.items.length === 0) throw fail(contents, 'rules are a list, one rule an item');
  return contents.items.map((item) => readRule(item, fail));
}

type Fail = (at: unknown, what: string, hint?: string) => KeysError;

function readRule(node: unknown, fail: Fail): Rule {
  if (!isMap(node)) throw fail(node, 'a rule is a mapping');
  const values = new Map<string, unknown>();
  for (const { key, value } of (node as YAMLMap).items) {
    const name = isScalar(key) ? String(key.value) : '';
    if (!PROPERTIES.includes(name))
      throw fail(key, `a rule has no property ${quoted(name)}`, `it has: ${PROPERTIES.join(', ')}`);
    values.set(name, value);
  }
  if (!values.has('path')) throw fail(node, 'the rule has no path');
  if (!values.has('scopes')) throw fail(node, 'the rule has no scopes', 'scopes: [] lets any valid key in');
  const methods = values.has('methods') ? texts(values.get('methods'), 'methods', fail) : null;
  for (const [text, at] of methods ?? [])
    if (!METHOD.test(text)) throw fail(at, `${quoted(text)} is not a method`, 'in capitals: GET');
  if (methods?.length === 0) throw fail(values.get('methods'), 'methods is empty', 'leave it out for every method');
  const scopes = texts(values.get('scopes'), 'scopes', fail);
  for (const [text, at] of scopes) {
    try {
      assertScopeForm(text);
    } catch (error) {
      if (!(error instanceof KeysError)) throw error;
      throw fail(at, error.message, error.hint);
    }
  }
  return {
    methods: methods?.map(([text]) => text) ?? null,
    ...readPattern(values.get('path'), fail),
    scopes: scopes.map(([text]) => text),
  };
}

function texts(node: unknown, what: string, fail: Fail): [text: string, at: unknown][] {
  if (!isSeq(node)) throw fail(node, `${what} is not a list`);
  return node.items.map((item) => {
    if (!isScalar(item) || typeof item.value !== 'string') throw fail(item, `${what} holds what is not a text`);
    return [item.value, item];
  });
}

function readPattern(node: unknown, fail: Fail): Pick<Rule, 'segments' | 'below'> {
  const text = isScalar(node) ? node.value : undefined;
  if (typeof text !== 'string' || !text.startsWith('/')) throw fail(node, 'path is not a path that begins with /');
  if (/[?#\\;%]/.test(text))
    throw fail(
      node,
      `path ${quoted(text)} holds one of ? # \\ ; %`,
      'it is compared with the decoded path, without the query',
    );
  const parts = text.slice(1).split('/');
  const below = parts.at(-1) === '**';
  const segments = below ? parts.slice(0, -1) : parts;
  if (segments.slice(0, -1).includes('') || (below && segments.includes('')))
    throw fail(node, `path ${quoted(text)} has an empty segment`, 'no request with one is let in');
  if (segments.some((segment) => segment === '.' || segment === '..'))
    throw fail(node, `path ${quoted(text)} has a dot segment`, 'no request with one is let in');
  if (segments.some((segment) => segment !== '*' && segment.includes('*')))
    throw fail(
      node,
      `path ${quoted(text)} has a * beside other characters`,
      '* is one whole segment, ** the end of the path and all below',
    );
  return { segments: segments.map((segment) => (segment === '*' ? null : segment)), below };
}
