import { describe, expect, test } from 'vitest';
import { checksum, mintKeyString } from '../../src/domain/key-parts.js';
import type { NewKey } from '../../src/domain/key-store.js';
import { guardTag, hashSecret } from '../../src/domain/secret-hash.js';
import { Verifier } from '../../src/verifier/verifier.js';
import { another, freshKeyring, make } from '../support/keyrings.js';
import { refusal, usage } from '../support/refusal.js';
import { change, ENGINES, newKey, rawDatabase, START, storeOf } from '../support/stores.js';

describe.each(ENGINES)('verify, on %s', (engine) => {
  test('every change of one character, and every look-alike, is invalid', async () => {
    const keyring = await freshKeyring(engine);
    const [a, b] = [await make(keyring, 'a'), await make(keyring, 'b', { mode: 'live' })];
    const changed = Array.from(
      a.keyString,
      (char, i) => a.keyString.slice(0, i) + (char === 'a' ? 'b' : 'a') + a.keyString.slice(i + 1),
    );
    const resigned = (body: string) => body + checksum(body);
    const forged = [
      resigned(a.keyString.slice(0, 55).replace('_test_', '_live_')),
      resigned(a.keyString.slice(0, 23) + b.keyString.slice(23, 55)),
      resigned(mintKeyString('test').body),
      resigned(a.keyString.slice(0, 54) + (a.keyString[54] === 'x' ? 'y' : 'x')),
      `${a.keyString}\n`,
      ` ${a.keyString}`,
    ];
    for (const text of [...changed, ...forged])
      expect((await keyring.verify(text)).verdict, text.slice(0, 22)).toBe('invalid');
  });

  test.each([
    '$2b$31$'.padEnd(60, 'a'),
    '$2y$99$'.padEnd(60, 'a'),
    '',
    '$2b$10$'.padEnd(1_000_000, 'a'),
    '$hmac-sha256$v=1,k=x$abc',
  ])('a stored hash like %.12s… is invalid, at once', async (hash) => {
    const keyring = await freshKeyring(engine);
    const { keyString, key } = await make(keyring, 'a');
    const db = await rawDatabase(keyring.location, engine);
    await db.rows('update api_keys set hash = ? where id = ?', hash, key.id);
    expect((await keyring.verify(keyString)).verdict).toBe('invalid');
  });

  test('what one process did to a key, another sees at its next call', async () => {
    const here = await freshKeyring(engine);
    const there = await another(here, engine);
    const { keyString, key } = await make(here, 'a');
    const seen = async () => (await there.verify(keyString)).verdict;
    const story = [await seen()];
    await here.disable(key.id);
    story.push(await seen());
    await here.enable(key.id);
    story.push(await seen());
    await here.edit(key.id, { name: 'renamed' });
    expect(await there.verify(keyString)).toMatchObject({ verdict: 'valid', key: { name: 'renamed' } });
    await here.delete(key.id);
    story.push(await seen());
    expect(story).toEqual(['valid', 'inactive', 'valid', 'invalid']);
    await there.close();
  });

  test('a key ends at its instant', async () => {
    const clock = { now: START };
    const keyring = await freshKeyring(engine, clock);
    const expiresAt = new Date(START.getTime() + 1000);
    const { keyString } = await make(keyring, 'a', { expiresAt });
    clock.now = new Date(expiresAt.getTime() - 1);
    expect((await keyring.verify(keyString)).verdict).toBe('valid');
    clock.now = expiresAt;
    expect((await keyring.verify(keyString)).verdict).toBe('expired');
  });

  test('a store that cannot answer throws: it says neither valid nor invalid', async () => {
    const keyring = await freshKeyring(engine);
    const { keyString } = await make(keyring, 'a');
    await (await rawDatabase(keyring.location, engine)).exec('drop table key_usage');
    await expect(keyring.verify(keyString)).rejects.toMatchObject({ name: 'KeysError', code: 'store_unavailable' });
  });

  test('a store that was closed throws, too', async () => {
    const keyring = await freshKeyring(engine);
    const { keyString } = await make(keyring, 'a');
    await keyring.close();
    await keyring.close();
    await expect(keyring.verify(keyString)).rejects.toMatchObject({ name: 'KeysError', code: 'store_unavailable' });
    expect((await keyring.verify('no key string')).verdict).toBe('invalid'); // no store is asked about it
  });

  /** The parts of a sound key, to be stored with one of them wrong. */
  async function parts() {
    const minted = mintKeyString('test');
    return { ...minted, guard: guardTag(minted.body), hash: await hashSecret(minted.secret, 4) };
  }
  type Parts = Awaited<ReturnType<typeof parts>>;

  test.each<[string, string, (mine: Parts, other: Parts) => Partial<NewKey>]>([
    ['nothing', 'valid', () => ({})],
    ['the mode', 'invalid', () => ({ mode: 'live' })],
    ['the guard', 'invalid', (_, other) => ({ guard: other.guard })],
    ['the hash', 'invalid', (_, other) => ({ hash: other.hash })],
    ['guard and hash', 'invalid', (_, { guard, hash }) => ({ guard, hash })],
    ['the id', 'invalid', (_, { id }) => ({ id })],
  ])('each part is proven by itself: with %s of another key in the row it is %s', async (_, verdict, wrong) => {
    const keyring = await freshKeyring(engine);
    const [mine, other] = [await parts(), await parts()];
    const { id, guard, hash } = mine;
    await storeOf(keyring).create([newKey('a', { id, guard, hash, ...wrong(mine, other) })], change());
    expect((await keyring.verify(mine.keyString)).verdict).toBe(verdict);
  });

  test('test and live never meet, whatever the text, the row and the server say', async () => {
    const keyring = await freshKeyring(engine);
    for (const mode of ['live', 'test'] as const) {
      const { keyString } = await make(keyring, `a ${mode}`, { mode });
      const other = mode === 'live' ? 'test' : 'live';
      const relabelled = keyString.slice(0, 55).replace(`_${mode}_`, `_${other}_`);
      for (const environment of ['live', 'test'] as const) {
        expect((await keyring.verify(keyString, { environment })).verdict).toBe(
          environment === mode ? 'valid' : 'wrong_environment',
        );
        expect((await keyring.verify(relabelled + checksum(relabelled), { environment })).verdict).toBe('invalid');
      }
    }
  });
});

describe.each(ENGINES)("a server's verifier, on %s", (engine) => {
  test('it refuses the other mode, tells missing scopes, and reads the clock and the row at each call', async () => {
    const clock = { now: START };
    const keyring = await freshKeyring(engine, clock);
    const expiresAt = new Date(START.getTime() + 1000);
    const [mine, foreign] = [await make(keyring, 'a', { expiresAt }), await make(keyring, 'b', { mode: 'live' })];
    const verifier = new Verifier(storeOf(keyring), { environment: 'test', now: () => clock.now.getTime() });
    const verdict = async (...args: Parameters<typeof verifier.verify>) => (await verifier.verify(...args)).verdict;
    expect(await verdict(mine.keyString)).toBe('valid');
    expect(await verdict(mine.keyString, { scopes: ['checkin:read'] })).toBe('valid');
    expect(await verifier.verify(mine.keyString, { scopes: ['checkin:read', 'plan:read'] })).toMatchObject({
      verdict: 'missing_scope',
      missingScopes: ['plan:read'],
    });
    expect(await verdict(foreign.keyString)).toBe('wrong_environment');
    await keyring.disable('a');
    expect(await verdict(mine.keyString)).toBe('inactive');
    await keyring.enable('a');
    clock.now = expiresAt;
    expect(await verdict(mine.keyString)).toBe('expired');
  });

  test.each([undefined, null, '', 61, [], {}, ['key'], { toString: () => 'key' }])('%j is invalid', async (header) => {
    const verifier = new Verifier(storeOf(await freshKeyring(engine)), { environment: 'test' });
    expect(await verifier.verify(header)).toEqual({ verdict: 'invalid' });
  });

  test.each(['staging', '', 'LIVE', undefined])('an environment of %j is refused', async (environment) => {
    const store = storeOf(await freshKeyring(engine));
    expect(refusal(() => new Verifier(store, { environment: environment as 'live' }))).toEqual(usage);
  });
});
