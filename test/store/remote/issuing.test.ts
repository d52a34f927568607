import { expect, test } from 'vitest';
import type { Exchange } from '../../../src/domain/issue.js';
import type { Issuing } from '../../../src/keyring/issuing.js';
import { Keyring } from '../../../src/keyring/keyring.js';
import { openStore } from '../../../src/store/open.js';
import { type Fault, faultyProxy } from '../../support/faulty-proxy.js';
import { input } from '../../support/keyrings.js';
import { atEnd } from '../../support/lifetime.js';
import { startSqld, TOKENS } from '../../support/sqld.js';
import { BY } from '../../support/stores.js';

// A key for a job, where nobody learns whether the store has made it.

const JOB = { actor: 'ci', proof: { issuer: 'https://ci.example', subject: 'x', job: { run_id: '1' } } };

async function keyringAt(url: string): Promise<Keyring> {
  const now = () => new Date();
  const store = await openStore(url, {
    create: true,
    makeParent: false,
    timeoutMs: 3000,
    token: TOKENS.full,
    by: () => BY,
    now,
  });
  atEnd(() => store.close().catch(() => {}));
  return new Keyring(store, { by: () => BY, now, hashCost: 4 });
}

function issue(issuing: Issuing, token: string) {
  const exchange: Exchange = {
    token: token.padEnd(64, '0'),
    tokenIssued: new Date(),
    tokenEnds: new Date(Date.now() + 300_000),
    rule: 'app',
    maxAlive: 20,
    pace: { limit: 100, windowSeconds: 3600 },
  };
  const wanted = {
    name: `ci-${token}`,
    scopes: ['checkin:read'],
    rateLimit: { limit: 600, windowSeconds: 60 },
    ttlMs: 3_600_000,
    asked: true,
    labels: {},
  };
  return issuing.issue(wanted, exchange, JOB);
}

test.each<[string, Fault]>([
  ['was carried out, and the answer was cut off', 'cut-before-reply'],
  ['was carried out, and nothing was heard of it', 'swallow-reply'],
  ['never arrived', 'swallow'],
])('where its making %s, it is removed as soon as the store answers, and its token gives another', async (_, fault) => {
  const server = await startSqld();
  const proxy = await faultyProxy(server.url);
  const truth = await keyringAt(server.url);
  await truth.create([input('first')]);
  const issuing = await (await keyringAt(proxy.url)).issuing();
  expect(await issue(issuing, 'a')).toMatchObject({ refused: null });
  const before = proxy.requests;
  expect(await issue(issuing, 'b')).toMatchObject({ refused: null });
  const making = proxy.requests - before; // the last request is the one that makes the key
  proxy.at(making, fault).at(making + 1, 'swallow');
  await expect(issue(issuing, 'c')).rejects.toMatchObject({ code: 'outcome_unknown' });
  const names = async () => (await truth.list()).keys.map(({ name }) => name).sort();
  expect(await names()).toEqual(['ci-a', 'ci-b', 'first']);
  const made = (await truth.auditList()).filter(({ keyName }) => keyName === 'ci-c');
  expect(made.map(({ action, reason }) => [action, reason])).toEqual(
    fault === 'swallow'
      ? []
      : [
          ['key.create', null],
          ['key.delete', 'the key string could not be delivered'],
        ],
  );
  expect(await issue(issuing, 'c')).toMatchObject({ refused: null });
  expect(await names()).toEqual(['ci-a', 'ci-b', 'ci-c', 'first']);
  expect((await truth.auditVerify()).problems).toEqual([]);
});
