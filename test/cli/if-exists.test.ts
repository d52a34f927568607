import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { testCli } from '../support/test-cli.js';

const AGAIN = ['create', 'ci', '--live', '-s', 'plan:read', '-o', 'value'];

async function verdict(cli: ReturnType<typeof testCli>, keyString: string): Promise<string> {
  cli.stdin = keyString;
  return (await cli.run('verify', '--stdin', '-o', 'value')).stdout.trim();
}

describe('create --if-exists', () => {
  test('rotate: the old key works until the end of the overlap, and the new one is as the flags say', async () => {
    const cli = testCli();
    const old = await cli.create('ci', '--live');
    const { exitCode, stdout, stderr } = await cli.run(
      ...AGAIN,
      '--if-exists',
      'rotate',
      '--overlap',
      '2h',
      '-d',
      'new',
    );
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toContain('works until 2026-11-23T12:00:00.000Z');
    expect([await verdict(cli, old.keyString), await verdict(cli, stdout.trim())]).toEqual(['valid', 'valid']);
    expect(await cli.json('show', 'ci')).toMatchObject({
      scopes: ['plan:read'],
      description: 'new',
      rotatedFrom: old.id,
    });
  });

  test('rotate where no key has the name: creates one', async () => {
    const cli = testCli();
    expect((await cli.run(...AGAIN, '--if-exists', 'rotate')).exitCode).toBe(0);
    expect(await cli.names()).toEqual(['ci']);
  });

  test('rotate that loses a race for a new name says to run it again', async () => {
    const cli = testCli();
    await cli.create('other');
    cli.random = (size) => {
      cli.sql("update api_keys set name = 'ci', name_key = 'ci' where name = 'other'");
      return randomBytes(size);
    };
    const { exitCode, stdout, stderr } = await cli.run(...AGAIN, '--if-exists', 'rotate');
    expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: '' });
    expect(stderr).toContain('error: a key named "ci" exists\n');
    expect(stderr.replace(/\s+/g, ' ')).toContain(
      'hint: it was made meanwhile; to rotate it, run this again: unlockos-keys create ci --live -s plan:read -o value --if-exists rotate',
    );
    expect(await cli.names()).toEqual(['ci']);
  });

  test('rotate refuses a key of the other mode, and several names', async () => {
    const cli = testCli();
    await cli.create('ci', '--test');
    expect((await cli.run(...AGAIN, '--if-exists', 'rotate')).exitCode).toBe(5);
    expect((await cli.run('create', 'a', 'b', ...AGAIN.slice(2), '--if-exists', 'rotate')).exitCode).toBe(2);
    expect(await cli.names()).toEqual(['ci']);
  });

  test('replace: a live key wants --yes, and the hint is the command that was meant', async () => {
    const cli = testCli();
    const old = await cli.create('ci', '--live');
    const refused = await cli.run(...AGAIN, '--if-exists', 'replace');
    expect(refused.exitCode).toBe(6);
    expect(refused.stderr).toContain(`this would delete LIVE key "ci" (${old.id})`);
    expect(refused.stderr).toMatch(/to confirm it: unlockos-keys create ci .*--if-exists replace.* --yes/);
    expect(await verdict(cli, old.keyString)).toBe('valid');
    expect((await cli.run(...AGAIN, '--if-exists', 'replace', '--yes')).exitCode).toBe(0);
    expect(await verdict(cli, old.keyString)).toBe('invalid');
  });
});
