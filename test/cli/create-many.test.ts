import { describe, expect, test } from 'vitest';
import { KEY_FIELDS } from '../support/key-fields.js';
import { testCli } from '../support/test-cli.js';

/** A clock that moves on by so many milliseconds with each look at it. */
function ticking(ms: number): () => Date {
  let looks = 0;
  return () => new Date(Date.UTC(2026, 10, 23) + ms * ++looks);
}

describe('create in the machine formats', () => {
  test('-o json is one document with the key string', async () => {
    const document = await testCli().json('create', 'ci', '--test', '-s', 'plan:read');
    expect(Object.keys(document)).toEqual([...KEY_FIELDS, 'keyString', 'scopeChange']);
    expect(document).toMatchObject({
      name: 'ci',
      description: null,
      maskedKey: `unlk_test_${document.id}_…`,
      status: 'active',
      rateLimit: { limit: 600, windowSeconds: 60 },
      expiresAt: null,
      lastUsedAt: null,
      createdAt: '2026-11-23T10:00:00.000Z',
    });
    expect(document.keyString).toMatch(new RegExp(`^unlk_test_${document.id}_[0-9A-Za-z]{38}$`));
  });

  test('-o jsonl is the same document on one line', async () => {
    const { stdout } = await testCli().run('create', 'ci', '--live', '-s', 'plan:read', '-o', 'jsonl');
    expect(stdout.split('\n')).toHaveLength(2);
    expect(Object.keys(JSON.parse(stdout))).toEqual([...KEY_FIELDS, 'keyString', 'scopeChange']);
  });

  test('--fields picks fields of the document', async () => {
    const { stdout } = await testCli().run(
      'create',
      'ci',
      '--live',
      '-s',
      'plan:read',
      '--json',
      '--fields',
      'name, keyString',
    );
    expect(Object.keys(JSON.parse(stdout))).toEqual(['name', 'keyString']);
  });

  test.each(['--key-file', '--env-file'])('the key string is null in JSON when it goes to a %s', async (sink) => {
    const cli = testCli();
    const { stdout, stderr } = await cli.run('create', 'ci', '--live', '-s', 'plan:read', '--json', sink, 'out');
    expect(JSON.parse(stdout).keyString).toBeNull();
    expect(stdout + stderr).not.toMatch(/unlk_live_\w{12}_\w/);
  });

  test('-o value prints the key string as well as filling a declared file', async () => {
    const cli = testCli();
    const { stdout } = await cli.run('create', 'ci', '--live', '-s', 'plan:read', '-o', 'value', '--key-file', 'k');
    cli.stdin = stdout;
    expect((await cli.run('verify', '--stdin')).exitCode).toBe(0);
    expect((await cli.run('verify', '--key-file', 'k')).exitCode).toBe(0);
  });
});

describe('create of several keys', () => {
  test('piped, prints a key string a line in the order of the names', async () => {
    const cli = testCli();
    const { exitCode, stdout } = await cli.run('create', 'a1', '--live', 'b2', 'c3', '-s', 'plan:read');
    expect(exitCode).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    const keys = await cli.json('list', '--sort', 'created');
    expect(lines.map((line) => line.slice(10, 22))).toEqual(keys.map(({ id }: { id: string }) => id));
    expect(keys.map(({ name }: { name: string }) => name)).toEqual(['a1', 'b2', 'c3']);
  });

  test('on a terminal, several live keys are asked about, and each line also names its key', async () => {
    const cli = testCli().atTerminal(false);
    const refused = await cli.run('create', 'a1', 'b2', '--live', '-s', 'plan:read');
    expect(refused).toMatchObject({ exitCode: 6, stdout: '' });
    expect(refused.stderr).toContain('This will create 2 LIVE keys: "a1", "b2"');
    cli.answers = [true];
    const { stdout } = await cli.run('create', 'a1', 'b2', '--live', '-s', 'plan:read');
    expect(stdout).toMatch(/^unlk_live_\w{51} {2}a1\nunlk_live_\w{51} {2}b2\n$/);
  });

  test('reads names from stdin for -, one a line, CRLF and empty lines allowed', async () => {
    const cli = testCli({ stdin: 'b2\r\n\nc3\n' });
    const documents = await cli.json('create', 'a1', '--live', '-', '-s', 'plan:read');
    expect(documents.map(({ name }: { name: string }) => name)).toEqual(['a1', 'b2', 'c3']);
    expect(await cli.names()).toEqual(['a1', 'b2', 'c3']);
  });

  test('a single name from stdin still makes an array', async () => {
    const cli = testCli({ stdin: 'only\n' });
    expect(await cli.json('create', '-', '--live', '-s', 'plan:read')).toHaveLength(1);
  });

  test('nothing on stdin is a missing name', async () => {
    const { exitCode, stderr } = await testCli({ stdin: '\n' }).run('create', '-', '--live', '-s', 'plan:read');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('a name');
  });

  test('more than 1 MiB on stdin is refused', async () => {
    const { exitCode, stderr } = await testCli({ stdin: 'x\n'.repeat(600_000) }).run(
      'create',
      '-',
      '--live',
      '-s',
      'plan:read',
    );
    expect(exitCode).toBe(2);
    expect(stderr).toContain('stdin is too large');
  });

  test.each([
    { why: 'one exists', names: ['a1', 'Taken', 'c3'], exit: 5, says: '"taken" exists' },
    { why: 'one is given twice', names: ['a1', 'A1'], exit: 2, says: 'given twice' },
    { why: 'one is bad', names: ['a1', '~'], exit: 2, says: 'does not begin with a letter' },
  ])('all or none: $why', async ({ names, exit, says }) => {
    const cli = testCli();
    await cli.create('taken');
    const { exitCode, stdout, stderr } = await cli.run('create', ...names, '--live', '-s', 'plan:read');
    expect({ exitCode, stdout }).toEqual({ exitCode: exit, stdout: '' });
    expect(stderr).toContain(says);
    expect(await cli.names()).toEqual(['taken']);
  });

  test.each([
    ['--key-file', 'k'],
    ['--env-file', 'e'],
    ['--github-env', 'NAME'],
    ['--copy'],
  ])('refuses one place for several keys: %s', async (...flags) => {
    const cli = testCli({ env: { GITHUB_ACTIONS: 'true', GITHUB_ENV: 'file' } });
    const { exitCode, stderr } = await cli.run('create', 'a1', 'b2', '-s', 'plan:read', ...flags);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('take one key');
  });

  test('off a terminal, what takes long says every ten seconds how far it is', async () => {
    const cli = testCli({ stdin: Array.from({ length: 30 }, (_, i) => `key-${i}\n`).join('') });
    cli.clock = ticking(2000);
    const { stderr } = await cli.run('create', '-', '--test', '-s', 'plan:read');
    const lines = stderr.match(/^\d+ of 30 keys prepared$/gm) ?? [];
    expect(lines.length).toBeGreaterThan(3);
    expect(lines.length).toBeLessThan(10);
    expect(lines.at(-1)).toBe('30 of 30 keys prepared');
    cli.clock = undefined;
    cli.stdin = Array.from({ length: 30 }, (_, i) => `quick-${i}\n`).join('');
    expect((await cli.run('create', '-', '--test', '-s', 'plan:read')).stderr).not.toContain('of 30');
  });

  test('an interruption while keys are prepared says that none was created, and how to begin again', async () => {
    const cli = testCli({ stdin: Array.from({ length: 12 }, (_, i) => `key-${i}\n`).join('') });
    cli.onStderr = (text) => text.includes('of 12 keys') && cli.signals.emit('SIGINT', 'SIGINT');
    cli.clock = ticking(11_000);
    const { exitCode, stdout, stderr } = await cli.run('create', '-', '--test', '-s', 'plan:read');
    expect({ exitCode, stdout }).toEqual({ exitCode: 130, stdout: '' });
    expect(stderr).toMatch(
      /interrupted by SIGINT when 2 of 12 keys were prepared: none was created, and none handed out/,
    );
    expect(stderr).toContain('to begin again: unlockos-keys create - --test -s plan:read');
    expect(await cli.names()).toEqual([]);
  });

  test('many keys show their progress on a terminal and their strings verify', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `key-${i}`);
    const cli = testCli().atTerminal();
    const { stdout, stderr } = await cli.run('create', ...names, '--test', '-s', 'plan:read');
    expect(stderr).toContain(`\r[${'#'.repeat(30)}] 20/20\n`);
    expect(stderr).toContain('20 TEST keys: "key-0", "key-1", "key-2", "key-3" and 16 more');
    cli.tty.stdin = false;
    for (const line of stdout.trimEnd().split('\n').slice(0, 3)) {
      cli.stdin = line.slice(0, 61);
      expect((await cli.run('verify', '--stdin')).exitCode).toBe(0);
    }
  });
});
