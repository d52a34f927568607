import { describe, expect, test } from 'vitest';
import { make } from '../support/keyrings.js';
import { LOCAL_ENGINES, rawDatabase } from '../support/stores.js';
import { scene, verdictOf, verifierAt } from '../support/verifiers.js';

// The timeout of these stores is 5 s. What waits for it does so in this thread, and stops everything.

describe.each(LOCAL_ENGINES)('while another process holds the write lock, on %s', (engine) => {
  test('keys are verified, marks wait, and closing writes them once the lock is free', async () => {
    const { keyring, verifier } = await scene(engine);
    const { keyString } = await make(keyring, 'a');
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    const other = await rawDatabase(keyring.location, engine);
    await other.exec('begin immediate');
    const closer = await verifierAt(keyring, engine, { now: Date.now() });
    expect(await verdictOf(closer, keyString)).toBe('valid');
    const closing = closer.close();
    await expect(verdictOf(verifier, keyString)).resolves.toBe('valid');
    await other.exec('rollback');
    await closing;
    expect((await keyring.show('a')).lastUsedAt).not.toBeNull();
    expect(closer.counters.failedFlushes).toBeGreaterThan(0);
  });

  test('shared limits are refused at once, and counted again as soon as the lock is free', async () => {
    const { keyring, verifier } = await scene(engine, { rateLimit: 'shared', markUsed: false });
    const { keyString } = await make(keyring, 'a', { rateLimit: { limit: 1000, windowSeconds: 3600 } });
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    const other = await rawDatabase(keyring.location, engine);
    await other.exec('begin immediate');
    const began = performance.now();
    const refused = await Promise.allSettled(Array.from({ length: 100 }, () => verifier.verify(keyString)));
    expect(performance.now() - began).toBeLessThan(5000); // all of them: one that waits in SQLite takes as long
    expect(refused).toHaveLength(100);
    for (const each of refused) expect(each).toMatchObject({ reason: { code: 'store_busy' } });
    await expect(verifier.verify(keyString)).rejects.toMatchObject({ code: 'store_busy' });
    await other.exec('rollback');
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    await keyring.disable('a'); // a change still waits for its turn
  });

  test('changes by the same connection still wait for the lock', async () => {
    const { keyring } = await scene(engine);
    const { keyString } = await make(keyring, 'a');
    const own = await keyring.verifier({ environment: 'test', rateLimit: 'shared' });
    expect(await verdictOf(own, keyString)).toBe('valid');
    const db = await rawDatabase(keyring.location, engine);
    await db.exec('begin immediate');
    await expect(own.verify(keyString)).rejects.toMatchObject({ code: 'store_busy' });
    await expect(keyring.disable('a')).rejects.toMatchObject({ code: 'store_busy' }); // after its 5 s
    await db.exec('rollback');
    expect(await verdictOf(own, keyString)).toBe('valid');
  });
});
