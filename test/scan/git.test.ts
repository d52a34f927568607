import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { Finder, type Hit } from '../../src/scan/finder.js';
import { gitOutput } from '../../src/scan/git-process.js';
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

test('git that waits for a pipe, which the settings of a repository name, is given up', async () => {
  const { dir } = scene();
  git(dir, 'init', '-q');
  git(dir, 'commit', '-q', '--allow-empty', '-m', 'x');
  execFileSync('mkfifo', [path.join(dir, 'pipe')]);
  git(dir, 'config', 'include.path', path.join(dir, 'pipe'));
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const failed = expect(gitOutput(dir, ['rev-parse', 'HEAD'])).rejects.toThrow(/git was killed.*pipe/);
  await vi.advanceTimersByTimeAsync(300_000);
  await failed;
});
