import { quoted } from '../domain/text.js';
import type { Place, Problem } from './problems.js';
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  NestedTooDeep,
  type Node,
  parseWithin,
  type YAMLMap,
} from './yaml.js';

/** The way from the top of a document to a value in it: names of properties, and positions in lists. */
export type Path = readonly (string | number)[];

/** What a file of one kind may hold. */
export interface Bounds {
  /** What such a file is called in messages: `a manifest`. */
  readonly kind: string;
  readonly maxBytes: number;
  readonly maxDepth: number;
  /** What to do with a file of more bytes. */
  readonly tooLarge: string;
}

const WRITE_YAML = 'write YAML 1.2, or JSON';

/** In place of the messages of the YAML package: those may repeat a piece of the file, which may be a piece of a secret. */
const SYNTAX: Readonly<Record<string, readonly [what: string, advice: string]>> = {
  BAD_ALIAS: ['aliases are not supported', 'write the value out'],
  BAD_COLLECTION_TYPE: ['this tag does not fit its value', 'remove the tag'],
  BAD_DIRECTIVE: ['directives are not supported', 'remove the % line'],
  BAD_DQ_ESCAPE: ['this backslash escape is not known', 'write \\\\ for a backslash in double quotes'],
  BAD_INDENT: ['this is not indented like the lines around it, or a bracket is not closed', WRITE_YAML],
  BAD_SCALAR_START: ['a value cannot begin with this character', 'put the value in quotes'],
  BLOCK_IN_FLOW: ['lines with dashes or indentation cannot stand inside brackets', WRITE_YAML],
  MISSING_CHAR: ['a character is missing, such as a closing quote or bracket', WRITE_YAML],
  MULTILINE_IMPLICIT_KEY: ['this has no "name: value", or the name before the colon spans several lines', WRITE_YAML],
  MULTIPLE_DOCS: ['a second document begins here', 'keep one document in a file'],
  TAB_AS_INDENT: ['tabs cannot indent', 'indent with spaces'],
  TAG_RESOLVE_FAILED: ['tags are not supported', 'remove the tag'],
  UNEXPECTED_TOKEN: ['this does not belong here', WRITE_YAML],
};

const START: Place = { line: 1, column: 1 };

/**
 * One YAML or JSON document as plain values, and the place of each of them. Problems are collected, not thrown: `problems` holds those of
 * the text, and whoever checks the values adds more.
 */
export class YamlDocument {
  readonly problems: Problem[] = [];
  /** Undefined where the text has problems: what cannot be read has no shape to check. */
  readonly value: unknown;
  readonly #lines: LineCounter;
  readonly #root: Node | null;
  #hasAlias = false;
  readonly #pairs = new WeakMap<YAMLMap, ReadonlyMap<string, { key: unknown; value: unknown }>>();

  constructor(text: string, bounds: Bounds) {
    this.#lines = new LineCounter();
    this.#root = this.#parse(text, bounds);
    if (this.problems.length > 0) return;
    const value = this.#plain(this.#root);
    this.value = this.#hasAlias ? undefined : value;
  }

  /** The place of the value at `path`, or of what encloses it where nothing is there. */
  placeOf(path: Path): Place {
    return this.#placeOf(this.#nodeAt(path));
  }

  /** The place of the name of the property at `path`. */
  placeOfName(path: Path): Place {
    const parent = this.#nodeAt(path.slice(0, -1));
    const name = path.at(-1);
    return this.#placeOf((isMap(parent) && this.#pairsOf(parent).get(String(name))?.key) || parent);
  }

  /** Notes a problem with the value at `path`. */
  problem(path: Path, what: string, advice: string): void {
    this.problems.push({ place: this.placeOf(path), what, advice });
  }

  /** Calls `hear` with every text of the document, names included. */
  visitTexts(hear: (text: string, place: () => Place) => void): void {
    const walk = (node: unknown): void => {
      if (isScalar(node)) {
        if (typeof node.value === 'string') hear(node.value, () => this.#placeOf(node));
      } else if (isSeq(node)) for (const item of node.items) walk(item);
      else if (isMap(node))
        for (const { key, value } of node.items) {
          walk(key);
          walk(value);
        }
    };
    walk(this.#root);
  }

  #parse(text: string, { kind, maxBytes, maxDepth, tooLarge }: Bounds): Node | null {
    const refuse = (what: string, advice: string): null => {
      this.problems.push({ place: START, what, advice });
      return null;
    };
    if (Buffer.byteLength(text) > maxBytes) return refuse(`this is too large for ${kind}`, tooLarge);
    try {
      const document = parseWithin(text, maxDepth, this.#lines);
      for (const { code, pos } of [...document.errors, ...document.warnings])
        this.#note({ range: pos }, ...(SYNTAX[code] ?? [`this is not YAML (${code})`, WRITE_YAML]));
      if (document.directives?.yaml.explicit) refuse('directives are not supported', 'remove the % line');
      return document.contents as Node | null;
    } catch (error) {
      if (!(error instanceof NestedTooDeep)) throw error;
      return refuse(`this is nested too deeply for ${kind}`, 'remove the brackets or the indentation');
    }
  }

  #note(node: unknown, what: string, advice: string): void {
    this.problems.push({ place: this.#placeOf(node), what, advice });
  }

  #placeOf(node: unknown): Place {
    const offset = (node as Node | null | undefined)?.range?.[0] ?? 0;
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  #nodeAt(path: Path): unknown {
    let node: unknown = this.#root;
    for (const step of path) {
      const pair = isMap(node) ? this.#pairsOf(node).get(String(step)) : undefined;
      const next = pair ? (pair.value ?? pair.key) : isSeq(node) ? node.items[Number(step)] : undefined;
      if (next === undefined || next === null) return node;
      node = next;
    }
    return node;
  }

  #pairsOf(map: YAMLMap): ReadonlyMap<string, { key: unknown; value: unknown }> {
    const known = this.#pairs.get(map);
    if (known) return known;
    const pairs = new Map<string, { key: unknown; value: unknown }>();
    for (const pair of map.items)
      if (isScalar(pair.key) && typeof pair.key.value === 'string' && !pairs.has(pair.key.value))
        pairs.set(pair.key.value, pair);
    this.#pairs.set(map, pairs);
    return pairs;
  }

  /** Objects have no prototype: `constructor` and `__proto__` are names like any other. */
  #plain(node: unknown): unknown {
    if (isSeq(node)) return node.items.map((item) => this.#plain(item));
    if (isMap(node)) return this.#object(node);
    if (isAlias(node)) {
      this.#hasAlias = true;
      this.#note(node, ...(SYNTAX.BAD_ALIAS as readonly [string, string]));
    }
    return isScalar(node) ? node.value : null;
  }

  #object(map: YAMLMap): unknown {
    const values: Record<string, unknown> = Object.create(null);
    for (const { key, value } of map.items) {
      if (!isScalar(key) || typeof key.value !== 'string')
        this.#note(key ?? map, 'this property has a name that is not a string', 'put it in quotes');
      else if (key.value in values) this.#note(key, `${quoted(key.value)} is here twice`, 'keep one of them');
      else values[key.value] = this.#plain(value);
    }
    return values;
  }
}
