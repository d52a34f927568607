/** The quote that is open at the end of a piece of a command line. */
type Quote = '' | "'" | '"';

/** A word of a command line as the program would get it, except for expansions: those stay as they were typed. */
export interface TypedWord {
  readonly value: string;
  readonly quote: Quote;
}

/** The characters that a backslash escapes, inside each quote. */
const ESCAPABLE: Record<'bash' | 'fish', Record<Quote, RegExp>> = {
  bash: { '': /./su, "'": /(?!)/, '"': /["\\$`\n]/ },
  fish: { '': /./su, "'": /['\\]/, '"': /["\\$\n]/ },
};

/**
 * The words of a command line up to the cursor. The last is the one being typed, empty after a space. Quotes and backslashes are read as
 * the shell reads them. Nothing is expanded, least of all `$(…)`.
 */
export function typedWords(line: string, shell: 'bash' | 'fish'): TypedWord[] {
  const words: TypedWord[] = [];
  const chars = Array.from(line);
  let word: string | null = null;
  let quote: Quote = '';
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i] ?? '';
    const next = chars[i + 1];
    if (char === '\\' && next !== undefined && ESCAPABLE[shell][quote].test(next)) {
      if (next !== '\n') word = (word ?? '') + next; // a backslash at the end of a line joins the next to it
      i++;
    } else if (char === quote) quote = '';
    else if (quote === '' && (char === "'" || char === '"')) {
      quote = char;
      word ??= '';
    } else if (quote === '' && /[ \t\n]/.test(char)) {
      if (word !== null) words.push({ value: word, quote });
      word = null;
    } else word = (word ?? '') + char;
  }
  return [...words, { value: word ?? '', quote }];
}
