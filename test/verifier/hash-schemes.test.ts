import { describe, expect, onTestFinished, test } from 'vitest';
import { newPepper, Peppers } from '../../src/domain/peppers.js';
import type { StoreScheme } from '../../src/domain/secret-hash.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { openStore } from '../../src/store/open.js';
import { Verifier, type VerifierOptions } from '../../src/verifier/verifier.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { TOKENS } from '../support/sqld.js';
import { BY, ENGINES, type EngineName, options, rawDatabase, START, storeOf } from '../support/stores.js';

const [older, newer] = [newPepper(), newPepper()];
const peppers = Peppers.parse(older.line + newer.line, 'here');
const OLD: StoreScheme = `hmac-sha256:${older.id}`;
const NEW: StoreScheme = `hmac-sha256:${newer.id}`;

const ring = (engine: EngineName) => freshKeyring(engine, undefined, peppers);

async function verifierOf(
  keyring: Keyring,
  engine: EngineName,
  { token, ...more }: Partial<VerifierOptions> & { token?: string } = {},
): Promise<Verifier> {
  const access = token === undefined ? {} : { token };
  const store = await openStore(keyring.location, options(engine, { create: false, durable: false, ...access }));
  const verifier = new Verifier(store, {
    environment: 'test',
    now: () => START.getTime(),
    peppers,
    by: () => BY,
    ...more,
  });
  onTestFinished(() => verifier.close().catch(() => {}));
  return verifier;
}

const verdictOf = async (verifier: Verifier, keyString: string) => (await verifier.verify(keyString)).verdict;

async function hashOf(keyring: Keyring, id: string): Promise<string> {
  return (await storeOf(keyring).credential(id))?.hash ?? '';
}

/** A verifier writes new hashes when it is closed, at the latest. */
async function useAll(keyring: Keyring, engine: EngineName, keyStrings: readonly string[]): Promise<void> {
  const verifier = await verifierOf(keyring, engine);
  for (const keyString of keyStrings) expect(await verdictOf(verifier, keyString)).toBe('valid');
  await verifier.close();
}

describe.each(ENGINES)('hash schemes, on %s', (engine) => {
  test('a key with a pepper is proven without bcrypt, by the verifier and by the tool', async () => {
    const keyring = await ring(engine);
    await keyring.setStoreHash(OLD);
    const { key, keyString } = await make(keyring, 'a');
    expect(await hashOf(keyring, key.id)).toMatch(`$hmac-sha256$v=1,k=${older.id}$`);
    const verifier = await verifierOf(keyring, engine);
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    expect(verifier.counters).toMatchObject({ bcrypt: 0, moved: 0, proofs: 1 });
    expect((await keyring.verify(keyString)).verdict).toBe('valid');
  });

  test('a key is rehashed on its next use: to a pepper, to a newer one, and back to bcrypt', async () => {
    const keyring = await ring(engine);
    const { key, keyString } = await make(keyring, 'a');
    const unused = await make(keyring, 'b');
    for (const [scheme, form] of [
      [OLD, `$hmac-sha256$v=1,k=${older.id}$`],
      [NEW, `$hmac-sha256$v=1,k=${newer.id}$`],
      ['bcrypt', '$2b$10$'],
    ] as const) {
      await keyring.setStoreHash(scheme);
      await useAll(keyring, engine, [keyString]);
      expect((await hashOf(keyring, key.id)).slice(0, form.length)).toBe(form);
      expect((await keyring.auditVerify()).problems).toEqual([]);
    }
    expect(await hashOf(keyring, unused.key.id)).toMatch('$2b$04$');
    await useAll(keyring, engine, [keyString, unused.keyString]);
  });

  test('a verifier that has cached the key rehashes it, too, when the scheme changes', async () => {
    const keyring = await ring(engine);
    const { key, keyString } = await make(keyring, 'a');
    const verifier = await verifierOf(keyring, engine);
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    await keyring.setStoreHash(OLD);
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    await verifier.close();
    expect(await hashOf(keyring, key.id)).toMatch('$hmac-sha256$');
    expect(verifier.counters).toMatchObject({ moved: 1, failedFlushes: 0 });
  });

  test('a key that cannot be rehashed is valid all the same, and counted as a write that failed', async () => {
    const keyring = await ring(engine);
    const { keyString } = await make(keyring, 'a');
    await keyring.setStoreHash(OLD);
    const db = await rawDatabase(keyring.location, engine);
    await db.exec("create trigger full before update on api_keys begin select raise(abort, 'no'); end");
    const verifier = await verifierOf(keyring, engine);
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    await verifier.close();
    expect(verifier.counters).toMatchObject({ moved: 0, failedFlushes: 1 });
  });

  test('does not rehash for a wrong secret or a refused key', async () => {
    const keyring = await ring(engine);
    const { key, keyString } = await make(keyring, 'a');
    await keyring.setStoreHash(OLD);
    await keyring.disable('a');
    const verifier = await verifierOf(keyring, engine);
    expect(await verdictOf(verifier, keyString)).toBe('inactive');
    await verifier.close();
    expect(await hashOf(keyring, key.id)).toMatch('$2b$04$');
  });

  test('rejects with pepper_missing, which names the pepper', async () => {
    const keyring = await ring(engine);
    await keyring.setStoreHash(OLD);
    const { keyString } = await make(keyring, 'a');
    const verifier = await verifierOf(keyring, engine, { peppers: Peppers.parse(newer.line, 'here') });
    await expect(verifier.verify(keyString)).rejects.toMatchObject({ code: 'pepper_missing' });
    await expect(verifier.verify(keyString)).rejects.toThrow(older.id);
    const without = await freshKeyring(engine);
    await expect(without.setStoreHash(OLD)).rejects.toMatchObject({ code: 'pepper_missing' });
  });

  test('pepperedOnly refuses a key that was added to the store without the pepper', async () => {
    const keyring = await ring(engine);
    await keyring.setStoreHash(OLD);
    const [mine, victim] = [await make(keyring, 'mine'), await make(keyring, 'victim')];
    const db = await rawDatabase(keyring.location, engine);
    await db.exec(
      'drop trigger api_keys_immutable',
      `update api_keys set hash = (select hash from api_keys where name = 'mine'), guard = (select guard from api_keys where name = 'mine') where name = 'victim'`,
    );
    const verifier = await verifierOf(keyring, engine, { pepperedOnly: true });
    expect(await verdictOf(verifier, mine.keyString)).toBe('valid');
    expect(await verdictOf(verifier, victim.keyString)).toBe('invalid');
    const other = await ring(engine);
    const forged = await make(other, 'forged'); // bcrypt, made elsewhere, and put into the table
    const row = (await (await rawDatabase(other.location, engine)).all('select hash, guard from api_keys'))[0];
    await db.exec(
      'drop trigger api_keys_insert',
      `insert into api_keys (id, name, name_key, mode, scopes, status, rate_limit, rate_window_seconds, created_at, updated_at, hash, guard, search_text)
       values ('${forged.key.id}', 'f', 'f', 'test', '["plan:read"]', 'active', 9, 9, 1, 1, '${row?.hash}', '${row?.guard}', 'f')`,
    );
    expect(await verdictOf(verifier, forged.keyString)).toBe('invalid');
    expect(await verdictOf(await verifierOf(keyring, engine), forged.keyString)).toBe('valid'); // why the option exists
  });

  test('with shared limits, all verifiers together admit the limit once', async () => {
    const keyring = await ring(engine);
    const { keyString } = await make(keyring, 'a', { rateLimit: { limit: 10, windowSeconds: 3600 } });
    const verifiers = await Promise.all(
      Array.from({ length: 3 }, () => verifierOf(keyring, engine, { rateLimit: 'shared' })),
    );
    const verdicts = await Promise.all(
      Array.from({ length: 30 }, (_, i) => verifiers[i % 3]?.verify(keyString, { scopes: ['checkin:read'] })),
    );
    expect(verdicts.filter((each) => each?.verdict === 'valid')).toHaveLength(10);
    expect(verdicts.filter((each) => each?.verdict === 'rate_limited')).toHaveLength(20);
    expect(verdicts.every((each) => each && 'rate' in each && each.rate?.limit === 10)).toBe(true);
  });
});

test('verifies with a read-only token, and rehashes nothing', async () => {
  const keyring = await ring('sqld');
  const { key, keyString } = await make(keyring, 'a');
  await keyring.setStoreHash(OLD);
  const verifier = await verifierOf(keyring, 'sqld', { token: TOKENS.readOnly });
  expect(await verdictOf(verifier, keyString)).toBe('valid');
  await verifier.close();
  expect(verifier.counters).toMatchObject({ moved: 0 });
  expect(await hashOf(keyring, key.id)).toMatch('$2b$04$');
});
