import { expect, test } from 'vitest';
import { testCli } from '../support/test-cli.js';

test('enable says when a key has expired all the same', async () => {
  const cli = testCli();
  await cli.create('ci', '--expires', '1d');
  await cli.run('disable', 'ci');
  cli.now = new Date('2026-12-01T00:00:00Z');
  expect((await cli.run('enable', 'ci')).stderr).toMatch(/^Enabled ci \(\w{12}\), but it has expired$/m);
});
