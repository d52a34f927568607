import {
  Composer,
  type CST,
  type Document,
  Lexer,
  type LineCounter,
  type Node,
  Parser,
  parseDocument as parseWithPackage,
  YAMLParseError,
  type YAMLSeq,
} from 'yaml';

/** All that this project uses of the YAML package, in one module: it is loaded only where a YAML file is read or written. */
export {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  stringify,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';

/** Thrown by {@link parseWithin}. */
export class NestedTooDeep extends Error {}

/**
 * Hears the first items of a list as soon as they are read. `start` is where the list begins, `rest` where it begins without these items:
 * what follows begins there, be it further items for this function or the list in the document.
 */
export type HearItems = (items: readonly Node[], start: number, rest: number) => void;

const OPTIONS = { prettyErrors: false, uniqueKeys: false } as const;

/** So many items of a list are handed out at a time: what the package makes of them is then garbage that never grew old. */
const BATCH = 64;

/** The parser may still move a comment to the item before the last. */
const UNFINISHED = 2;

/** A document whose nodes keep their comments, for edits. */
export function parseDocument(text: string): Document.Parsed {
  return withoutEnvironment(() => parseWithPackage(text));
}

/**
 * Parses `text` once, and throws {@link NestedTooDeep} where it nests deeper than `maxDepth`. The composer calls itself at every level, so
 * some thousand brackets would exhaust the stack; the tokens below it do not, and are counted before they reach it. Duplicate keys are for
 * the caller to find: the package compares each key of a mapping with each other one.
 *
 * The list that a file is, or that a property of its top holds, may have tens of thousands of items. `hear` gets them batch by batch, and
 * the document has only the last few.
 */
export function parseWithin(
  text: string,
  maxDepth: number,
  lineCounter: LineCounter,
  hear: HearItems,
): Document.Parsed {
  return withoutEnvironment(() => {
    const items = new FinishedItems(hear);
    const composer = new Composer({ ...OPTIONS, lineCounter });
    let first: Document.Parsed | undefined;
    for (const document of composer.compose(tokens(text, maxDepth, lineCounter, items), true, text.length)) {
      if (first === undefined) {
        first = document as Document.Parsed;
        continue;
      }
      const [start, , end] = document.range;
      first.errors.push(new YAMLParseError([start, end], 'MULTIPLE_DOCS', 'a second document'));
      break;
    }
    first?.errors.push(...items.errors);
    first?.warnings.push(...items.warnings);
    return first as Document.Parsed; // the composer always ends with one
  });
}

/**
 * The package looks into the environment at every token, a fifth of its time, and with `LOG_TOKENS` or `LOG_STREAM` it prints the file,
 * secrets included. Nothing else runs meanwhile.
 */
function withoutEnvironment<T>(parse: () => T): T {
  const { env } = process;
  process.env = {};
  try {
    return parse();
  } finally {
    process.env = env;
  }
}

function* tokens(text: string, maxDepth: number, lineCounter: LineCounter, items: FinishedItems) {
  const parser = new Parser(lineCounter.addNewLine);
  lineCounter.addNewLine(0);
  let isFirst = true;
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) {
      isFirst &&= token.type !== 'document';
      yield token;
    }
    if (parser.stack.length > maxDepth) throw new NestedTooDeep();
    if (isFirst && lexeme === '-') items.take(parser.stack);
  }
  yield* parser.end();
}

/** Takes finished items out of what the parser still holds. */
class FinishedItems {
  readonly errors: Document.Parsed['errors'] = [];
  readonly warnings: Document.Parsed['warnings'] = [];
  readonly #hear: HearItems;

  constructor(hear: HearItems) {
    this.#hear = hear;
  }

  take([, top, below]: readonly CST.Token[]): void {
    const list = top?.type === 'block-map' ? below : top;
    if (list?.type !== 'block-seq' || list.items.length < BATCH + UNFINISHED) return;
    const finished: CST.BlockSequence = { ...list, items: list.items.splice(0, BATCH) };
    const [part] = new Composer(OPTIONS).compose([
      { type: 'document', offset: list.offset, start: [], value: finished },
    ]);
    this.errors.push(...(part?.errors ?? []));
    this.warnings.push(...(part?.warnings ?? []));
    const { items, range } = part?.contents as YAMLSeq.Parsed;
    this.#hear(items, list.offset, range[2]);
    list.offset = range[2];
  }
}
