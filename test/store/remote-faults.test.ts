import { randomInt } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isKeysError, type KeysError } from '../../src/domain/errors.js';
import { Keyring } from '../../src/keyring/keyring.js';
import { openStore } from '../../src/store/open.js';
import { type Fault, type FaultyProxy, faultyProxy } from '../support/faulty-proxy.js';
import { HOSTILE, hostile } from '../support/hostile-server.js';
import { input } from '../support/keyrings.js';
import { SPOILED, spoiled } from '../support/spoiled-answers.js';
import { type Sqld, startSqld, TOKENS } from '../support/sqld.js';
import { BY, START } from '../support/stores.js';

/** Long enough for a busy machine to answer in, short enough to be waited for where nobody answers. */
const PATIENCE_MS = 1500;

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
  onTestFinished(() => store.close().catch(() => {}));
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
  await keyring.list({ limit: 1 }); // the schema is known from here on
  return { server, proxy, keyring, truth };
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

const OP = 'operation-of-this-test';
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
  test.each(
    LOST.flatMap(([what, fault]) => REQUESTS.map((nth) => [nth, what, fault] as const)),
  )('whose request %i is %s makes one key, with one audit row', async (nth, _, fault) => {
    const { proxy, keyring, truth } = await scene();
    proxy.at(nth, fault);
    const [made] = await keyring.create([input('ci')], { operationId: OP });
    await expectOne(truth, 'ci', made?.keyString, OP);
  });

  test.each([
    'swallow',
    'swallow-reply',
  ] as const)('whose change meets with silence (%s) makes one key', async (fault) => {
    const { proxy, keyring, truth } = await scene();
    proxy.at(3, fault);
    const [made] = await keyring.create([input('ci')], { operationId: OP });
    await expectOne(truth, 'ci', made?.keyString, OP);
  });

  test.each([
    ['swallow', 0],
    ['swallow-reply', 1],
    ['cut-before-reply', 1],
  ] as const)('that hears nothing more from its change on (%s) has an unknown outcome; run again, it is finished', async (fault, there) => {
    const { proxy, keyring, truth } = await scene();
    proxy.at(3, fault).at(4, 'swallow');
    const error = await keyring.create([input('ci')], { operationId: OP }).then(
      () => null,
      (thrown) => thrown,
    );
    expect(error).toMatchObject({ code: 'outcome_unknown', message: expect.stringContaining(OP) });
    expect(`${error.message}${error.hint}`).not.toMatch(/unlk_/);
    expect((await truth.operation(OP)).length).toBe(there);
    const [made] = await keyring.create([input('ci')], { operationId: OP });
    const keys = (await truth.list()).keys.filter(({ name }) => name === 'ci');
    expect(keys.map(({ id }) => id)).toEqual([made?.key.id]);
    expect((await truth.verify(made?.keyString)).verdict).toBe('valid');
    expect((await truth.auditVerify()).problems).toEqual([]);
  });

  test('that hears nothing before its change was sent has a known outcome: nothing', async () => {
    for (const nth of [1, 2]) {
      const { proxy, keyring, truth } = await scene();
      proxy.at(nth, 'swallow');
      await expect(keyring.create([input('ci')], { operationId: OP })).rejects.toMatchObject({
        code: 'store_unavailable',
      });
      expect(await truth.operation(OP)).toEqual([]);
    }
  });

  test('whose change arrives late, after it was sent again, is made once', async () => {
    const { proxy, keyring, truth } = await scene();
    let release = () => {};
    proxy.at(3, { holdUntil: new Promise<void>((resolve) => (release = resolve)) });
    const [made] = await keyring.create([input('ci')], { operationId: OP });
    const { bodies } = proxy;
    release();
    await keyring.list();
    expect(bodies.filter((body) => body.includes('COMMIT') && body.includes(OP)).length).toBeGreaterThan(1);
    await expectOne(truth, 'ci', made?.keyString, OP);
  });

  test('a change of another tool in between is planned on, not over', async () => {
    const { proxy, keyring, truth } = await scene();
    let release = () => {};
    proxy.at(3, { holdUntil: new Promise<void>((resolve) => (release = resolve)) });
    const creating = keyring.create([input('ci')], { operationId: OP });
    await proxy.arrived(proxy.requests + 3);
    await truth.create([input('in between')]);
    release();
    const [made] = await creating;
    await expectOne(truth, 'ci', made?.keyString, OP);
  });

  test('a name that another tool takes in between is taken', async () => {
    const { proxy, keyring, truth } = await scene();
    let release = () => {};
    proxy.at(3, { holdUntil: new Promise<void>((resolve) => (release = resolve)) });
    const creating = keyring.create([input('ci')]);
    await proxy.arrived(proxy.requests + 3);
    await truth.create([input('ci')]);
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
  test('between two requests comes back with all that it acknowledged', async () => {
    const { server, keyring, truth } = await scene();
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
    const { server, proxy, keyring, truth } = await scene();
    const requests = proxy.requests + nth;
    const creating = keyring.create([input('ci')], { operationId: OP }).catch((error) => error);
    await proxy.arrived(requests);
    await server.kill();
    const first = await creating;
    await server.start();
    if (!Array.isArray(first))
      expect(first).toMatchObject({ code: expect.stringMatching(/^(outcome_unknown|store_unavailable)$/) });
    const [made] = Array.isArray(first) ? first : await keyring.create([input('ci')], { operationId: OP });
    const keys = (await truth.list()).keys.filter(({ name }) => name === 'ci');
    expect(keys.map(({ id }) => id)).toEqual([made?.key.id]);
    expect((await truth.verify(made?.keyString)).verdict).toBe('valid');
    expect((await truth.auditVerify()).problems).toEqual([]);
  });

  test('and comes back within the retries is not noticed by a reader', async () => {
    const { proxy, keyring } = await scene();
    await proxy.refuse();
    const listing = keyring.list();
    await proxy.listen();
    expect((await listing).keys).toHaveLength(1);
  });
});

describe('every other change, once, whatever is lost', () => {
  const CHANGES: [string, string, (keyring: Keyring) => Promise<unknown>][] = [
    ['disable', 'key.disable', (keyring) => keyring.disable('first', { operationId: OP })],
    ['edit', 'key.edit', (keyring) => keyring.edit('first', { description: 'new' }, { operationId: OP })],
    ['delete', 'key.delete', (keyring) => keyring.delete('first', { operationId: OP })],
    ['scopes add', 'scope.add', (keyring) => keyring.addScope('report:read', 'Reports', { operationId: OP })],
    ['scopes retire', 'scope.retire', (keyring) => keyring.retireScope('plan:read', { operationId: OP })],
  ];
  test.each(
    CHANGES.flatMap(([verb, action, change]) =>
      (['drop', 'cut-before-reply', 'swallow-reply', 'gateway-timeout'] as const).map(
        (fault) => [verb, fault, action, change] as const,
      ),
    ),
  )('%s with its last request failing (%s)', async (_, fault, action, change) => {
    const { proxy, keyring, truth } = await scene();
    const before = (await truth.auditHead()).seq;
    await change(await keyringAt(proxy.url)); // how many requests it takes
    const count = proxy.requests;
    expect(count).toBeGreaterThan(0);
    expect((await truth.auditHead()).seq).toBe(before + 1);
    const again = await scene();
    const taken = again.proxy.requests;
    again.proxy.at(count - 1, fault);
    await change(again.keyring);
    expect(again.proxy.requests).toBeGreaterThan(taken);
    expect((await again.truth.operation(OP)).map((event) => event.action)).toEqual([action]);
    expect((await again.truth.auditVerify()).problems).toEqual([]);
    expect((await keyring.list()).keys.length).toBeLessThanOrEqual(1);
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

  test.each(
    SPOILED,
  )('with %s never makes a key verify that should not, and never throws what we do not know', async (kind) => {
    const { proxy, keyring, truth } = await scene();
    const { keyString } = (await truth.create([input('off')]))[0] ?? {};
    await truth.disable('off');
    proxy.always({ spoil: spoiled(kind) });
    const outcomes = await Promise.all(
      [
        keyring.verify(keyString),
        keyring.list(),
        keyring.show('first'),
        keyring.create([input('ci')], { operationId: OP }),
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
    expect((await truth.list()).keys.filter(({ name }) => name === 'ci').length).toBeLessThanOrEqual(1);
    expect((await truth.auditVerify()).problems).toEqual([]);
  });
});
