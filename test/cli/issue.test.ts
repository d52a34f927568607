import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { block } from '../support/documents.js';
import { type TestCli, testCli } from '../support/test-cli.js';

// What the command makes of its flags and its world; the server has its own tests.

const RULES = block('docs/issue.md', '# issue.yaml');
const COMMAND = block('docs/issue.md', '--rules issue.yaml');

/** Starts `issue`, which runs until it is told to end. */
async function issuing(cli: TestCli, ...args: string[]) {
  const lines: Record<string, unknown>[] = [];
  const heard: (() => void)[] = [];
  cli.signals.on('log', (text: string) => {
    for (const line of text.trim().split('\n')) lines.push(JSON.parse(line));
    for (const wake of heard.splice(0)) wake();
  });
  const run = cli.run('issue', ...args);
  const end = async () => {
    cli.signals.emit('SIGTERM', 'SIGTERM');
    return run;
  };
  onTestFinished(() => void end());
  const failed = run.then(({ stderr }) => {
    throw new Error(`issue ended: ${stderr}`);
  });
  failed.catch(() => {});
  const said = async (message: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const found = lines.find((line) => line.message === message);
      if (found) return found;
      await Promise.race([failed, new Promise<void>((resolve) => heard.push(resolve))]);
    }
  };
  return { lines, said, end };
}

test('starts as docs/issue.md shows it, reads its rules again on SIGHUP, and ends with 0', async () => {
  const cli = testCli();
  await cli.create('kiosk', '--test-mode');
  const file = path.join(cli.dir, 'issue.yaml');
  writeFileSync(file, RULES);
  const words = COMMAND.trim().replace('8788', '0').split(' ').slice(2);
  const { said, lines, end } = await issuing(cli, ...words);
  const { address, store } = await said('listening');
  expect(store).toBe(cli.store);
  const answer = await fetch(`http://${address}/keys`, {
    method: 'POST',
    body: '{"scopes":["plan:read"]}',
    headers: { 'content-type': 'application/json' },
  });
  expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([401, 'token_missing']);
  writeFileSync(file, RULES.replace("repository_id: '42'", 'repository: acme/app'));
  cli.signals.emit('SIGHUP', 'SIGHUP');
  expect((await said('the rules stay as they were')).error).toMatch(/no repository_id/);
  writeFileSync(file, RULES.replace('30m', '45m'));
  cli.signals.emit('SIGHUP', 'SIGHUP');
  await said('rules were read again');
  expect((await end()).exitCode).toBe(0);
  expect(lines.at(-1)).toMatchObject({ message: 'stopped' });
});

test.each([
  ['without rules', [], 2, /--rules/],
  ['with an address that other machines reach', ['--rules', 'issue.yaml', '--listen', '0.0.0.0:0'], 6, /--allow-http/],
  ['with a scope that no key can have', ['--rules', 'unknown.yaml', '--listen', '127.0.0.1:0'], 2, /"plan:write"/],
  ['with a file that is not there', ['--rules', 'none.yaml'], 2, /none\.yaml/],
])('%s it does not start', async (_, args, exitCode, words) => {
  const cli = testCli();
  await cli.create('kiosk', '--test-mode');
  writeFileSync(path.join(cli.dir, 'issue.yaml'), RULES);
  writeFileSync(path.join(cli.dir, 'unknown.yaml'), RULES.replace('plan:read', 'plan:write'));
  expect(await cli.run('issue', ...args)).toMatchObject({ exitCode, stdout: '', stderr: expect.stringMatching(words) });
});
