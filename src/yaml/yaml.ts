import { Composer, type Document, Lexer, type LineCounter, Parser, YAMLParseError } from 'yaml';

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
  parseDocument,
  stringify,
  type YAMLMap,
} from 'yaml';

/** Thrown by {@link parseWithin}. */
export class NestedTooDeep extends Error {}

/**
 * Parses `text` once, and throws {@link NestedTooDeep} where it nests deeper than `maxDepth`. The composer calls itself at every level, so
 * some thousand brackets would exhaust the stack; the tokens below it do not, and are counted before they reach it. Duplicate keys are for
 * the caller to find: the package compares each key of a mapping with each other one.
 */
export function parseWithin(text: string, maxDepth: number, lineCounter: LineCounter): Document.Parsed {
  const composer = new Composer({ lineCounter, prettyErrors: false, uniqueKeys: false });
  let first: Document.Parsed | undefined;
  for (const document of composer.compose(tokens(text, maxDepth, lineCounter), true, text.length)) {
    if (first === undefined) {
      first = document as Document.Parsed;
      continue;
    }
    const [start, , end] = document.range;
    first.errors.push(new YAMLParseError([start, end], 'MULTIPLE_DOCS', 'a second document'));
    break;
  }
  return first as Document.Parsed; // the composer always ends with one
}

function* tokens(text: string, maxDepth: number, lineCounter: LineCounter) {
  const parser = new Parser(lineCounter.addNewLine);
  lineCounter.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > maxDepth) throw new NestedTooDeep();
  }
  yield* parser.end();
}
