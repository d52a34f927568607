import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { pages, read } from '../support/documents.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The steps of the recipes: a file, and the words that it is said to contain. */
function steps(): { recipe: string; file: string; words: string[] }[] {
  const [, recipes = ''] = read('CONTRIBUTING.md').split('\n## Recipes\n');
  return recipes.split(/^### /m).flatMap((section) => {
    const recipe = section.split('\n')[0] ?? '';
    return [...section.matchAll(/^- `([^`]+)`: (.+)$/gm)].map(([, file = '', text = '']) => ({
      recipe,
      file,
      words: [...text.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word).filter((word) => !word.includes(' ')),
    }));
  });
}

test.each(steps())('recipe "$recipe": $file is there, and is about $words', ({ file, words }) => {
  expect(existsSync(path.join(ROOT, file))).toBe(true);
  for (const word of words) expect(read(file)).toContain(word);
});

test('there is a recipe for each kind of change that comes often', () => {
  const recipes = new Set(steps().map(({ recipe }) => recipe));
  expect([...recipes]).toEqual([
    'A command',
    'A flag',
    'A destination for the key string',
    'A scope',
    'A migration',
    'A field of a key',
    'An error code',
  ]);
});

test('every npm script that a document names exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  for (const page of pages().filter((each) => each !== 'CHANGELOG.md'))
    for (const [, name = ''] of read(page).matchAll(/npm run ([a-z][\w:-]*)/g))
      expect(Object.keys(scripts), `${page} names npm run ${name}`).toContain(name);
});
