import { expect, test } from 'vitest';
import { issuing, liveClock, ruleFor } from '../support/issue-servers.js';
import { another, freshKeyring } from '../support/keyrings.js';
import { GITHUB } from '../support/oidc-claims.js';
import { OidcProvider } from '../support/oidc-provider.js';
import { ENGINES } from '../support/stores.js';

test.each(
  ENGINES,
)('%s: a job that asks again and again gets a clear 429, from whichever server it asks', async (engine) => {
  const provider = await OidcProvider.start();
  const keyring = await freshKeyring(engine, liveClock());
  const rules = () => [ruleFor(provider, { maxAlive: 3, maxIssued: '5/h' })];
  const servers = [
    await issuing({ keyring, provider, rules }),
    await issuing({ keyring: await another(keyring, engine, liveClock()), provider, rules }),
  ] as const;
  const token = () => provider.token(GITHUB);
  const all = await Promise.all(
    Array.from({ length: 60 }, async (_, i) => servers[i % 2 === 0 ? 0 : 1].issue(await token())),
  );
  const made = all.filter(({ status }) => status === 201).map((each) => each.json().id as string);
  expect(made).toHaveLength(3);
  for (const each of all.filter(({ status }) => status !== 201)) {
    expect([each.status, each.json().code]).toEqual([429, 'too_many_keys']);
    expect(each.json().detail).toBe('the rule app allows 3 active keys at once');
    expect(Number(each.headers['retry-after'])).toBeGreaterThan(3000);
  }
  for (const id of made) expect((await servers[1].end(id, await token())).status).toBe(204);
  expect([(await servers[0].issue(await token())).status, (await servers[1].issue(await token())).status]).toEqual([
    201, 201,
  ]);
  const paced = await servers[0].issue(await token());
  expect([paced.status, paced.json().detail]).toEqual([429, 'the rule app makes 5 keys in 3600 s']);
  expect((await keyring.list()).keys).toHaveLength(2);
});
