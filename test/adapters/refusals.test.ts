import { expect, test } from 'vitest';
import { protect } from '../../src/adapters/web.js';
import type { RefusedVerdict } from '../../src/http/types.js';
import { make } from '../support/keyrings.js';
import { DEFAULT_ENGINE, storeOf } from '../support/stores.js';
import { scene } from '../support/verifiers.js';

test('onRefused is told each refusal, and one by a later route is counted as well', async () => {
  const { keyring, verifier } = await scene(DEFAULT_ENGINE);
  const { key, keyString } = await make(keyring, 'a', { scopes: ['checkin:read'] });
  const told: RefusedVerdict[] = [];
  const onRefused = (refusal: RefusedVerdict) => void told.push(refusal);
  const first = protect(verifier, { onRefused });
  const later = protect(verifier, { scopes: ['plan:read'], onRefused });
  const request = (authorization?: string) =>
    new Request('http://127.0.0.1/', authorization === undefined ? {} : { headers: { authorization } });
  expect((await first(request())).ok).toBe(false);
  expect((await first(request('Bearer wrong'))).ok).toBe(false);
  const good = request(`Bearer ${keyString}`);
  expect((await first(good)).ok).toBe(true);
  expect((await later(good)).ok).toBe(false);
  expect((await later(request(`Bearer ${keyString}`))).ok).toBe(false);
  expect(told.map(({ verdict }) => verdict)).toEqual(['missing', 'invalid', 'missing_scope', 'missing_scope']);
  expect(told.at(-1)).toMatchObject({ key: { id: key.id }, missingScopes: ['plan:read'] });
  await verifier.close();
  expect((await storeOf(keyring).use.totals([key.id], 0)).get(key.id)).toMatchObject({ used: 1, refused: 2 });
});
