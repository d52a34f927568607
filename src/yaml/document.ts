import type { Place, Problem } from './problems.js';
import { type Places, ValueReader } from './values.js';
import { LineCounter, NestedTooDeep, type Node, parseWithin } from './yaml.js';

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

/** What nobody sees in an editor, and YAML does not take between values: control characters, and line ends of old systems. */
const INVISIBLE = /(?!^\ufeff)[\0-\x08\v\f\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff]|\r(?!\n)/;

const START: Place = { line: 1, column: 1 };

/**
 * One YAML or JSON document as plain values, and the place of each of them. Problems are collected, not thrown: `problems` holds those of
 * the text, and whoever checks the values adds more.
 */
export class YamlDocument {
  readonly problems: Problem[] = [];
  /** Undefined where the text has problems: what cannot be read has no shape to check. */
  readonly value: unknown;
  readonly #lines = new LineCounter();
  readonly #places: Places | number;

  constructor(text: string, bounds: Bounds) {
    const reader = new ValueReader();
    const root = this.#parse(text, bounds, reader);
    const [value, places] = reader.read(root);
    this.#places = places;
    if (this.problems.length > 0) return;
    for (const { at, what, advice } of reader.faults) this.#note(at, what, advice);
    for (const at of reader.aliases) this.#note(at, ...(SYNTAX.BAD_ALIAS as readonly [string, string]));
    this.value = reader.aliases.length > 0 ? undefined : value;
  }

  /** The place of the value at `path`, or of what encloses it where nothing is there. */
  placeOf(path: Path): Place {
    return this.#place(startOf(this.#placesAt(path)));
  }

  /** The place of the name of the property at `path`. */
  placeOfName(path: Path): Place {
    const parent = this.#placesAt(path.slice(0, -1));
    const name = typeof parent === 'number' ? undefined : parent.nameAt(String(path.at(-1)));
    return this.#place(name ?? startOf(parent));
  }

  /** Notes a problem with the value at `path`. */
  problem(path: Path, what: string, advice: string): void {
    this.problems.push({ place: this.placeOf(path), what, advice });
  }

  /** Calls `hear` with every text of the document, names included. */
  visitTexts(hear: (text: string, place: () => Place) => void): void {
    const walk = (value: unknown, places: Places | number): void => {
      if (typeof value === 'string') hear(value, () => this.#place(startOf(places)));
      else if (typeof places !== 'number')
        for (const [step, child] of Object.entries(value as object)) {
          if (!Array.isArray(value)) hear(step, () => this.#place(places.nameAt(step) ?? places.start));
          walk(child, places.valueAt(step) ?? places.start);
        }
    };
    walk(this.value, this.#places);
  }

  #parse(text: string, { kind, maxBytes, maxDepth, tooLarge }: Bounds, reader: ValueReader): Node | null {
    const refuse = (what: string, advice: string): null => {
      this.problems.push({ place: START, what, advice });
      return null;
    };
    if (Buffer.byteLength(text) > maxBytes) return refuse(`this is too large for ${kind}`, tooLarge);
    try {
      const document = parseWithin(text, maxDepth, this.#lines, reader.hear);
      const invisible = document.errors.length > 0 ? INVISIBLE.exec(text) : null;
      if (invisible) {
        const code = invisible[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
        this.#note(invisible.index, `here is a character that nobody sees (U+${code})`, 'remove it');
        return null;
      }
      for (const { code, pos } of [...document.errors, ...document.warnings])
        this.#note(pos[0], ...(SYNTAX[code] ?? [`this is not YAML (${code})`, WRITE_YAML]));
      if (document.directives?.yaml.explicit) refuse('directives are not supported', 'remove the % line');
      return document.contents as Node | null;
    } catch (error) {
      if (!(error instanceof NestedTooDeep)) throw error;
      return refuse(`this is nested too deeply for ${kind}`, 'remove the brackets or the indentation');
    }
  }

  #note(offset: number, what: string, advice: string): void {
    this.problems.push({ place: this.#place(offset), what, advice });
  }

  #place(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  #placesAt(path: Path): Places | number {
    let places = this.#places;
    for (const step of path) {
      const next = typeof places === 'number' ? undefined : places.valueAt(step);
      if (next === undefined) return places;
      places = next;
    }
    return places;
  }
}

function startOf(places: Places | number): number {
  return typeof places === 'number' ? places : places.start;
}
