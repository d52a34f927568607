import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isKeysError } from '../../src/domain/errors.js';
import { change, ENGINES, freshStore, keyringOver, newKey, START } from '../support/stores.js';

type Step = readonly ['create' | 'delete' | 'enable' | 'disable' | 'rename', number];

const NAMES = ['a', 'B', 'c'];
const steps = fc.array(
  fc.tuple(fc.constantFrom<Step[0]>('create', 'delete', 'enable', 'disable', 'rename'), fc.nat(NAMES.length - 1)),
  { minLength: 5, maxLength: 25 },
);

describe.each(ENGINES)('random histories, on %s', (engine) => {
  test('the store holds what a map would, refuses what a map would, and its log replays to it', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (history) => {
        const store = await freshStore(engine);
        const model = new Map<string, { id: string; status: string }>();
        for (const [verb, n] of history) {
          const name = NAMES[n] ?? '';
          const known = model.get(name);
          const next = NAMES[(n + 1) % NAMES.length] ?? '';
          try {
            if (verb === 'create') {
              const [{ key } = {}] = await store.create([newKey(name)], change());
              expect(known).toBeUndefined();
              model.set(name, { id: key?.id ?? '', status: 'active' });
            } else if (known && verb === 'delete') {
              await store.delete(known.id, change());
              model.delete(name);
            } else if (known && verb === 'rename') {
              await store.edit(known.id, { name: next }, change());
              expect(model.has(next)).toBe(false);
              model.delete(name);
              model.set(next, known);
            } else if (known) {
              const status = verb === 'enable' ? 'active' : 'inactive';
              const { changed } = await store.setStatus(known.id, status, change());
              expect(changed).toBe(known.status !== status);
              known.status = status;
            }
          } catch (error) {
            if (!isKeysError(error, 'name_taken')) throw error;
            expect(model.has(verb === 'rename' ? next : name)).toBe(true);
          }
        }
        const stored = (await store.list({ now: START, sort: 'name' })).keys.map(({ id, name, status }) => [
          name,
          id,
          status,
        ]);
        const expected = [...model].map(([name, { id, status }]) => [name, id, status]);
        expect(stored.sort()).toEqual(expected.sort());
        expect((await keyringOver(store).auditVerify()).problems).toEqual([]);
      }),
      { numRuns: 15, seed: 20261123 },
    );
  });
});
