import { expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import type { HttpResponse } from '../../src/http/transport.js';
import { readIssuedKey, readProblem, WrongAnswer } from '../../src/issue-client/answers.js';

const NOW = new Date('2026-11-26T10:00:00.000Z');
const HOUR = 3_600_000;
const ASKED = { scopes: ['checkin:read', 'plan:read'], ttl: '1h' };
const { id, keyString } = mintKeyString('test');
const other = mintKeyString('test');

const RIGHT = {
  id,
  name: 'ci acme',
  key: keyString,
  mode: 'test',
  scopes: ['plan:read', 'checkin:read'],
  expiresAt: '2026-11-26T11:00:00.000Z',
};

function response(body: unknown, headers: HttpResponse['headers'] = {}): HttpResponse {
  return { status: 201, headers, text: typeof body === 'string' ? body : JSON.stringify(body), redirect: false };
}

const read = (body: unknown, headers: HttpResponse['headers'] = {}, scopes: readonly string[] = ASKED.scopes) =>
  readIssuedKey(response(body, headers), { scopes, ttl: '1h' }, { now: NOW, longestMs: HOUR });

function wrong(body: unknown, headers: HttpResponse['headers'] = {}, scopes?: readonly string[]): WrongAnswer {
  try {
    read(body, headers, scopes);
  } catch (error) {
    if (error instanceof WrongAnswer) return error;
    throw error;
  }
  throw new Error('taken');
}

test('the key that was asked for is taken, in whatever order its scopes are', () => {
  expect(read(RIGHT)).toEqual({
    id,
    name: 'ci acme',
    keyString,
    scopes: RIGHT.scopes,
    expiresAt: new Date(RIGHT.expiresAt),
  });
  expect(read({ ...RIGHT, more: 'than we know' }).id).toBe(id);
  expect(read(RIGHT, {}, ['checkin:read', 'plan:read', 'checkin:read']).id).toBe(id);
  expect(read({ ...RIGHT, expiresAt: '2026-11-26T11:00:00Z' }).expiresAt.getTime()).toBe(NOW.getTime() + HOUR);
});

const live = mintKeyString('live');

test.each<[string, object]>([
  ['of a live key', { id: live.id, key: live.keyString, mode: 'live' }],
  ['of a live key that is called a test key', { id: live.id, key: live.keyString }],
  ['that is called live', { mode: 'live' }],
  ['without a mode', { mode: undefined }],
])('the key string %s is not taken', (_, more) => {
  expect(wrong({ ...RIGHT, ...more })).toMatchObject({
    message: 'its key is not a test key',
    ids: [expect.any(String)],
  });
});

test.each([undefined, 7, 'x', keyString.slice(0, -1), `${keyString}\n`])('%# is no key string', (key) => {
  expect(wrong({ ...RIGHT, key })).toMatchObject({ message: 'it holds no key string', ids: [id] });
});

test.each<[string, object]>([
  ['no name', { name: undefined }],
  ['a name that is no text', { name: 7 }],
  ['an empty name', { name: '' }],
  ['a name with blanks around', { name: ' ci ' }],
])('%s is not the name of a key', (_, more) => {
  expect(wrong({ ...RIGHT, ...more })).toMatchObject({ message: 'its name is not the name of a key', ids: [id] });
});

test.each([
  ['a day that does not exist', '2026-13-01T00:00:00Z'],
  ['a time of another zone', '2026-11-26T11:00:00+00:00'],
  ['a date alone', '2026-11-26'],
  ['more behind it', '2026-11-26T11:00:00Z\n'],
  ['more before it', 'x2026-11-26T11:00:00Z'],
  ['a number', 1_764_151_200_000],
  ['nothing', undefined],
])('%s is no end', (_, expiresAt) => {
  expect(wrong({ ...RIGHT, expiresAt })).toMatchObject({ message: 'its key does not expire', ids: [id] });
});

test.each<[readonly string[], unknown]>([
  [['a:b'], ['a:b', 'a:b']],
  [['a:b'], []],
  [['a:b'], ['a:c']],
  [['a:b'], { 0: 'a:b', length: 1 }],
  [['a:b', 'a:c'], ['a:b']],
  [
    ['a:b', 'a:b'],
    ['a:b', 'a:c'],
  ],
  [
    ['a:b', 'a:c'],
    ['a:b', 'a:d'],
  ],
])('for %j, %j are other scopes', (asked, scopes) => {
  expect(wrong({ ...RIGHT, scopes }, {}, asked)).toMatchObject({ message: 'its key has other scopes', ids: [id] });
});

test('a key may live as long as was asked for, by the later of the two clocks, and an hour more for their difference', () => {
  const at = (ms: number) => ({ ...RIGHT, expiresAt: new Date(NOW.getTime() + ms).toISOString() });
  expect(read(at(2 * HOUR)).id).toBe(id);
  expect(wrong(at(2 * HOUR + 1))).toMatchObject({ message: 'its key lives longer than was asked for', ids: [id] });
  const later = { date: new Date(NOW.getTime() + 24 * HOUR).toUTCString() };
  expect(read(at(26 * HOUR), later).id).toBe(id);
  expect(wrong(at(26 * HOUR + 1), later).message).toMatch(/lives longer/);
  expect(read(at(2 * HOUR), { date: new Date(0).toUTCString() }).id).toBe(id);
  expect(wrong(at(2 * HOUR + 1), { date: 'today' }).message).toMatch(/lives longer/);
});

test('a wrong answer names each key that it may have made, and nothing that is no id', () => {
  expect(wrong({ ...RIGHT, key: other.keyString })).toMatchObject({
    message: 'its id is not that of its key string',
    ids: [id, other.id],
  });
  expect(wrong({ ...RIGHT, scopes: [] }).ids).toEqual([id]);
  expect(wrong({ ...RIGHT, key: 'x' }).ids).toEqual([id]);
  expect(wrong({ ...RIGHT, id: '../healthz' }).ids).toEqual([id]);
  expect(wrong({ ...RIGHT, id: ['x'], key: null }).ids).toEqual([]);
  for (const none of ['[]', '{', 'null'])
    expect(wrong(none)).toMatchObject({ message: expect.stringMatching(/^it /), ids: [] });
  expect(wrong(`"${keyString}"`).message).not.toContain(keyString);
});

const JSON_TYPE = { 'content-type': 'application/problem+json; charset=utf-8' };

test.each([
  [{ code: 'a', detail: 'b', keyId: id }, JSON_TYPE, { code: 'a', detail: 'b', keyId: id }],
  [{ code: 'a' }, { 'content-type': 'Application/JSON' }, { code: 'a', detail: null, keyId: null }],
  [{ code: '', detail: 7, keyId: 'x' }, JSON_TYPE, { code: null, detail: null, keyId: null }],
  [{ keyId: id.toUpperCase() }, JSON_TYPE, { code: null, detail: null, keyId: null }],
  [{ code: 'a', detail: 'b' }, { 'content-type': 'text/html' }, { code: null, detail: null, keyId: null }],
  [{ code: 'a', detail: 'b' }, {}, { code: null, detail: null, keyId: null }],
  ['[]', JSON_TYPE, { code: null, detail: null, keyId: null }],
  ['{', JSON_TYPE, { code: null, detail: null, keyId: null }],
])('of a refusal its code, detail and key are read, where they are: %#', (body, headers, expected) => {
  expect(readProblem(response(body, headers))).toEqual(expected);
});
