import { writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-string.js';
import { Finder, type Hit } from '../../src/scan/finder.js';
import { scanStaged } from '../../src/scan/git-staged.js';
import { git, scene } from '../support/scan-scenes.js';

test('finds the same in a diff as in the file', async () => {
  const { dir } = scene();
  git(dir, 'init', '-q');
  const key = mintKeyString('test').keyString;
  const part = fc.constantFrom(
    key,
    `${key}x`,
    '\n',
    '\r\n',
    ' ',
    '+',
    '-',
    '\\',
    '@@ -1 +1 @@\n',
    '+++ b/x\n',
    '\u00e9',
    'a\0',
  );
  await fc.assert(
    fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 12 }), async (parts) => {
      const bytes = Buffer.from(parts.join(''));
      writeFileSync(path.join(dir, 'f'), bytes);
      git(dir, 'add', 'f');
      const finder = new Finder();
      const inFile = [...finder.feed(bytes), ...finder.end()];
      const inDiff: Hit[] = [];
      for await (const each of scanStaged(dir)) if (each.kind === 'hit') inDiff.push(each.hit);
      expect(inDiff).toEqual(inFile);
    }),
    { numRuns: 40 },
  );
});
