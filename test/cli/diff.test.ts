import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { type TestCli, testCli } from '../support/test-cli.js';

const MANIFEST = `version: 1
name: team
keys:
  - name: one
    mode: test
    scopes: [plan:read]
`;

async function applied(): Promise<TestCli> {
  const cli = testCli();
  write(cli, MANIFEST);
  expect((await cli.run('apply', '-f', 'keys.yaml', '--key-dir', 'new', '--yes')).exitCode).toBe(0);
  return cli;
}

function write(cli: TestCli, text: string): void {
  writeFileSync(path.join(cli.dir, 'keys.yaml'), text);
}

describe('diff', () => {
  test('shows what apply would do, and does nothing', async () => {
    const cli = await applied();
    write(cli, MANIFEST.replace('plan:read', 'plan:create'));
    const head = (await cli.run('audit', 'head')).stdout;
    const { exitCode, stdout, stderr } = await cli.run('diff', '-f', 'keys.yaml');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ACTION.*\nrotate +one +test +scopes \+ plan:create − plan:read\n$/);
    expect(stderr).toBe('apply would rotate 1 key\n');
    expect((await cli.run('audit', 'head')).stdout).toBe(head);
  });

  test('--exit-code is 7 when there is something to change, and 0 when there is not', async () => {
    const cli = await applied();
    const { exitCode, stdout, stderr } = await cli.run('diff', '-f', 'keys.yaml', '--exit-code');
    expect([exitCode, stdout]).toEqual([0, '']);
    expect(stderr).toBe('Nothing to change: the store matches keys.yaml\n');
    write(cli, `${MANIFEST}    rateLimit: 1/s\n`);
    expect((await cli.run('diff', '-f', 'keys.yaml', '--exit-code')).exitCode).toBe(7);
    expect((await cli.run('diff', '-f', 'keys.yaml', '--exit-code', '-q')).exitCode).toBe(7);
  });

  test('names the fields in words', async () => {
    const cli = await applied();
    write(cli, `${MANIFEST}    rateLimit: 1/s\n    allowFrom: [10.0.0.0/8]\n    expiresAt: 2099-01-31\n`);
    const { stdout } = await cli.run('diff', '-f', 'keys.yaml', '-o', 'markdown');
    expect(stdout).toContain('rate limit 600/m → 1/s; addresses any → 10.0.0.0/8');
    expect(stdout).toContain('expires never → 2099-01-31T00:00:00.000Z');
  });

  test('--json is an array of action, name and changes', async () => {
    const cli = await applied();
    const { id } = await cli.json('show', 'one');
    expect(await cli.json('diff', '-f', 'keys.yaml')).toEqual([]);
    write(cli, `${MANIFEST}    rateLimit: 1/s\n    labels: { tier: gold }\n    disabled: true\n`);
    expect(await cli.json('diff', '-f', 'keys.yaml')).toEqual([
      {
        action: 'edit',
        name: 'one',
        id,
        mode: 'test',
        changes: {
          rateLimit: { before: '600/m', after: '1/s' },
          labels: { before: { manifest: 'team' }, after: { manifest: 'team', tier: 'gold' } },
        },
      },
      {
        action: 'disable',
        name: 'one',
        id,
        mode: 'test',
        changes: { status: { before: 'active', after: 'inactive' } },
      },
    ]);
    const { stdout } = await cli.run('diff', '-f', 'keys.yaml', '-o', 'csv', '--fields', 'action,name');
    expect(stdout).toBe('action,name\nedit,one\ndisable,one\n');
  });

  test('knows --prune and --adopt', async () => {
    const cli = await applied();
    write(cli, MANIFEST.replace('one', 'two'));
    const actions = async (...flags: string[]) =>
      (await cli.json('diff', '-f', 'keys.yaml', ...flags)).map(({ action }: { action: string }) => action);
    expect(await actions()).toEqual(['create']);
    expect(await actions('--prune')).toEqual(['create', 'disable']);
    await cli.create('two', '--test', '-s', 'plan:read');
    expect((await cli.run('diff', '-f', 'keys.yaml')).exitCode).toBe(5);
    expect(await actions('--adopt')).toEqual(['edit']);
  });

  test('makes no store', async () => {
    const cli = testCli();
    write(cli, MANIFEST);
    expect((await cli.run('diff', '-f', 'keys.yaml')).exitCode).toBe(8);
    expect((await cli.run('apply', '-f', 'keys.yaml', '-n')).exitCode).toBe(8);
    expect((await cli.run('list')).exitCode).toBe(8);
  });

  test('names from the store and the manifest reach a terminal without control characters', async () => {
    const cli = await applied();
    write(cli, MANIFEST.replace('one', '"x\\e[31m"'));
    const { exitCode, stderr } = await cli.run('diff', '-f', 'keys.yaml');
    expect(exitCode).toBe(2);
    expect(stderr).not.toContain('\u001b');
  });
});
