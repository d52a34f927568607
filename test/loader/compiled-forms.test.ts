import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import vm from 'node:vm';
import { beforeEach, expect, test } from 'vitest';
import { CompiledForms, identityOf } from '../../src/loader/compiled-forms.js';

let home: string;
let bundle: string;
let file: string;
beforeEach(() => {
  home = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'unlockos-keys-forms-')));
  bundle = path.join(home, 'bundle');
  mkdirSync(bundle);
  file = path.join(bundle, 'a.cjs');
  writeFileSync(file, '(function () { return 1; })');
});

const cache = () => path.join(home, '.cache/unlockos-keys');
const open = (env: Record<string, string> = {}, build = 'b') =>
  CompiledForms.open(bundle, 'list', build, { HOME: home, ...env });
const nameOf = (name = 'a.cjs') => [name, identityOf(statSync(file))] as const;

function compiled(text = readFileSync(file, 'utf8')): vm.Script {
  const script = new vm.Script(text);
  script.runInThisContext()();
  return script;
}

/** Keeps the form of `a.cjs` and answers where. */
function kept(): string {
  open()?.keep(new Map([[nameOf().join(' '), compiled()]]));
  return path.join(cache(), readdirSync(cache())[0] as string);
}

test('what one run kept, the next one reads, and V8 takes it', () => {
  expect(open()?.of(...nameOf())).toBeUndefined();
  const where = kept();
  expect([statSync(where).mode & 0o777, statSync(cache()).mode & 0o777]).toEqual([0o600, 0o700]);
  const cachedData = open()?.of(...nameOf());
  expect(new vm.Script(readFileSync(file, 'utf8'), { cachedData }).cachedDataRejected).toBe(false);
});

test('a run that loads more adds to it, and one that loads nothing new writes nothing', () => {
  const where = kept();
  const before = statSync(where).ino;
  open()?.keep(new Map([[nameOf().join(' '), compiled()]]));
  expect(statSync(where).ino).toBe(before);
  open()?.keep(new Map([[nameOf('b.cjs').join(' '), compiled()]]));
  expect(open()?.of(...nameOf())).toBeDefined();
  expect(open()?.of(...nameOf('b.cjs'))).toBeDefined();
});

test('a file that was written anew, even to the same text and time, has none', () => {
  kept();
  const { atime, mtime } = statSync(file);
  writeFileSync(`${file}.next`, readFileSync(file));
  utimesSync(`${file}.next`, atime, mtime);
  renameSync(`${file}.next`, file);
  expect(open()?.of(...nameOf())).toBeUndefined();
});

test('another build has none', () => {
  kept();
  expect(open({}, 'other')?.of(...nameOf())).toBeUndefined();
});

test('a changed byte anywhere, one that is missing and one too many spoil all of it, and the next run mends that', () => {
  const where = kept();
  const whole = readFileSync(where);
  const spoiled = [
    whole.subarray(0, -1),
    Buffer.concat([whole, Buffer.from('x')]),
    Buffer.alloc(whole.length),
    Buffer.alloc(0),
  ];
  for (let at = 0; at < whole.length; at += 97) {
    const copy = Buffer.from(whole);
    copy[at] = (copy[at] as number) ^ 1;
    spoiled.push(copy);
  }
  for (const bytes of spoiled) {
    writeFileSync(where, bytes);
    expect(open()?.of(...nameOf())).toBeUndefined();
  }
  kept();
  expect(open()?.of(...nameOf())).toBeDefined();
});

test('a changed byte spoils the form of one file alone, and the next run mends that', () => {
  const where = kept();
  const loaded = new Map(['a.cjs', 'b.cjs'].map((name) => [nameOf(name).join(' '), compiled()]));
  open()?.keep(loaded);
  const bytes = readFileSync(where);
  bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1; // of the second file
  writeFileSync(where, bytes);
  const damaged = open();
  expect([damaged?.of(...nameOf('a.cjs')), damaged?.of(...nameOf('b.cjs'))]).toEqual([expect.any(Buffer), undefined]);
  damaged?.keep(loaded);
  expect(open()?.of(...nameOf('b.cjs'))).toBeDefined();
});

test('lengths that are none, in a header whose sum is right, spoil it without an error', () => {
  const where = kept();
  open()?.keep(new Map(['a.cjs', 'b.cjs'].map((name) => [nameOf(name).join(' '), compiled()])));
  const bytes = readFileSync(where);
  const end = bytes.indexOf(10);
  const { identity, files } = JSON.parse(bytes.toString('latin1', 0, end));
  for (const wrong of [-5, 0.5, '1', null, 2 ** 60]) {
    const [[name, is, first], [other, itself, second]] = files;
    const changed = [
      [name, is, wrong],
      [other, itself, first + second - Number(wrong)],
    ];
    const header = Buffer.from(`${JSON.stringify({ identity, files: changed })}\n`);
    writeFileSync(where, Buffer.concat([header, bytes.subarray(end + 1)]));
    const forms = open();
    expect([forms?.of(...nameOf('a.cjs')), forms?.of(...nameOf('b.cjs'))], `${wrong}`).toEqual([undefined, undefined]);
  }
});

test.each<[string, (where: string) => void]>([
  ['others may write to it', (where) => chmodSync(where, 0o620)],
  ['it has a second name', (where) => linkSync(where, path.join(home, 'second'))],
  [
    'it is a link',
    (where) => {
      renameSync(where, path.join(home, 'moved'));
      symlinkSync(path.join(home, 'moved'), where);
    },
  ],
  ['others may look into the folder', () => chmodSync(cache(), 0o750)],
  ['others may write to a folder above', () => chmodSync(path.dirname(cache()), 0o770)],
  [
    'the folder is a link',
    () => {
      renameSync(cache(), path.join(home, 'moved'));
      symlinkSync(path.join(home, 'moved'), cache());
    },
  ],
])('it is not read when %s', (_, spoil) => {
  spoil(kept());
  expect(open()?.of(...nameOf())).toBeUndefined();
});

test('nothing is written where others could write', () => {
  mkdirSync(path.join(home, '.cache'));
  chmodSync(path.join(home, '.cache'), 0o777);
  expect(open()).toBeNull();
});

test.each([
  { NODE_DISABLE_COMPILE_CACHE: '1' },
  { NODE_V8_COVERAGE: '/x' },
  { CI: 'true' },
  { HOME: '' },
  { HOME: 'relative' },
])('nothing is kept with %j', (env) => {
  expect(open(env)).toBeNull();
});

test('XDG_CACHE_HOME says where, if it is absolute', () => {
  open({ XDG_CACHE_HOME: path.join(home, 'x') })?.keep(new Map([[nameOf().join(' '), compiled()]]));
  expect(readdirSync(path.join(home, 'x'))).toEqual(['unlockos-keys']);
  open({ XDG_CACHE_HOME: 'relative' })?.keep(new Map([[nameOf().join(' '), compiled()]]));
  expect(readdirSync(cache())).toHaveLength(1);
});

test('what was not written for long is removed by the next that writes', () => {
  const old = kept();
  utimesSync(old, 0, 0);
  open({}, 'other')?.keep(new Map([[nameOf().join(' '), compiled()]]));
  expect(readdirSync(cache())).toHaveLength(1);
  expect(readdirSync(cache())).not.toContain(path.basename(old));
});

test('beside the bundle, what the build made is read and never written', () => {
  const where = kept();
  mkdirSync(path.join(bundle, 'compiled'));
  renameSync(where, path.join(bundle, 'compiled', path.basename(where)));
  const forms = open({ CI: 'true' });
  expect(forms?.of(...nameOf())).toBeDefined();
  forms?.keep(new Map([[nameOf('b.cjs').join(' '), compiled()]]));
  expect(readdirSync(cache())).toEqual([]);
  expect(readdirSync(path.join(bundle, 'compiled'))).toHaveLength(1);
});
