import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isKeysError } from '../../src/domain/errors.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { openStore } from '../../src/store/open.js';
import { faultyProxy } from '../support/faulty-proxy.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { DAY, HOUR, overlap, scene, verdicts } from '../support/rotations.js';
import { ENGINES, keyringOver, options } from '../support/stores.js';

const OP = 'rotate-ci-4711';

describe('through a bad network', () => {
  /** Long enough for a busy machine to answer in, short enough to be waited for where nobody answers. */
  const PATIENCE_MS = 3000;
  /** The four requests of a rotation: the key, what there is, what the change is based on, the change. */
  const REQUESTS = [1, 2, 3, 4];

  async function keyringAt(url: string): Promise<Keyring> {
    const store = await openStore(url, options('sqld', { timeoutMs: PATIENCE_MS }));
    onTestFinished(() => store.close().catch(() => {}));
    return keyringOver(store);
  }

  async function badNetwork() {
    const truth = await freshKeyring('sqld');
    const old = await make(truth, 'ci');
    const proxy = await faultyProxy(truth.location);
    const keyring = await keyringAt(proxy.url);
    await keyring.list({ limit: 1 }); // the schema is known from here on
    return { truth, old, proxy, keyring };
  }

  test.each(
    REQUESTS.flatMap((nth) =>
      (['drop', 'cut-before-reply', 'cut-reply'] as const).map((fault) => [nth, fault] as const),
    ),
  )('whose request %i meets with %s, it is made once', async (nth, fault) => {
    const { truth, old, proxy, keyring } = await badNetwork();
    proxy.at(nth, fault);
    const { keyString } = await keyring.rotate('ci', overlap(DAY), { operationId: OP });
    expect(await verdicts(truth, old.keyString, keyString)).toEqual(['valid', 'valid']);
    expect((await truth.operation(OP)).map(({ action }) => action)).toEqual(['key.rotate', 'key.create']);
    expect((await truth.auditVerify()).problems).toEqual([]);
  });

  test.each([
    ['swallow', 0],
    ['cut-before-reply', 1],
  ] as const)('that hears nothing more from its change on (%s) it has an unknown outcome; run again, it is finished', async (fault, lost) => {
    const { truth, old, proxy, keyring } = await badNetwork();
    proxy.at(4, fault).at(5, 'swallow');
    await expect(keyring.rotate('ci', overlap(DAY), { operationId: OP })).rejects.toMatchObject({
      code: 'outcome_unknown',
      hint: expect.stringContaining(`--operation-id ${OP}`),
    });
    const { keyString, retired } = await keyring.rotate('ci', overlap(DAY), { operationId: OP });
    expect(retired.id).toBe(old.key.id);
    expect(await verdicts(truth, old.keyString, keyString)).toEqual(['valid', 'valid']);
    expect((await truth.list({ status: 'active' })).keys).toHaveLength(2);
    expect((await truth.list({ status: 'expired' })).keys).toHaveLength(lost);
    expect((await truth.auditVerify()).problems).toEqual([]);
  });
});

type Verb = 'create' | 'rotate' | 'finish' | 'disable' | 'enable' | 'delete' | 'again';
const VERBS: readonly Verb[] = ['create', 'rotate', 'rotate', 'finish', 'disable', 'enable', 'delete', 'again'];
const NAMES = ['a', 'b'];
const steps = fc.array(
  fc.record({
    verb: fc.constantFrom(...VERBS),
    name: fc.constantFrom(...NAMES),
    hours: fc.integer({ min: 0, max: 30 }),
    life: fc.option(fc.integer({ min: 1, max: 60 }), { nil: null }),
  }),
  { minLength: 6, maxLength: 20 },
);

describe.each(ENGINES)('after any history, on %s', (engine) => {
  test('the audit log verifies, no end was ever moved away, and the links go both ways', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (history) => {
        const { clock, keyring } = await scene(engine);
        const ends = new Map<string, number>();
        let changes = 0;
        for (const [i, { verb, name, hours, life }] of history.entries()) {
          clock.now = new Date(clock.now.getTime() + hours * HOUR);
          const before = await keyring.auditHead();
          try {
            if (verb === 'create')
              await make(keyring, name, {
                expiresAt: life === null ? null : new Date(clock.now.getTime() + life * HOUR),
              });
            else if (verb === 'rotate')
              await keyring.rotate(name, overlap(hours * HOUR), { operationId: `operation-${i}` });
            else if (verb === 'again')
              await keyring.rotate(name, overlap(hours * HOUR), { operationId: `operation-${i - 1}` });
            else if (verb === 'finish') await keyring.finishRotation(name, { force: true });
            else await keyring[verb](name);
          } catch (error) {
            if (!isKeysError(error, 'not_found', 'conflict', 'name_taken', 'ambiguous')) throw error;
            expect(await keyring.auditHead()).toEqual(before);
          }
          const { keys } = await keyring.list();
          for (const { id, expiresAt } of keys) {
            const end = expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
            expect(end).toBeLessThanOrEqual(ends.get(id) ?? end);
            ends.set(id, end);
          }
          for (const { id, rotatedTo } of keys) {
            const successor = keys.find((key) => key.id === rotatedTo);
            if (successor) expect(successor.rotatedFrom).toBe(id);
          }
          changes += (await keyring.auditHead()).seq - before.seq;
        }
        expect((await keyring.auditVerify()).problems).toEqual([]);
        expect((await keyring.auditHead()).seq).toBe(changes + 1);
      }),
      { numRuns: engine === 'sqld' ? 5 : 20, seed: 20261123 },
    );
  });
});
