import { chmodSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openSignedHead } from '../../src/index.js';
import { type TestCli, testCli } from '../support/test-cli.js';

/** A store whose log has three rows, and a signing key. */
async function signing(): Promise<{ cli: TestCli; publicKey: string; head: string; file: (name: string) => string }> {
  const cli = testCli();
  await cli.create('one');
  const { stdout, exitCode } = await cli.run('audit', 'keygen', 'audit.key');
  expect(exitCode).toBe(0);
  const head = (await cli.run('audit', 'head')).stdout.trim();
  return { cli, publicKey: stdout.trim(), head, file: (name) => path.join(cli.dir, name) };
}

test('keygen makes a file for its owner alone, and prints the public key, again when it exists', async () => {
  const { cli, publicKey, file } = await signing();
  expect(publicKey).toMatch(/^unlockos-keys\/testhost\+[0-9a-f]{8}\+A[A-Za-z0-9+/]{43}$/);
  expect(statSync(file('audit.key')).mode & 0o777).toBe(0o600);
  const before = readFileSync(file('audit.key'), 'utf8');
  expect(before).toMatch(/^PRIVATE\+KEY\+unlockos-keys\/testhost\+/);
  const again = await cli.run('audit', 'keygen', 'audit.key');
  expect(again).toMatchObject({ exitCode: 0, stdout: `${publicKey}\n` });
  expect(again.stderr).toContain('nothing changed');
  expect((await cli.run('audit', 'keygen', 'audit.key', '--name', 'other')).exitCode).toBe(5);
  expect(readFileSync(file('audit.key'), 'utf8')).toBe(before);
  const named = await cli.json('audit', 'keygen', 'named.key', '--name', 'example.com/keys');
  expect(named).toMatchObject({
    name: 'example.com/keys',
    created: true,
    publicKey: expect.stringMatching(/^example.com\/keys\+/),
  });
});

test('a note of sign holds until the log lacks its row, in the store and in shipped lines', async () => {
  const { cli, publicKey, head, file } = await signing();
  writeFileSync(file('audit.pub'), `${publicKey}\n`);
  const { stdout: note } = await cli.run('audit', 'sign', '--signing-key', 'audit.key');
  expect(openSignedHead(note, publicKey)?.head).toEqual({ seq: 3, hash: head.slice(2) });
  cli.env.UNLOCKOS_KEYS_SIGNING_KEY_FILE = file('audit.key');
  cli.now = new Date('2026-11-25T10:00:00Z');
  expect(await cli.json('audit', 'sign')).toMatchObject({
    head,
    at: '2026-11-25T10:00:00.000Z',
    signer: 'unlockos-keys/testhost',
  });
  expect((await cli.run('audit', 'sign', '--out', 'head.note')).stdout).toBe('');
  await cli.run('disable', 'one');
  const demand = ['--signed-head', 'head.note', '--public-key'];
  for (const key of ['audit.pub', publicKey]) {
    const { exitCode, stderr } = await cli.run('audit', 'verify', ...demand, key);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 0,
      stderr: `It contains ${head}, which unlockos-keys/testhost signed at 2026-11-25T10:00:00.000Z\n`,
    });
  }
  const lines = (await cli.run('audit', '-o', 'jsonl')).stdout;
  writeFileSync(file('a.jsonl'), lines);
  writeFileSync(file('short.jsonl'), lines.split('\n').slice(0, 2).join('\n'));
  const verify = (name: string) => cli.run('audit', 'verify', '--file', name, ...demand, publicKey);
  expect((await verify('a.jsonl')).exitCode).toBe(0);
  expect(await verify('short.jsonl')).toMatchObject({
    exitCode: 7,
    stdout: expect.stringContaining(`they do not contain ${head}`),
  });

  const other = await signing();
  writeFileSync(other.file('head.note'), readFileSync(file('head.note')));
  expect(await other.cli.run('audit', 'verify', ...demand, publicKey)).toMatchObject({
    exitCode: 7,
    stdout: expect.stringContaining(`the log does not contain ${head}`),
  });
  expect(await other.cli.run('audit', 'verify', ...demand, other.publicKey)).toMatchObject({
    exitCode: 7,
    stdout: expect.stringContaining(
      '"head.note" is not signed by unlockos-keys/testhost with this key, or was changed',
    ),
  });
});

test('--out takes the place of an earlier note with its mode, and follows no link', async () => {
  const { cli, file } = await signing();
  const sign = (out: string) => cli.run('audit', 'sign', '--signing-key', 'audit.key', '--out', out);
  writeFileSync(file('head.note'), 'old');
  chmodSync(file('head.note'), 0o644);
  expect((await sign('head.note')).exitCode).toBe(0);
  expect(readFileSync(file('head.note'), 'utf8')).toMatch(/^unlockos-keys\/audit-log\//);
  expect(statSync(file('head.note')).mode & 0o777).toBe(0o644);
  symlinkSync(file('head.note'), file('link'));
  for (const out of ['link', '.', 'none/head.note']) expect((await sign(out)).exitCode).toBe(2);
});

describe('what is refused', () => {
  test.each<[string[], number, string]>([
    [['sign'], 2, 'missing: --signing-key'],
    [['sign', '--signing-key', 'none.key'], 6, 'there is no such file'],
    [['sign', '--signing-key', 'open.key'], 6, 'other users can read it'],
    [['sign', '--signing-key', 'rubbish.key'], 2, 'is not a signing key'],
    [['keygen', 'rubbish.key'], 2, 'is not a signing key'],
    [['keygen', 'none/audit.key'], 2, 'its directory does not exist'],
    [['keygen', 'x.key', '--name', 'a b'], 2, 'cannot be the name of a key'],
    [['verify', '--signed-head', 'rubbish.key'], 2, 'missing: --public-key'],
    [['verify', '--public-key', 'rubbish.key'], 2, 'missing: --signed-head'],
    [['verify', '--signed-head', 'rubbish.key', '--public-key', 'rubbish.key'], 2, 'is not a public key'],
    [['verify', '--signed-head', 'rubbish.key', '--public-key', 'KEY'], 2, 'this is not a signed note'],
    [['verify', '--signed-head', 'none', '--public-key', 'KEY'], 2, 'cannot read the signed head "none"'],
    [['verify', '--signed-head', 'none', '--public-key', 'none.pub'], 2, 'cannot read the public key "none.pub"'],
    [
      ['verify', '--signed-head', 'x', '--public-key', 'KEY', '--anchor', `1:${'a'.repeat(64)}`],
      2,
      'do not go together',
    ],
  ])('audit %j', async (args, exit, says) => {
    const { cli, publicKey, file } = await signing();
    writeFileSync(file('open.key'), readFileSync(file('audit.key')));
    chmodSync(file('open.key'), 0o644);
    writeFileSync(file('rubbish.key'), 'rubbish\n', { mode: 0o600 });
    const { exitCode, stdout, stderr } = await cli.run(
      'audit',
      ...args.map((arg) => (arg === 'KEY' ? publicKey : arg)),
    );
    expect(stderr).toContain(says);
    expect(stdout).toBe('');
    expect(exitCode).toBe(exit);
    expect(stderr).not.toContain('PRIVATE');
  });
});
