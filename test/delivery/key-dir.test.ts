import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fileNameOf, keyDir } from '../../src/cli/delivery/key-dir.js';
import type { ExpectedKey } from '../../src/cli/delivery/sink.js';
import { refusal } from '../support/refusal.js';
import { id, keyString, MADE, sinkWorld } from '../support/sink-world.js';

describe('a folder of key files', () => {
  const first: ExpectedKey = { name: 'ci', isFirst: true };
  const later: ExpectedKey = { name: 'ci', isFirst: false };

  test('gets a file for each key, by its name, and by its id too where it replaces another', async () => {
    const { dir, world: own, at } = sinkWorld();
    for (const [expected, file] of [
      [first, 'keys/ci.key'],
      [later, `keys/ci.${id}.key`],
    ] as const) {
      keyDir.check?.('keys', own, [expected]);
      const sink = keyDir.open('keys', own, expected);
      expect(sink.label).toBe(at('keys'));
      await sink.probe();
      expect(existsSync(at(file))).toBe(false);
      await sink.deliver(MADE);
      expect([sink.label, readFileSync(at(file), 'utf8'), statSync(at(file)).mode & 0o777]).toEqual([
        at(file),
        `${keyString}\n`,
        0o600,
      ]);
      await sink.abandon();
      expect([sink.label, readdirSync(at('keys'))]).toEqual([at('keys'), []]);
    }
    expect([readdirSync(dir), statSync(at('keys')).mode & 0o777]).toEqual([['keys'], 0o700]);
  });

  test('from which a file was taken away meanwhile has nothing to take back', async () => {
    const { world: own, at } = sinkWorld();
    mkdirSync(at('keys'));
    const sink = keyDir.open('keys', own, first);
    await sink.deliver(MADE);
    rmSync(at('keys/ci.key'));
    await sink.abandon();
    expect([sink.label, readdirSync(at('keys'))]).toEqual([at('keys'), []]);
  });

  test('is made only where a key is expected', () => {
    const { dir, world: own } = sinkWorld();
    keyDir.check?.('keys', own, []);
    expect(readdirSync(dir)).toEqual([]);
  });

  test('in which a file is there already is refused with each of them, and a later key is not in its way', async () => {
    const { world: own, at, text } = sinkWorld();
    mkdirSync(at('keys'));
    writeFileSync(at('keys/ci.key'), 'mine');
    symlinkSync('nowhere', at('keys/b.key'));
    const all = [first, { name: 'b', isFirst: true }, { name: 'c', isFirst: true }];
    const error = refusal(() => keyDir.check?.('keys', own, all));
    expect(error.code).toBe('conflict');
    expect(error.message).toMatch(/ci\.key exists.*\n.*b\.key exists[^\n]*$/);
    keyDir.check?.('keys', own, [later]);
    const late = keyDir.open('keys', own, first);
    expect(refusal(() => late.probe())).toMatchObject({
      code: 'conflict',
      hint: expect.stringContaining('apply again'),
    });
    expect(refusal(() => late.deliver(MADE))).toMatchObject({ code: 'conflict' });
    await late.abandon();
    expect(text('keys/ci.key')).toBe('mine');
  });

  test.each<[string, (file: string) => void, RegExp]>([
    ['a file', (file) => writeFileSync(file, ''), /is not a directory/],
    ['a link that leads nowhere', (file) => symlinkSync('nowhere', file), /no such file|does not exist/],
  ])('that is %s is refused, and nothing is changed', (_, make, says) => {
    const { world: own, at } = sinkWorld();
    make(at('keys'));
    expect(refusal(() => keyDir.check?.('keys', own, [first]))).toMatchObject({
      code: 'usage',
      message: expect.stringMatching(says),
      hint: expect.stringMatching(/^nothing was changed/),
    });
    expect(refusal(() => keyDir.check?.('none/keys', own, [first]))).toMatchObject({ code: 'usage' });
  });

  test('that is gone by the probe or the delivery is said, and earlier steps stay done', () => {
    const { world: own } = sinkWorld();
    const sink = keyDir.open('keys', own, first);
    for (const work of [() => sink.probe(), () => sink.deliver(MADE)])
      expect(refusal(work)).toMatchObject({
        code: 'usage',
        message: expect.stringMatching(/^cannot write --key-dir "/),
        hint: expect.stringContaining('earlier steps stay done'),
      });
  });

  test.each(['ci', 'a.b-c_D9', 'x'.repeat(120)])('the file of %j is called so', (name) => {
    expect(fileNameOf(name)).toBe(name);
  });

  test('names that would look alike have files of their own, and none leads out of the folder', () => {
    const names = ['a/b', 'a b', 'a_b', 'é', 'è', '🙂', '..', '../x', 'x'.repeat(121), `${'x'.repeat(120)}y`];
    const files = names.map(fileNameOf);
    expect(new Set(files).size).toBe(names.length);
    for (const file of files) expect(file).not.toMatch(/[/\\\0]/);
    expect(fileNameOf('a/b')).toMatch(/^a_b-[0-9a-f]{8}$/);
    expect(fileNameOf('🙂')).toMatch(/^_-[0-9a-f]{8}$/);
    expect(fileNameOf('x'.repeat(121))).toMatch(/^x{120}-[0-9a-f]{8}$/);
  });
});
