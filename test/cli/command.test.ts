import { expect, test } from 'vitest';
import { testCli } from '../support/test-cli.js';

test.each([
  [['scopes', 'ad'], /scopes has no command "ad", did you mean add\?/],
  [['audit', 'verifi'], /audit has no command "verifi", did you mean verify\?/],
  [['store', 'zzzzzz'], /store has no command "zzzzzz"\nhint: its commands are: path, check, backup/],
])('%j is told what it may have meant', async (args, message) => {
  const cli = testCli();
  await cli.create('a', '--test');
  const { exitCode, stdout, stderr } = await cli.run(...args);
  expect([exitCode, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(message);
});
