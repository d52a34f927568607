import { Lexer, Parser } from 'yaml';

/** All that this project uses of the YAML package, in one module: loaded only where there is a configuration file or a manifest. */
export {
  type Alias,
  type Document,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  stringify,
  visit,
  type YAMLMap,
} from 'yaml';

/**
 * True when something in `text` is nested deeper than `limit`. To be asked before {@link parseDocument}, which calls itself at every
 * level: some thousand brackets exhaust the stack, and with it now and then the whole process. The layer below it does not.
 */
export function isNestedBeyond(text: string, limit: number): boolean {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme)); // what it has finished is of no interest here
    if (parser.stack.length > limit) return true;
  }
  return false;
}
