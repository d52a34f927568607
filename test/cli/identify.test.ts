import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { given, UNKNOWN_BAD } from '../support/key-on-stdin.js';

describe('identify', () => {
  test('with the store, says whose id it is, and proves nothing', async () => {
    const cli = await given();
    const { exitCode, stdout } = await cli.run('identify', '--stdin');
    expect(exitCode).toBe(0);
    expect(stdout).toBe(`unlk_live_${cli.id}_…: a live key string, checksum good\nit carries the id of "partner"\n`);
    expect(await cli.json('identify', '--stdin')).toMatchObject({
      recognised: true,
      mode: 'live',
      id: cli.id,
      checksum: 'good',
      key: { name: 'partner' },
    });
  });

  test('offline, with no store ever made, reads the key string and makes none', async () => {
    const cli = await given();
    cli.env = {}; // the default store, in the home directory
    const files = () => readdirSync(cli.dir, { recursive: true }).sort();
    const before = files();
    const { exitCode, stdout } = await cli.run('identify', '--stdin');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('no key with this id is known here');
    expect(files()).toEqual(before);
  });

  test('a store that cannot be opened leaves the offline answer', async () => {
    const cli = await given();
    const { exitCode, stdout, stderr } = await cli.run('identify', '--stdin', '--store', 'none.db');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('checksum good');
    expect(stderr).toContain('Not looked up:');
  });

  test.each([
    ['a bad checksum', UNKNOWN_BAD, 'checksum BAD', { recognised: true, checksum: 'bad', key: null }],
    ['no key string', 'hello', 'not a key string of this API', { recognised: false, mode: null, id: null, key: null }],
    ['nothing', '', 'not a key string of this API', { recognised: false }],
  ])('answers 7 for %s', async (_what, text, says, json) => {
    const cli = await given();
    cli.stdin = text;
    const { exitCode, stdout } = await cli.run('identify', '--stdin');
    expect(exitCode).toBe(7);
    expect(stdout).toContain(says);
    expect(JSON.parse((await cli.run('identify', '--stdin', '--json')).stdout)).toMatchObject(json);
  });

  test('never prints a character of the secret', async () => {
    const cli = await given();
    for (const format of ['table', 'json', 'jsonl', 'csv', 'tsv', 'value']) {
      const { stdout, stderr } = await cli.run('identify', '--stdin', '-o', format, '--debug');
      expect(stdout + stderr).not.toContain(cli.keyString.slice(23, 31));
    }
  });
});
