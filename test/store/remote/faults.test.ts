import { randomInt } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { isKeysError, type KeysError } from '../../../src/domain/errors.js';
import { Keyring } from '../../../src/keyring/keyring.js';
import { openStore } from '../../../src/store/open.js';
import { type Fault, type FaultyProxy, faultyProxy } from '../../support/faulty-proxy.js';
import { HOSTILE, hostile } from '../../support/hostile-server.js';
import { input } from '../../support/keyrings.js';
import { atEnd, sharedBy } from '../../support/lifetime.js';
import { SPOILED, spoiled } from '../../support/spoiled-answers.js';
import { type Sqld, startSqld, TOKENS } from '../../support/sqld.js';
import { BY, START } from '../../support/stores.js';

/** Long enough for a busy machine to answer in, short enough to be waited for where nobody answers. */
const PATIENCE_MS = 3000;

async function keyringAt(url: string, more: { timeoutMs?: number; token?: string } = {}): Promise<Keyring> {
  const { timeoutMs = PATIENCE_MS, token = TOKENS.full } = more;
  const store = await openStore(url, {
    create: true,
    makeParent: false,
    timeoutMs,
    token,
    by: () => BY,
    now: () => START,
  });
  atEnd(() => store.close().catch(() => {}));
  return new Keyring(store, { by: () => BY, now: () => START, hashCost: 4 });
}

interface Scene {
  readonly server: Sqld;
  readonly proxy: FaultyProxy;
  /** Through the proxy. */
  readonly keyring: Keyring;
  /** Straight to the server. */
  readonly truth: Keyring;
}

async function scene(): Promise<Scene> {
  const server = await startSqld();
  const proxy = await faultyProxy(server.url);
  const truth = await keyringAt(server.url, { timeoutMs: 10_000 });
  await truth.create([input('first')]);
  const keyring = await keyringAt(proxy.url);
  await settle(keyring);
  return { server, proxy, keyring, truth };
}

/** From here on the schema is known and a connection stands, so that the next requests can be counted. */
async function settle(keyring: Keyring): Promise<void> {
  await keyring.list({ limit: 1 });
}

let runs = 0;

/** The scene that a block shares, with a name and an operation id that no other test of the block has. */
async function reused(scene: Scene): Promise<Scene & { name: string; op: string }> {
  runs += 1;
  await settle(scene.keyring);
  return { ...scene, name: `ci ${runs}`, op: `operation-of-test-${runs}` };
}

/** One key of this name, made by one audit row, whose key string is the one that was handed out. */
async function expectOne(
  truth: Keyring,
  name: string,
  keyString: string | null | undefined,
  op: string,
): Promise<void> {
  const keys = (await truth.list()).keys.filter((key) => key.name === name);
  expect(keys).toHaveLength(1);
  expect(await truth.verify(keyString)).toEqual({ verdict: 'valid', key: keys[0] });
  expect((await truth.operation(op)).filter(({ action }) => action === 'key.create')).toHaveLength(1);
  expect((await truth.auditVerify()).problems).toEqual([]);
}

/** The three requests of a create: what there is, what the change is based on, the change. */
const REQUESTS = [1, 2, 3];

const LOST: [string, Fault][] = [
  ['dropped', 'drop'],
  ['carried out, its reply cut off', 'cut-before-reply'],
  ['carried out, its reply cut in the middle', 'cut-reply'],
  ['refused by a load balancer', 'unavailable'],
  ['carried out, given up by a load balancer', 'gateway-timeout'],
];

describe('a create through a bad network', () => {
  const shared = sharedBy(scene);

  test.each(
    LOST.flatMap(([what, fault]) => REQUESTS.map((nth) => [nth, what, fault] as const)),
  )('whose request %i is %s makes one key, with one audit row', async (nth, _, fault) => {
    const { proxy, keyring, truth, name, op } = await reused(shared());
    proxy.at(nth, fault);
    const [made] = await keyring.create([input(name)], { operationId: op });
    await expectOne(truth, name, made?.keyString, op);
  });

  test.each([
    'swallow',
    'swallow-reply',
  ] as const)('whose change meets with silence (%s) makes one key', async (fault) => {
    const { proxy, keyring, truth, name, op } = await reused(shared());
    proxy.at(3, fault);
    const [made] = await keyring.create([input(name)], { operationId: op });
    await expectOne(truth, name, made?.keyString, op);
  });

  test('whose change may still arrive has an unknown outcome, though nobody takes the next attempt', async () => {
    const { proxy, keyring } = await scene();
    proxy.at(3, { holdUntil: new Promise(() => {}) }).at(4, 'last-answer');
    await expect(keyring.create([input('late')])).rejects.toMatchObject({ code: 'outcome_unknown' });
  });

  test.each([
    ['swallow', 0],
    ['swallow-reply', 1],
    ['cut-before-reply', 1],
  ] as const)('that hears nothing more from its change on (%s) has an unknown outcome; run again, it is finished', async (fault, there) => {
    const { proxy, keyring, truth, name, op } = await reused(shared());
    proxy.at(3, fault).at(4, 'swallow');
    const error = await keyring.create([input(name)], { operationId: op }).then(
      () => null,
      (thrown) => thrown,
    );
    expect(error).toMatchObject({ code: 'outcome_unknown', message: expect.stringContaining(op) });
    expect(`${error.message}${error.hint}`).not.toMatch(/unlk_/);
    expect((await truth.operation(op)).length).toBe(there);
    const [made] = await keyring.create([input(name)], { operationId: op });
    const keys = (await truth.list()).keys.filter((key) => key.name === name);
    expect(keys.map(({ id }) => id)).toEqual([made?.key.id]);
    expect((await truth.verify(made?.keyString)).verdict).toBe('valid');
    expect((await truth.auditVerify()).problems).toEqual([]);
  });

  test.each([
    1, 2,
  ])('that hears nothing from its request %i, before its change, has a known outcome: nothing', async (nth) => {
    const { proxy, keyring, truth, name, op } = await reused(shared());
    proxy.at(nth, 'swallow');
    await expect(keyring.create([input(name)], { operationId: op })).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    expect(await truth.operation(op)).toEqual([]);
  });

  test('whose change arrives late, after it was sent again, is made once', async () => {
    const { proxy, keyring, truth, name, op } = await reused(shared());
    let release = () => {};
    proxy.at(3, { holdUntil: new Promise<void>((resolve) => (release = resolve)) });
    const [made] = await keyring.create([input(name)], { operationId: op });
    const { bodies } = proxy;
    release();
    await keyring.list();
    expect(bodies.filter((body) => body.includes('COMMIT') && body.includes(op)).length).toBeGreaterThan(1);
    await expectOne(truth, name, made?.keyString, op);
  });

  test('a change of another tool in between is planned on, not over', async () => {
    const { proxy, keyring, truth, name, op } = await reused(shared());
    let release = () => {};
    proxy.at(3, { holdUntil: new Promise<void>((resolve) => (release = resolve)) });
    const creating = keyring.create([input(name)], { operationId: op });
    await proxy.arrived(proxy.requests + 3);
    await truth.create([input('in between')]);
    release();
    const [made] = await creating;
    await expectOne(truth, name, made?.keyString, op);
  });

  test('a name that another tool takes in between is taken', async () => {
    const { proxy, keyring, truth, name } = await reused(shared());
    let release = () => {};
    proxy.at(3, { holdUntil: new Promise<void>((resolve) => (release = resolve)) });
    const creating = keyring.create([input(name)]);
    await proxy.arrived(proxy.requests + 3);
    await truth.create([input(name)]);
    release();
    await expect(creating).rejects.toMatchObject({ code: 'name_taken' });
  });

  test('many at once, with every third request failing somehow, make each its key', async () => {
    const { proxy, truth } = await scene();
    const faults: Fault[] = ['drop', 'cut-before-reply', 'cut-reply', 'unavailable', 'gateway-timeout'];
    for (let nth = 1; nth < 400; nth += 3) proxy.at(nth, faults[randomInt(faults.length)] ?? 'drop');
    const names = Array.from({ length: 24 }, (_, i) => `many ${i}`);
    const runs = await Promise.all(
      names.map(async (name, i) => {
        const keyring = await keyringAt(proxy.url, { timeoutMs: 20_000 });
        const operationId = `operation-${i}`;
        for (;;) {
          try {
            return (await keyring.create([input(name)], { operationId }))[0];
          } catch (error) {
            if (!isKeysError(error, 'outcome_unknown', 'store_unavailable', 'store_busy')) throw error;
          }
        }
      }),
    );
    expect((await truth.list()).keys.map(({ name }) => name).sort()).toEqual([...names, 'first'].sort());
    for (const made of runs) expect((await truth.verify(made?.keyString)).verdict).toBe('valid');
    expect((await truth.auditVerify()).problems).toEqual([]);
  });
});

describe('a server that is killed', () => {
  const shared = sharedBy(scene);

  test('between two requests comes back with all that it acknowledged', async () => {
    const { server, keyring, truth } = await reused(shared());
    const made = [];
    for (let round = 0; round < 5; round++) {
      made.push(...(await keyring.create([input(`round ${round}`)])));
      await server.kill();
      await server.start();
    }
    for (const { keyString } of made) expect((await truth.verify(keyString)).verdict).toBe('valid');
    expect((await truth.auditVerify()).problems).toEqual([]);
  });

  test.each([
    1, 2, 3,
  ])('while request %i of a create is under way: one key or none, and the next run finishes it', async (nth) => {
    const { server, proxy, keyring, truth, name, op } = await reused(shared());
    const requests = proxy.requests + nth;
    const creating = keyring.create([input(name)], { operationId: op }).catch((error) => error);
    await proxy.arrived(requests);
    await server.kill();
    const first = await creating;
    await server.start();
    if (!Array.isArray(first))
      expect(first).toMatchObject({ code: expect.stringMatching(/^(outcome_unknown|store_unavailable)$/) });
    const [made] = Array.isArray(first) ? first : await keyring.create([input(name)], { operationId: op });
    const keys = (await truth.list()).keys.filter((key) => key.name === name);
    expect(keys.map(({ id }) => id)).toEqual([made?.key.id]);
    expect((await truth.verify(made?.keyString)).verdict).toBe('valid');
    expect((await truth.auditVerify()).problems).toEqual([]);
  });

  test('and comes back within the retries is not noticed by a reader', async () => {
    const { proxy, keyring, truth } = await reused(shared());
    await proxy.refuse();
    const listing = keyring.list();
    await proxy.listen();
    expect((await listing).keys).toEqual((await truth.list()).keys);
  });
});

describe('every other change, once, whatever is lost', () => {
  const shared = sharedBy(scene);
  type Act = (keyring: Keyring, name: string, operation: { operationId: string }) => Promise<unknown>;
  const CHANGES: [
    verb: string,
    action: string,
    act: Act,
    prepare: (truth: Keyring, name: string) => Promise<unknown>,
  ][] = [
    ['disable', 'key.disable', (k, name, op) => k.disable(name, op), (k, name) => k.create([input(name)])],
    [
      'edit',
      'key.edit',
      (k, name, op) => k.edit(name, { description: 'new' }, op),
      (k, name) => k.create([input(name)]),
    ],
    ['delete', 'key.delete', (k, name, op) => k.delete(name, op), (k, name) => k.create([input(name)])],
    ['scopes add', 'scope.add', (k, name, op) => k.addScope(name, 'Reports', op), async () => {}],
    [
      'scopes retire',
      'scope.retire',
      (k, name, op) => k.retireScope(name, op),
      (k, name) => k.addScope(name, 'Reports'),
    ],
  ];

  test.each(CHANGES)('%s with its last request failing in each way', async (_, action, act, prepare) => {
    const { proxy, keyring, truth, op } = await reused(shared());
    /** The number of requests that the change took. */
    const run = async (which: string, nth = 0, fault: Fault = 'drop'): Promise<number> => {
      const operationId = `${op}-${which}`;
      const name = `report:${which}-${runs}`;
      await prepare(truth, name);
      await settle(keyring);
      const before = { requests: proxy.requests, seq: (await truth.auditHead()).seq };
      if (nth > 0) proxy.at(nth, fault);
      await act(keyring, name, { operationId });
      expect((await truth.auditHead()).seq, which).toBe(before.seq + 1);
      const events = await truth.operation(operationId);
      expect(events.map((event) => event.action)).toEqual([action]);
      return proxy.requests - before.requests;
    };
    const count = await run('undisturbed');
    for (const fault of ['drop', 'cut-before-reply', 'swallow-reply', 'gateway-timeout'] as const)
      expect(await run(fault, count, fault), fault).toBeGreaterThan(count);
    expect((await truth.auditVerify()).problems).toEqual([]);
  });
});

describe('a server that answers', () => {
  const CODES = [
    'unauthorized',
    'store_unavailable',
    'store_missing',
    'store_busy',
    'store_corrupt',
    'outcome_unknown',
    'conflict',
  ];

  function everythingSaid(error: unknown): string {
    const said: string[] = [];
    for (let each = error; each instanceof Error; each = each.cause)
      said.push(each.message, each.stack ?? '', (each as { hint?: string }).hint ?? '');
    return said.join('\n');
  }

  test.each(HOSTILE)('with %s is refused with a code of ours, in which no token stands', async (kind) => {
    const server = await hostile(kind);
    const acts: ((keyring: Keyring) => Promise<unknown>)[] = [
      (keyring) => keyring.list(),
      (keyring) => keyring.show('x'),
      (keyring) => keyring.create([input('x')]),
      (keyring) => keyring.auditVerify(),
    ];
    const attempt = async (act: (keyring: Keyring) => Promise<unknown>) =>
      act(await keyringAt(server.url, { timeoutMs: 300 })).then(
        (answer) => answer,
        (thrown) => thrown,
      );
    const errors = await Promise.all(acts.map(attempt));
    for (const error of errors) {
      expect(isKeysError(error), everythingSaid(error) || String(error)).toBe(true);
      expect(CODES).toContain((error as KeysError).code);
    }
    const findings = await attempt((keyring) => keyring.storeCheck()); // it may answer, with what is wrong
    if (Array.isArray(findings)) expect(findings).toContainEqual(expect.objectContaining({ status: 'failed' }));
    else expect(isKeysError(findings), everythingSaid(findings)).toBe(true);
    const said = [...errors, findings]
      .map((each) => (each instanceof Error ? everythingSaid(each) : JSON.stringify(each)))
      .join();
    expect(said).not.toContain(TOKENS.full);
    expect(said).not.toContain('\u001b');
    expect(server.strayed).toEqual([]);
  });

  const shared = sharedBy(scene);

  test.each(
    SPOILED,
  )('with %s never makes a key verify that should not, and never throws what we do not know', async (kind) => {
    const { proxy, keyring, truth, name, op } = await reused(shared());
    const { keyString } = (await truth.create([input(`off ${name}`)]))[0] ?? {};
    await truth.disable(`off ${name}`);
    proxy.always({ spoil: spoiled(kind) });
    const outcomes = await Promise.all(
      [
        keyring.verify(keyString),
        keyring.list(),
        keyring.show('first'),
        keyring.create([input(name)], { operationId: op }),
        keyring.auditVerify(),
        keyring.scopes(),
        keyring.storeCheck(),
      ].map((each) =>
        each.then(
          (value: unknown) => ({ value }),
          (error: unknown) => ({ error }),
        ),
      ),
    );
    for (const outcome of outcomes)
      if ('error' in outcome) expect(isKeysError(outcome.error), everythingSaid(outcome.error)).toBe(true);
    expect(outcomes[0]).not.toMatchObject({ value: { verdict: 'valid' } });
    proxy.always(null);
    const made = outcomes[3] as { value?: { keyString: string }[] };
    if (made.value) expect((await truth.verify(made.value[0]?.keyString)).verdict).toBe('valid');
    expect((await truth.list()).keys.filter((key) => key.name === name).length).toBeLessThanOrEqual(1);
    expect((await truth.auditVerify()).problems).toEqual([]);
  });
});
