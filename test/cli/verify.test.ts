import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { given, UNKNOWN_BAD } from '../support/key-on-stdin.js';

describe('verify', () => {
  test.each([
    { verdict: 'valid', flags: [], exit: 0, says: 'valid: "partner"' },
    { verdict: 'valid', flags: ['--environment', 'live'], exit: 0, says: 'may checkin:read' },
    { verdict: 'valid', flags: ['--require-scope', 'checkin:read'], exit: 0, says: 'valid' },
    {
      verdict: 'wrong_environment',
      flags: ['--environment', 'test'],
      exit: 7,
      says: 'is a live key, but this is a test environment',
    },
    {
      verdict: 'missing_scope',
      flags: ['--require-scope', 'checkin:read,plan:read'],
      exit: 7,
      says: 'does not have plan:read',
    },
    {
      verdict: 'missing_scope',
      flags: ['--require-scope', 'checkin:create', '--require-scope', 'a:b'],
      exit: 7,
      says: 'checkin:create, a:b',
    },
  ])('with $flags answers $verdict, exit $exit', async ({ verdict, flags, exit, says }) => {
    const cli = await given();
    const text = await cli.run('verify', '--stdin', ...flags);
    expect(text.exitCode).toBe(exit);
    expect(text.stdout).toContain(says);
    const json = await cli.run('verify', '--stdin', ...flags, '--json');
    expect(json.exitCode).toBe(exit);
    expect(JSON.parse(json.stdout)).toMatchObject({ verdict, keyId: cli.id, name: 'partner', mode: 'live' });
  });

  test('answers inactive and expired', async () => {
    const cli = await given('--expires', '1d');
    cli.now = new Date('2026-11-24T10:00:00Z'); // the instant of expiry is too late
    expect((await cli.run('verify', '--stdin')).stdout).toContain('expired: "partner"');
    await cli.run('disable', 'partner');
    const { exitCode, stdout } = await cli.run('verify', '--stdin');
    expect(exitCode).toBe(7);
    expect(stdout).toContain('inactive: "partner"');
  });

  test('JSON has every field, null where it does not apply', async () => {
    const cli = await given();
    expect(await cli.json('verify', '--stdin')).toEqual({
      verdict: 'valid',
      keyId: cli.id,
      name: 'partner',
      mode: 'live',
      scopes: ['checkin:read'],
      environment: null,
      missingScopes: null,
      allowFrom: [],
      address: null,
      expiresAt: null,
    });
    cli.stdin = UNKNOWN_BAD;
    const { exitCode, stdout } = await cli.run('verify', '--stdin', '--json');
    expect(exitCode).toBe(7);
    expect(new Set(Object.values(JSON.parse(stdout)))).toEqual(new Set(['invalid', null]));
  });

  test.each([
    ['one newline', (key: string) => `${key}\n`, 0],
    ['a CRLF', (key: string) => `${key}\r\n`, 0],
    ['no newline', (key: string) => key, 0],
    ['two newlines', (key: string) => `${key}\n\n`, 7],
    ['a leading space', (key: string) => ` ${key}`, 7],
    ['a trailing space', (key: string) => `${key} \n`, 7],
    ['another case', (key: string) => key.toUpperCase(), 7],
    ['the other mode', (key: string) => key.replace('_live_', '_test_'), 7],
    ['nothing', () => '', 7],
  ])('on stdin, a key string with %s exits as it should', async (_what, make, exit) => {
    const cli = await given();
    cli.stdin = make(cli.keyString);
    expect((await cli.run('verify', '--stdin')).exitCode).toBe(exit);
    writeFileSync(path.join(cli.dir, 'k'), make(cli.keyString));
    expect((await cli.run('verify', '--key-file', 'k')).exitCode).toBe(exit);
  });

  test.each([
    { flags: [], exit: 2, says: 'no key string' },
    { flags: ['--stdin', '--key-file', 'k'], exit: 2, says: 'do not go together' },
    { flags: ['--key-file', 'none'], exit: 2, says: 'there is no such file' },
    { flags: ['--key-file', 'big'], exit: 2, says: 'it is larger than 64 KiB' },
    { flags: ['--stdin', '--environment', 'prod'], exit: 2, says: 'one of: live, test' },
    { flags: ['--stdin', '--require-scope', 'plan:*'], exit: 2, says: 'is not a scope' },
    { flags: ['--stdin', '--store', 'none.db'], exit: 8, says: 'none.db' },
    { flags: ['--stdin', 'argument'], exit: 2, says: 'too many arguments' },
  ])('refuses $flags with exit $exit', async ({ flags, exit, says }) => {
    const cli = await given();
    writeFileSync(path.join(cli.dir, 'big'), 'x'.repeat(65_537));
    const { exitCode, stdout, stderr } = await cli.run('verify', ...flags);
    expect({ exitCode, stdout }).toEqual({ exitCode: exit, stdout: '' });
    expect(stderr).toContain(says);
  });

  test('on a terminal asks for the key string and shows none of it', async () => {
    const cli = await given();
    const { exitCode, stdout, stderr } = await cli.atTerminal(cli.keyString).run('verify');
    expect(exitCode).toBe(0);
    expect(cli.asked.map(({ kind }) => kind)).toEqual(['secret']);
    expect(stdout + stderr).not.toContain(cli.keyString.slice(23));
  });

  test('does not count as use', async () => {
    const cli = await given();
    await cli.run('verify', '--stdin');
    expect((await cli.json('show', 'partner')).lastUsedAt).toBeNull();
  });

  test('keeps its exit code when nobody reads the answer', async () => {
    const cli = await given();
    cli.stdin = UNKNOWN_BAD;
    cli.broken = { stdout: 'EPIPE' };
    expect((await cli.run('verify', '--stdin')).exitCode).toBe(7);
  });
});

test('verify --address says where the key works from, and asks for an address where the key needs one', async () => {
  const cli = await given('--allow-from', '10.0.0.0/8');
  expect((await cli.run('verify', '--stdin', '--address', '::ffff:10.1.1.1')).stdout).toContain('valid: "partner"');
  const wrong = await cli.run('verify', '--stdin', '--address', '192.0.2.7');
  expect(wrong.exitCode).toBe(7);
  expect(wrong.stdout).toContain('works from 10.0.0.0/8 only, not from 192.0.2.7');
  expect((await cli.run('verify', '--stdin')).stdout).toContain('--address');
  const { stdout } = await cli.run('verify', '--stdin', '--address', '192.0.2.7', '--json');
  expect(JSON.parse(stdout)).toMatchObject({
    verdict: 'wrong_address',
    allowFrom: ['10.0.0.0/8'],
    address: '192.0.2.7',
  });
  expect((await cli.run('verify', '--stdin', '--address', '10.1')).exitCode).toBe(2);
});
