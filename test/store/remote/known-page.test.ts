import { expect, test } from 'vitest';
import { faultyProxy } from '../../support/faulty-proxy.js';
import { TOKENS } from '../../support/sqld.js';
import { change, freshStore, newKey, recordUse, START } from '../../support/stores.js';
import { testCli } from '../../support/test-cli.js';

/** A command line whose store, with two keys, is behind a proxy that counts. */
async function counted() {
  const store = await freshStore('sqld');
  const [used, refused] = [newKey('used'), newKey('refused')];
  await store.create([used, refused], { ...change(), by: { ...change().by, actor: 'ann@acme.example' } });
  const at = { at: START, detail: null };
  await recordUse(store, {
    uses: [
      { id: used.id, verdict: 'valid', times: 5, ...at },
      { id: refused.id, verdict: 'missing_scope', times: 6, ...at, detail: 'plan:write' },
    ],
  });
  const proxy = await faultyProxy(store.location);
  const cli = testCli();
  cli.env = { UNLOCKOS_KEYS_STORE: proxy.url, UNLOCKOS_KEYS_AUTH_TOKEN: TOKENS.full };
  return { cli, proxy };
}

test('a list with use and creators is one request, although it is the first one', async () => {
  const { cli, proxy } = await counted();
  const { exitCode, stdout } = await cli.run('list', '--json', '--limit', '3');
  expect(exitCode).toBe(0);
  const createdBy = { actor: 'ann@acme.example', osUser: 'ops' };
  expect(JSON.parse(stdout)).toMatchObject([
    { name: 'refused', usedLast30d: 0, refusedLast30d: 6, lastRefusal: { detail: 'plan:write' }, createdBy },
    { name: 'used', usedLast30d: 5, refusedLast30d: 0, lastRefusal: null, createdBy },
  ]);
  expect(proxy.requests).toBe(1);
});

test('a server whose answer is no answer is asked once', async () => {
  const { cli, proxy } = await counted();
  proxy.always({ spoil: () => '{}' });
  const { exitCode, stderr } = await cli.run('list', '--json', '--limit', '3');
  expect(JSON.parse(stderr).error.code).toBe('store_unavailable');
  expect([exitCode, proxy.requests]).toEqual([8, 1]);
});
