import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { testCli } from '../support/test-cli.js';

const MANIFEST = 'version: 1\nname: m\nkeys:\n  - { name: café, mode: test, scopes: [plan:read] }\n';

const utf16be = (text: string) => Buffer.from(text, 'utf16le').swap16();

/** Each way to write a text that is not UTF-8, and what is said of it. */
const OTHERS: [string, (text: string) => Buffer, string][] = [
  ['Latin-1', (text) => Buffer.from(text, 'latin1'), 'it is not UTF-8 text'],
  ['UTF-16, little endian', (text) => Buffer.from(`\ufeff${text}`, 'utf16le'), 'it is UTF-16 text'],
  ['UTF-16, big endian', (text) => utf16be(`\ufeff${text}`), 'it is UTF-16 text'],
  ['UTF-16 without a mark', (text) => Buffer.from(text, 'utf16le'), 'it is UTF-16 text'],
  ['UTF-16, big endian, without a mark', utf16be, 'it is UTF-16 text'],
  [
    'half a character at the end',
    (text) => Buffer.concat([Buffer.from(text), Buffer.of(0xc3)]),
    'it is not UTF-8 text',
  ],
  [
    'half a surrogate pair',
    (text) => Buffer.concat([Buffer.from(text), Buffer.of(0xed, 0xa0, 0x80)]),
    'it is not UTF-8',
  ],
];

/** Each command that reads a text, what it reads, and from where: `FILE` stands for a file with that text. */
const READERS: [string[], string][] = [
  [['apply', '-f', '-', '--dry-run'], MANIFEST],
  [['apply', '-f', 'FILE', '--dry-run'], MANIFEST],
  [['diff', '-f', '-'], MANIFEST],
  [['diff', '-f', 'FILE'], MANIFEST],
  [['create', '-', '--test-mode', '-s', 'plan:read', '-o', 'value'], 'café\n'],
  [['verify', '--stdin'], 'unlk_é\n'],
  [['verify', '--key-file', 'FILE'], 'unlk_é\n'],
  [['identify', '--stdin'], 'unlk_é\n'],
  [['delete', '-', '--yes'], 'café\n'],
  [['profile', 'list'], 'profiles:\n  a: { store: café.db }\n'],
];

describe.each(OTHERS)('%s is refused by name, and nothing is made of it', (_, encode, said) => {
  test.each(READERS)('%j', async (words, text) => {
    const cli = testCli();
    await cli.create('ci');
    const file = path.join(cli.dir, 'config.yaml');
    writeFileSync(file, encode(text), { mode: 0o600 });
    cli.stdin = encode(text);
    cli.env = { ...cli.env, ...(words[0] === 'profile' && { UNLOCKOS_KEYS_CONFIG_DIR: cli.dir }) };
    const { exitCode, stdout, stderr } = await cli.run(...words.map((word) => (word === 'FILE' ? file : word)));
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(said);
    expect(stderr).toMatch(/UTF-8\n$/);
    cli.env = { UNLOCKOS_KEYS_STORE: cli.store };
    expect(await cli.json('list', '--fields', 'name')).toEqual([{ name: 'ci' }]);
  });
});

test.each(READERS.slice(0, 5))('a byte-order mark is read over: %j', async (words, text) => {
  const cli = testCli();
  await cli.create('ci');
  const file = path.join(cli.dir, 'file');
  writeFileSync(file, `\ufeff${text}`, { mode: 0o600 });
  cli.stdin = `\ufeff${text}`;
  const { exitCode, stdout, stderr } = await cli.run(...words.map((word) => (word === 'FILE' ? file : word)));
  expect(exitCode, stderr).toBe(0);
  expect(stdout + stderr).not.toContain('\ufeff');
});

test('a line of another encoding does not keep a leaked key alive', async () => {
  const cli = testCli();
  const { keyString } = await cli.create('leaked');
  cli.stdin = Buffer.from(`café\n${keyString}\n`, 'latin1');
  expect((await cli.run('disable', '--stdin')).exitCode).toBe(9);
  expect(await cli.json('show', 'leaked')).toMatchObject({ status: 'inactive' });
});

test('what an argument lost on its way is not stored', async () => {
  const cli = testCli();
  for (const words of [
    ['create', 'caf\ufffd'],
    ['create', 'ok', '--description', 'caf\ufffd'],
  ])
    expect(await cli.run(...words, '--test-mode', '-s', 'plan:read', '-o', 'value')).toMatchObject({
      exitCode: 2,
      stdout: '',
      stderr: expect.stringContaining('not UTF-8'),
    });
});
