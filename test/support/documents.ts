import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The text of a file of the repository. */
export function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}

/** Every document, by its path in the repository. */
export function pages(): string[] {
  const docs = readdirSync(path.join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' });
  const inDocs = docs.filter((file) => file.endsWith('.md')).map((file) => `docs/${file}`);
  return ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', ...inDocs.sort()];
}

export interface Block {
  readonly page: string;
  readonly language: string;
  readonly text: string;
}

/** The fenced blocks of a page, in their order. */
export function blocks(page: string): Block[] {
  return [...read(page).matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({
    page,
    language,
    text,
  }));
}

/** A mark is a piece of a block, or all of it. */
function hasMark(page: string, text: string, mark: string): boolean {
  return blocks(page).some((each) => each.text.trim() === mark) ? text.trim() === mark : text.includes(mark);
}

/** The blocks of a page that a mark stands for. */
export function marked(page: string, mark: string): Block[] {
  return blocks(page).filter(({ text }) => hasMark(page, text, mark));
}

/**
 * The one block of a page that contains `mark`: a test that asks for it promises to run it, word for word. `test/docs/blocks.test.ts` finds
 * these calls, and holds that no block of any page is without one.
 */
export function block(page: string, mark: string): string {
  const found = marked(page, mark);
  if (found.length !== 1) throw new Error(`${found.length} blocks of ${page} contain ${mark}`);
  return found[0]?.text ?? '';
}

/** The name that a block gives to its file in a comment at the top: `# rules.yaml`. */
export function fileOf({ text }: Block): string | undefined {
  return /^# ([\w./-]+\.\w+)\n/.exec(text)?.[1];
}

/** The rows of the table whose head begins with `head`, without that head; backticks are taken off the first column. */
export function table(page: string, head: string): string[][] {
  const lines = read(page).split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${head} `));
  if (start === -1) throw new Error(`${page} has no table that begins with ${head}`);
  const rest = lines.slice(start + 2);
  const end = rest.findIndex((line) => !line.startsWith('|'));
  return rest.slice(0, end).map((line) => {
    const [first = '', ...others] = line
      .slice(1, -1)
      .split(' | ')
      .map((cell) => cell.trim());
    return [first.replaceAll('`', ''), ...others];
  });
}

export interface Claim {
  readonly page: string;
  readonly mark: string;
  readonly file: string;
}

function testFiles(): string[] {
  const files = readdirSync(path.join(ROOT, 'test'), { recursive: true, encoding: 'utf8' });
  return files.filter((file) => file.endsWith('.test.ts')).map((file) => `test/${file}`);
}

/** Every call of {@link block} in a test. */
export function claims(): Claim[] {
  return testFiles().flatMap((file) =>
    [...read(file).matchAll(/\bblock\(\s*'([^'\n]+)',\s*'([^'\n]+)',?\s*\)/g)].map(([, page = '', mark = '']) => ({
      page,
      mark,
      file,
    })),
  );
}

export function isClaimed({ page, text }: Block, all: readonly Claim[]): boolean {
  return all.some((claim) => claim.page === page && hasMark(page, text, claim.mark));
}
