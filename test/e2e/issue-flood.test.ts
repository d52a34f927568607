import { expect, test } from 'vitest';
import { ask, JSON_TYPE } from '../support/auth-servers.js';
import { Place } from '../support/built-tool.js';
import { ruleFor } from '../support/issue-servers.js';
import { GITHUB, GITHUB_SUB_SINCE_2026 } from '../support/oidc-claims.js';
import { OidcProvider } from '../support/oidc-provider.js';
import { Served } from '../support/served.js';
import { startSqld } from '../support/sqld.js';

// Several processes of `issue` on one store, and a job that asks as often as it can.

const RULE = { maxAlive: 7, maxIssued: '10/h' };

async function twoServers(store: Record<string, string>) {
  const provider = await OidcProvider.start();
  const operator = new Place(store);
  await operator.key('other');
  const file = operator.write('issue.json', JSON.stringify([ruleFor(provider, RULE)]));
  const env = { NODE_EXTRA_CA_CERTS: operator.write('provider.pem', provider.ca) };
  const args = ['--rules', file, '--listen', '127.0.0.1:0', '--log', 'none'];
  const servers = [1, 2].map(() => new Served(operator, args, env, process.execPath, 'issue'));
  const addresses = await Promise.all(servers.map(async (server) => new URL(await server.url()).host));
  const send = (nth: number, method: string, path: string, token: string, body?: object) =>
    ask(addresses[nth % 2] as string, path, {
      method,
      headers: { ...JSON_TYPE, authorization: `Bearer ${token}` },
      ...(body && { body: JSON.stringify(body) }),
    });
  const fresh = () => provider.token({ ...GITHUB, sub: GITHUB_SUB_SINCE_2026 });
  /** So many requests at once, each with a token of its own, or all with one. */
  const flood = async (count: number, token?: string) => {
    const tokens = await Promise.all(Array.from({ length: count }, () => token ?? fresh()));
    const answers = await Promise.all(
      tokens.map((each, n) => send(n, 'POST', '/keys', each, { scopes: ['checkin:read'] })),
    );
    const made = answers.filter(({ status }) => status === 201).map((each) => each.json().id as string);
    return { made, refused: answers.filter(({ status }) => status !== 201) };
  };
  const end = async (id: string, nth: number) => (await send(nth, 'DELETE', `/keys/${id}`, await fresh())).status;
  return { operator, servers, fresh, flood, end };
}

test.each([
  ['a file', async () => ({})],
  [
    'sqld',
    async () => {
      const { url, token } = await startSqld();
      return { UNLOCKOS_KEYS_STORE: url, UNLOCKOS_KEYS_AUTH_TOKEN: token };
    },
  ],
])('with a store in %s: 200 fresh tokens get as many keys as the rule allows, and every other a clear 429', async (_, store) => {
  const { operator, servers, fresh, flood, end } = await twoServers(await store());
  const { made, refused } = await flood(200);
  expect(refused.map(({ status, text }) => [status, text]).filter(([status]) => status !== 429)).toEqual([]);
  expect([made.length, refused.length]).toEqual([7, 193]);
  for (const each of refused) {
    expect(each.json()).toMatchObject({ code: 'too_many_keys', detail: 'the rule app allows 7 active keys at once' });
    expect(Number(each.headers['retry-after'])).toBeGreaterThan(0);
  }
  expect(await operator.keys()).toHaveLength(8);

  expect(await Promise.all(made.slice(0, 6).map(end))).toEqual([204, 204, 204, 204, 204, 204]);
  const stolen = await flood(30, await fresh());
  expect(stolen.made).toHaveLength(1);
  expect(new Set(stolen.refused.map((each) => `${each.status} ${each.json().code}`))).toEqual(
    new Set(['401 token_replayed']),
  );
  const late = await flood(40);
  expect(late.made).toHaveLength(2); // the ninth and the tenth of this hour
  expect(new Set(late.refused.map((each) => each.json().detail))).toEqual(
    new Set(['the rule app makes 10 keys in 3600 s']),
  );
  for (const server of servers) expect(await server.ended('SIGTERM')).toEqual([0, null]);
  expect(await operator.keys()).toHaveLength(5);
  expect(await operator.health()).toEqual({ doctor: 0, audit: 0 });
});
