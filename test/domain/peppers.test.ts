import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { isPepperId, newPepper, Peppers } from '../../src/domain/peppers.js';
import {
  assertStoreScheme,
  hashWithPepper,
  isOfScheme,
  provesKeyString,
  readHashKind,
  readHashScheme,
  readStoreScheme,
} from '../../src/domain/secret-hash.js';
import { refusal } from '../support/refusal.js';

const KEY = Buffer.alloc(32, 7).toString('base64url');

function parts(mode: 'live' | 'test' = 'test') {
  const { id, body, secret } = mintKeyString(mode);
  return { mode, id, body, secret };
}

test('a pepper has its known answer, so that every version reads what another wrote', () => {
  const peppers = Peppers.parse(`0123abcd ${KEY}\n`, 'here');
  expect(hashWithPepper('unlk_test_0123456789ab_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef', '0123abcd', peppers)).toBe(
    '$hmac-sha256$v=1,k=0123abcd$iVdaHav4bdbYlv35e__km_3KxTrElA5j6HHMxiWHua8',
  );
});

test('a new pepper reads back, and each is another', () => {
  const made = Array.from({ length: 50 }, () => newPepper());
  const peppers = Peppers.parse(made.map(({ line }) => line).join(''), 'here');
  expect(peppers.ids).toEqual(made.map(({ id }) => id));
  expect(made.every(({ id }) => isPepperId(id))).toBe(true);
  expect(new Set(made.map(({ line }) => line.slice(9))).size).toBe(50);
});

test('a hash proves its own key string with its own pepper, and nothing else', async () => {
  const [older, newer] = [newPepper(), newPepper()];
  const both = Peppers.parse(older.line + newer.line, 'here');
  const [mine, other] = [parts(), parts()];
  const stored = hashWithPepper(mine.body, older.id, both);
  expect(await provesKeyString(mine, stored, both)).toBe(true);
  expect(await provesKeyString(other, stored, both)).toBe(false); // a row with somebody else's hash
  expect(await provesKeyString({ ...mine, body: mine.body.replace('test', 'live') }, stored, both)).toBe(false);
  const relabelled = stored.replace(older.id, newer.id);
  expect(await provesKeyString(mine, relabelled, both)).toBe(false);
  await expect(provesKeyString(mine, stored, Peppers.parse(newer.line, 'here'))).rejects.toMatchObject({
    code: 'pepper_missing',
  });
});

test('schemes, kinds and hashes are told apart', () => {
  const { id, line } = newPepper();
  const stored = hashWithPepper(parts().body, id, Peppers.parse(line, 'here'));
  expect(readHashScheme(stored)).toMatchObject({ scheme: 'hmac-sha256', pepper: id });
  expect(readHashKind(stored.slice(0, 28))).toBe(`hmac-sha256:${id}`);
  expect(readHashKind('$2b$10$')).toBe('bcrypt');
  expect(readHashKind('$argon2')).toBe('unsupported');
  expect(isOfScheme(stored, `hmac-sha256:${id}`)).toBe(true);
  expect(isOfScheme(stored, `hmac-sha256:${newPepper().id}`)).toBe(false);
  expect(isOfScheme(stored, 'bcrypt')).toBe(false);
  expect(isOfScheme(`$2b$10$${'a'.repeat(53)}`, 'bcrypt')).toBe(true);
  expect(readStoreScheme(`hmac-sha256:${id}`)).toBe(`hmac-sha256:${id}`);
  for (const none of ['', 'BCRYPT', 'hmac-sha256', 'hmac-sha256:', 'hmac-sha256:short', `hmac-sha256:${id}x`, 'sha256'])
    expect(readStoreScheme(none)).toBeNull();
});

describe('hashes that fail closed', () => {
  const peppers = Peppers.parse(`0123abcd ${KEY}\n`, 'here');
  const good = hashWithPepper(parts().body, '0123abcd', peppers);
  test.each([
    ['a cut digest', good.slice(0, -1)],
    ['a longer one', `${good}A`],
    ['another version', good.replace('v=1', 'v=2')],
    ['another function', good.replace('sha256', 'sha512')],
    ['no pepper', good.replace('k=0123abcd', 'k=')],
    ['a line end', `${good.slice(0, -1)}\n`],
  ])('%s', async (_, stored) => {
    expect(readHashScheme(stored).scheme).toBe('unsupported');
    expect(await provesKeyString(parts(), stored, peppers)).toBe(false);
  });
});

describe('a file of peppers', () => {
  test('has comments, blank lines and line ends of any kind; the newest stands last', () => {
    const [a, b] = [newPepper(), newPepper()];
    expect(Peppers.parse(`# ours\r\n\r\n  ${a.line.trim()}\r\n#old\n${b.line}`, 'f').ids).toEqual([a.id, b.id]);
    expect(Peppers.parse(`0123abcd \t  ${KEY}`, 'f').ids).toEqual(['0123abcd']);
    expect(Peppers.parse('', 'f').ids).toEqual([]);
  });

  test.each([
    ['no id', KEY],
    ['a short key', `0123abcd ${KEY.slice(1)}`],
    ['a long key', `0123abcd ${KEY}A`],
    ['an id of other letters', `0123ABCD ${KEY}`],
    ['an id with an i', `0123abci ${KEY}`],
    ['bits that do not fit', `0123abcd ${KEY.slice(0, -1)}_`],
    ['something after it', `0123abcd ${KEY} x`],
    ['an id twice', `0123abcd ${KEY}\n0123abcd ${KEY}`],
    ['a megabyte', 'x'.repeat(1_000_000)],
    ['something before it', `x0123abcd ${KEY}`],
  ])('is refused with %s, and nothing of it is repeated', (_, text) => {
    let message = '';
    try {
      Peppers.parse(text, 'the file');
    } catch (error) {
      message = inspect(error);
    }
    expect(message).toMatch(/line \d+ of the file/);
    expect(message).not.toContain(KEY.slice(1, 20));
  });

  test('is never printed by what prints objects', () => {
    const peppers = Peppers.parse(`0123abcd ${KEY}`, 'f');
    expect(inspect({ peppers }, { depth: 9, showHidden: true }) + JSON.stringify({ peppers })).not.toContain('Bwc');
    expect(JSON.stringify(peppers)).toBe('["0123abcd"]');
    const two = Peppers.parse(`0123abcd ${KEY}\n0123abce ${KEY}`, 'f');
    expect(inspect(two)).toBe('Peppers(0123abcd, 0123abce)');
  });
});

test('a file with more than a hundred peppers is none', () => {
  const lines = Array.from({ length: 101 }, () => newPepper().line);
  expect(Peppers.parse(lines.slice(1).join(''), 'f').ids).toHaveLength(100);
  expect(refusal(() => Peppers.parse(lines.join(''), 'f'))).toMatchObject({ code: 'usage' });
});

test('a line that is wrong is named by its number, and with what is wrong', () => {
  const line = `0123abcd ${KEY}`;
  expect(refusal(() => Peppers.parse(`# mine\n\nx`, 'f')).message).toBe('line 3 of f is not a pepper');
  expect(refusal(() => Peppers.parse(`${line}\n${line}`, 'f')).message).toBe('line 2 of f repeats the id 0123abcd');
});

describe('a scheme is usable', () => {
  const peppers = Peppers.parse(`0123abcd ${KEY}`, 'f');

  test('without a pepper that it does not need, and with the one that it needs', () => {
    expect(peppers.has('0123abcd')).toBe(true);
    expect(peppers.has('0123abce')).toBe(false);
    for (const scheme of ['bcrypt', 'hmac-sha256:0123abcd']) expect(() => peppers.assertFor(scheme)).not.toThrow();
    expect(() => Peppers.none.assertFor('bcrypt')).not.toThrow();
  });

  test.each(['hmac-sha256:0123abce', 'hmac-sha256:'])('but %s is not', (scheme) => {
    expect(refusal(() => peppers.assertFor(scheme))).toMatchObject({
      code: 'pepper_missing',
      message: expect.stringContaining(JSON.stringify(scheme.split(':')[1])),
      hint: expect.stringContaining('UNLOCKOS_KEYS_PEPPER_FILE'),
    });
  });
});

test('a digest is that of its pepper and body, whole', () => {
  const peppers = Peppers.parse(`0123abcd ${KEY}`, 'f');
  const digest = peppers.digest('0123abcd', 'body');
  expect(peppers.matches('0123abcd', 'body', digest)).toBe(true);
  expect(peppers.matches('0123abcd', 'bodx', digest)).toBe(false);
  for (const other of [digest.subarray(1), new Uint8Array(0), Buffer.concat([digest, Buffer.of(0)])])
    expect(peppers.matches('0123abcd', 'body', other)).toBe(false);
});

test('a scheme that a store cannot have is refused', () => {
  for (const scheme of ['bcrypt', 'hmac-sha256:0123abcd']) expect(() => assertStoreScheme(scheme)).not.toThrow();
  for (const [scheme, shown] of [
    ['argon2', '"argon2"'],
    ['hmac-sha256:x', '"hmac-sha256:x"'],
    [5, 'a value that is not a string'],
    [undefined, 'a value that is not a string'],
  ])
    expect(refusal(() => assertStoreScheme(scheme))).toMatchObject({
      code: 'usage',
      message: `${shown} is not a hash scheme`,
    });
});

test.each([
  ['$2a$04$', 'bcrypt'],
  ['$2y$99$', 'bcrypt'],
  ['$2b$4$', 'unsupported'],
  ['x$2b$10$', 'unsupported'],
  ['$2x$10$', 'unsupported'],
  ['$hmac-sha256$v=1,k=0123abci$', 'unsupported'],
  ['$hmac-sha256$v=1,k=0123abcd', 'unsupported'],
  ['$hmac-sha256$v=1,k=0123abcd$x', 'unsupported'],
  ['x$hmac-sha256$v=1,k=0123abcd$', 'unsupported'],
  ['', 'unsupported'],
])('hashes that begin with %j are of kind %s', (kind, scheme) => {
  expect(readHashKind(kind)).toBe(scheme);
});
