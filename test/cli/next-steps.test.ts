import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { testCli } from '../support/test-cli.js';

describe('after a change', () => {
  test('the line that undoes it can be run as it is, and names the store that a flag named', async () => {
    const cli = testCli();
    const { id } = await cli.create('ci');
    delete cli.env.UNLOCKOS_KEYS_STORE;
    const at = ['--store', cli.store];
    const { stderr } = await cli.run('disable', 'ci', ...at);
    expect(stderr).toContain(`Undo: unlockos-keys enable ${id} --store ${cli.store}\n`);
    expect((await cli.run('enable', id, ...at)).stderr).toContain(`Undo: unlockos-keys disable ${id} --store`);
    expect((await cli.run('enable', id, ...at)).stderr).not.toContain('Undo');
    expect((await cli.run('disable', id, ...at, '-n')).stderr).not.toContain('Undo');
  });

  test('several keys are undone by one line', async () => {
    const cli = testCli();
    const ids = [(await cli.create('a')).id, (await cli.create('b')).id];
    await cli.create('off');
    await cli.run('disable', 'off');
    const { stderr } = await cli.run('disable', 'a', 'b', 'off');
    expect(stderr).toContain(`Undo: unlockos-keys enable ${ids.join(' ')}\n`);
  });

  test('edit names the fields, before and after, and how to go back', async () => {
    const cli = testCli();
    const { id } = await cli.create('partner', '-d', "it's old", '-l', 'team=a', '-l', 'keep=1');
    const flags = ['--name', 'p-2', '-d', '', '--rate-limit', '5/s', '-l', 'team=b', '-l', 'new=1'];
    const { stderr } = await cli.run('edit', 'partner', ...flags);
    expect(stderr).toContain(
      [
        `Changed p-2 (${id})`,
        '  Name        "partner" → "p-2"',
        '  Description "it\'s old" → none',
        '  Rate limit  600/m → 5/s',
        '  Labels      keep=1,team=a → keep=1,new=1,team=b',
        `Undo: unlockos-keys edit ${id} --name partner '--description=it'\\''s old' --rate-limit 600/m --label team=a --unlabel new`,
      ].join('\n'),
    );
    const undo = ['--name', 'partner', "--description=it's old", '--rate-limit', '600/m', '--label', 'team=a'];
    await cli.run('edit', id, ...undo, '--unlabel', 'new');
    expect(await cli.json('show', id)).toMatchObject({
      name: 'partner',
      description: "it's old",
      labels: { team: 'a', keep: '1' },
    });
    expect((await cli.run('edit', id, '-d', 'x')).stderr).not.toContain('Name');
  });

  test('delete says where the record is', async () => {
    const cli = testCli();
    const { id } = await cli.create('ci', '--test');
    const { stderr } = await cli.run('delete', 'ci', '-y');
    expect(stderr).toContain(`unlockos-keys audit list --key ${id}`);
    expect((await cli.json('audit', 'list', '--key', 'ci')).map((each: { action: string }) => each.action)).toEqual([
      'key.create',
      'key.edit', // its key string was delivered
      'key.delete',
    ]);
  });

  test('create says at a terminal how to use the key, and how to check it', async () => {
    const cli = testCli().atTerminal(false);
    const { stderr } = await cli.run('create', 'ci', '--test', '-s', 'plan:read');
    expect(stderr).toContain('curl -H "Authorization: Bearer $KEY"');
    expect(stderr).toContain('unlockos-keys verify --stdin');
    cli.tty = { stdin: false, stdout: false, stderr: false };
    expect((await cli.run('create', 'ci-2', '--test', '-s', 'plan:read')).stderr).not.toContain('curl');
  });
});

describe('audit list --key', () => {
  test('knows a former name, and says which keys had one', async () => {
    const cli = testCli();
    const { id } = await cli.create('Before');
    await cli.run('edit', id, '--name', 'after');
    const { stdout } = await cli.run('audit', 'list', '--key', 'before', '-o', 'value', '--fields', 'action');
    expect(stdout).toBe('key.create\nkey.edit\nkey.edit\n');
    const ids = [];
    for (const _ of [1, 2]) {
      ids.push((await cli.create('twice', '--test')).id);
      await cli.run('delete', 'twice', '-y');
    }
    const { exitCode, stderr } = await cli.run('audit', 'list', '--key', 'twice');
    expect(exitCode).toBe(3);
    for (const each of ids) expect(stderr).toContain(`${each}  deleted 2026-`);
    expect((await cli.run('audit', 'list', '--key', 'nobody')).exitCode).toBe(3);
  });
});

describe('list', () => {
  test('counts what it shows and what there is', async () => {
    const cli = testCli();
    for (const name of ['a', 'b', 'c']) await cli.create(name, name === 'a' ? '--live' : '--test');
    cli.atTerminal();
    expect((await cli.run('list')).stderr).toContain('\n3 keys (1 live, 2 test)\n');
    expect((await cli.run('list', '--mode', 'live')).stderr).toContain('\n1 of 3 keys (1 live, 0 test)\n');
    expect((await cli.run('list', '--limit', '2')).stderr).toContain('\n2 of 3 keys (');
    expect((await cli.run('list', '--search', 'nothing')).stderr).toBe('No keys match (0 of 3 keys).\n');
  });

  test('of an empty store says which store it is', async () => {
    const cli = testCli();
    await cli.create('a', '--test');
    await cli.run('delete', 'a', '-y');
    for (const flags of [[], ['--mode', 'live']])
      expect((await cli.run('list', ...flags)).stderr).toBe(
        `No keys yet in ${cli.store}. Create one: unlockos-keys create\n`,
      );
  });
});

describe('create --if-exists skip', () => {
  test.each([
    ['--github-env', 'X'],
    ['--github-output', 'X'],
    ['--copy'],
    ['--pipe', '--', 'cat'],
  ])('refuses %s %s, which an existing key would leave unset', async (...sink) => {
    const cli = testCli();
    const file = path.join(cli.dir, 'runner');
    writeFileSync(file, '');
    Object.assign(cli.env, { GITHUB_ACTIONS: 'true', GITHUB_ENV: file, GITHUB_OUTPUT: file });
    await cli.create('ci', '--test');
    const { exitCode, stderr } = await cli.run(
      ...['create', 'ci', '--test', '-s', 'checkin:read', '--if-exists', 'skip', ...sink],
    );
    expect({ exitCode, written: readFileSync(file, 'utf8') }).toEqual({ exitCode: 2, written: '' });
    expect(stderr).toContain('--if-exists skip and');
  });

  test.each([
    [],
    ['-o', 'value'],
  ])('does not end with 0 where a program reads no key string from stdout: %j', async (...flags) => {
    const cli = testCli();
    const words = ['create', 'ci', '--test', '-s', 'plan:read', '--if-exists', 'skip'];
    expect((await cli.run(...words, ...flags)).exitCode).toBe(0);
    expect(await cli.run(...words, ...flags)).toMatchObject({ exitCode: 5, stdout: '' });
    expect((await cli.run(...words, '--json')).exitCode).toBe(0);
    expect((await cli.run(...words, '--key-file', 'k')).exitCode).toBe(0);
  });
});
