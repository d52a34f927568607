import { expect, test } from 'vitest';
import { blocks, claims, fileOf, isClaimed, marked, pages, read } from '../support/documents.js';

/** Decision notes and the changelog tell of the past: what they show is not for anybody to run. */
const EXAMPLES = pages().filter((page) => page !== 'CHANGELOG.md' && !page.includes('/decisions/'));

/** The pages whose blocks `test/e2e/docs.test.ts` runs from the first to the last. */
function walked(): string[] {
  return [...read('test/e2e/docs.test.ts').matchAll(/\bwalk\('([^']+)'/g)].map(([, page = '']) => page);
}

test('every command line, configuration and program of the documents is run by a test', () => {
  const all = claims();
  expect(all.length).toBeGreaterThan(10);
  const unrun = EXAMPLES.flatMap(blocks).filter((each) => {
    const isWalked = walked().includes(each.page) && (each.language === 'sh' || fileOf(each) !== undefined);
    return each.language !== 'text' && !isWalked && !isClaimed(each, all);
  });
  expect(unrun).toEqual([]);
});

test('a test that promises to run a block names one that exists', () => {
  for (const { page, mark, file } of claims())
    expect(marked(page, mark), `${file} wants the block of ${page} with ${mark}`).toHaveLength(1);
});

test('blocks that no test runs are output: they hold no command line', () => {
  for (const { text, page } of EXAMPLES.flatMap(blocks).filter(({ language }) => language === 'text'))
    expect(text, page).not.toMatch(/^(?:\$ |unlockos-keys |npm )/m);
});
