import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { dotenv } from '../../src/cli/delivery/dotenv.js';
import { keyFile } from '../../src/cli/delivery/key-file.js';
import type { SinkKind } from '../../src/cli/delivery/sink.js';
import { refusal } from '../support/refusal.js';
import { keyString, MADE, sinkWorld } from '../support/sink-world.js';

// A key file and a dotenv file, each by itself: what is there after a probe, a delivery and an end.

const FILES: [string, SinkKind, string][] = [
  ['a key file', keyFile, 'target'],
  ['a dotenv file', dotenv, 'target'],
];

describe.each(FILES)('%s', (_, kind, target) => {
  test('that was only tried is as it was', async () => {
    const { dir, world: own } = sinkWorld();
    const sink = kind.open(target, own);
    await sink.probe();
    await sink.abandon();
    await sink.abandon();
    expect(readdirSync(dir)).toEqual([]);
  });

  test('is a new one, for its owner alone, and is gone when its key is taken back', async () => {
    const { dir, world: own, at, text } = sinkWorld();
    const sink = kind.open(target, own);
    expect(sink.file).toBe(at(target));
    await sink.probe();
    await sink.deliver(MADE);
    expect(readdirSync(dir)).toEqual([target]);
    expect(text(target)).toContain(keyString);
    expect(statSync(at(target)).mode & 0o777).toBe(0o600);
    await sink.abandon();
    expect(readdirSync(dir)).toEqual([]);
  });

  test('in a folder that cannot be written to is refused, and named as it was typed', () => {
    const { world: own, at } = sinkWorld();
    writeFileSync(at('file'), '');
    for (const place of ['none/target', 'file/target'])
      expect(refusal(() => kind.open(place, own).probe())).toMatchObject({
        code: 'usage',
        message: expect.stringContaining(`"${place}"`),
        hint: 'no key was created; choose another file',
      });
  });
});

test('a key file is never another one, whatever is there', () => {
  const { world: own, at, text } = sinkWorld();
  writeFileSync(at('old'), 'mine');
  symlinkSync('nowhere', at('link'));
  for (const name of ['old', 'link']) {
    const sink = keyFile.open(name, own);
    expect(refusal(() => sink.probe())).toMatchObject({ code: 'conflict' });
    sink.abandon();
  }
  expect([text('old'), lstatSync(at('link')).isSymbolicLink(), existsSync(at('nowhere'))]).toEqual([
    'mine',
    true,
    false,
  ]);
});

test('a sink that was not tried takes no key string', () => {
  const { world: own, dir } = sinkWorld();
  expect(() => keyFile.open('a', own).deliver(MADE)).toThrow('deliver before probe');
  expect(readdirSync(dir)).toEqual([]);
});

describe('a dotenv file that is there', () => {
  test('keeps its other lines, mode and bytes through a probe, a delivery and its end', async () => {
    const { dir, world: own, at } = sinkWorld();
    const before = Buffer.from('A=1\r\nB=\u00ff\nUNLOCKOS_API_KEY=old', 'latin1');
    writeFileSync(at('.env'), before, { mode: 0o640 });
    const sink = dotenv.open('.env', own);
    const whole = () => readFileSync(at('.env'));
    await sink.probe();
    expect(whole().equals(before)).toBe(true);
    await sink.deliver(MADE);
    expect(whole().toString('latin1')).toBe(`A=1\r\nB=\u00ff\nUNLOCKOS_API_KEY=${keyString}\n`);
    await sink.abandon();
    expect(whole().equals(before)).toBe(true);
    expect(statSync(at('.env')).mode & 0o777).toBe(0o640);
    expect(readdirSync(dir)).toEqual(['.env']);
  });

  test('keeps what another program wrote between the probe and the delivery', async () => {
    const { world: own, at, text } = sinkWorld();
    writeFileSync(at('.env'), 'A=1\n');
    const sink = dotenv.open('.env:KEY', own);
    await sink.probe();
    appendFileSync(at('.env'), 'B=2\n');
    await sink.deliver(MADE);
    expect(text('.env')).toBe(`A=1\nB=2\nKEY=${keyString}\n`);
  });

  test('and that is gone by the delivery, or only there by then, is as it was after its end', async () => {
    const { world: own, at, text } = sinkWorld();
    writeFileSync(at('gone'), 'A=1\n');
    const gone = dotenv.open('gone', own);
    await gone.probe();
    rmSync(at('gone'));
    await gone.deliver(MADE);
    await gone.abandon();
    expect(existsSync(at('gone'))).toBe(false);
    const late = dotenv.open('late', own);
    await late.probe();
    writeFileSync(at('late'), 'A=1\n');
    await late.deliver(MADE);
    await late.abandon();
    expect(text('late')).toBe('A=1\n');
  });

  test.each([
    [0o600, []],
    [0o640, ['640']],
    [0o604, ['604']],
    [0o666, ['666']],
  ])('with mode %o is warned of where others can read it', async (mode, said) => {
    const { world: own, at, notes } = sinkWorld();
    writeFileSync(at('.env'), '');
    chmodSync(at('.env'), mode);
    const sink = dotenv.open('.env', own);
    await sink.probe();
    sink.abandon();
    expect(notes).toEqual(
      said.map((text) => `warning: others can read ${at('.env')} (mode ${text}): chmod 600 ${at('.env')}`),
    );
  });

  test.each<[string, (file: string) => void, RegExp]>([
    ['a folder', (file) => mkdirSync(file), /it is a directory/],
    ['a link', (file) => symlinkSync('real', file), /it is a symbolic link/],
    ['a pipe', (file) => execFileSync('mkfifo', [file]), /it is not a regular file/],
    ['one with two names', (file) => linkSync(path.join(path.dirname(file), 'real'), file), /it has another name/],
    ['one that is too large', (file) => writeFileSync(file, 'x'.repeat(1_048_577)), /larger than 1 MiB/],
    ['one that cannot be changed safely', (file) => writeFileSync(file, 'A="x\n'), /has no end/],
  ])('and is %s is refused, and nothing is left behind', (_, make, says) => {
    const { world: own, at, dir, text } = sinkWorld();
    writeFileSync(at('real'), 'A=1\n');
    make(at('.env'));
    const error = refusal(() => dotenv.open('.env', own).probe());
    expect(error).toMatchObject({ code: 'usage', message: expect.stringMatching(says) });
    expect(text('real')).toBe('A=1\n');
    expect(readdirSync(dir).toSorted()).toEqual(['.env', 'real']);
  });

  test('and cannot be changed safely any more by the delivery is left as it is', async () => {
    const { world: own, at, text, dir } = sinkWorld();
    writeFileSync(at('.env'), 'A=1\n');
    const sink = dotenv.open('.env', own);
    await sink.probe();
    appendFileSync(at('.env'), 'B="x\n');
    expect(() => sink.deliver(MADE)).toThrow(/has no end/);
    await sink.abandon();
    expect([text('.env'), readdirSync(dir)]).toEqual(['A=1\nB="x\n', ['.env']]);
  });
});

test.each([
  ['a', 'a', 'UNLOCKOS_API_KEY'],
  ['a:KEY', 'a', 'KEY'],
  ['a:b:KEY_2', 'a:b', 'KEY_2'],
  ['a:not-a-name', 'a:not-a-name', 'UNLOCKOS_API_KEY'],
  ['a:2', 'a:2', 'UNLOCKOS_API_KEY'],
])('--dotenv %s is the file %s and the variable %s', (value, file, name) => {
  const { world: own, at } = sinkWorld();
  expect(dotenv.open(value, own)).toMatchObject({ label: `${at(file)} as ${name}`, file: at(file) });
});
