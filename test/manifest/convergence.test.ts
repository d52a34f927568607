import fc from 'fast-check';
import { expect, test } from 'vitest';
import { normalizeNetworks } from '../../src/domain/addresses.js';
import { isKeysError } from '../../src/domain/errors.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { OWNER_LABEL } from '../../src/manifest/manifest.js';
import { freshKeyring } from '../support/keyrings.js';
import { applied, DAY, type Failure, HOUR, manifestOf, People, planOf } from '../support/manifests.js';
import { type Clock, DEFAULT_ENGINE, START } from '../support/stores.js';

const ENGINE = DEFAULT_ENGINE;
const NAMES = ['one', 'two', 'three', 'four'];
const SCOPES = ['plan:read', 'plan:create', 'checkin:read', 'facility:read'];
const LATER = new Date(START.getTime() + 30 * DAY);

const mode = fc.oneof({ arbitrary: fc.constant('test' as const), weight: 5 }, fc.constant('live' as const));
const scopes = fc.subarray(SCOPES, { minLength: 1, maxLength: 2 });
const rateLimit = fc.constantFrom('600/m', '5/s');
const allowFrom = fc.constantFrom<string[]>([], ['10.0.0.0/8'], ['192.0.2.7', '10.0.0.0/8']);
const labels = fc.dictionary(fc.constantFrom('team', 'tier'), fc.constantFrom('a', 'b'), { maxKeys: 2 });

const existing = fc.record({
  name: fc.constantFrom(...NAMES),
  mode,
  scopes,
  labels,
  allowFrom,
  owner: fc.constantFrom('m', 'm', 'm', null, 'other'),
  status: fc.constantFrom('active', 'active', 'inactive'),
  life: fc.constantFrom(null, HOUR, 30 * DAY),
  rotated: fc.boolean(),
});

const wanted = fc.record(
  {
    name: fc.constantFrom(...NAMES),
    mode,
    scopes,
    description: fc.constantFrom('first', 'second', null),
    rateLimit,
    labels,
    allowFrom,
    disabled: fc.boolean(),
  },
  { requiredKeys: ['name', 'mode', 'scopes'] },
);

const expiry = fc.constantFrom<object>(
  {},
  {},
  { expires: '90d' },
  { expires: 'never' },
  { expiresAt: null },
  {
    expiresAt: LATER.toISOString(),
  },
);

const distinct = <T extends { name: string }>(each: fc.Arbitrary<T>) =>
  fc.uniqueArray(each, { maxLength: 4, selector: ({ name }) => name });

const scenario = fc.record({
  before: distinct(existing),
  keys: distinct(fc.tuple(wanted, expiry).map(([key, more]) => ({ ...key, ...more }))),
  catalogue: fc.constantFrom<object>({}, {}, { scopes: [...SCOPES, 'extra:read'] }),
  adopt: fc.boolean(),
  prune: fc.boolean(),
});

type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

/** A store with keys of every kind, an hour and a half before now. */
async function storeWith(before: Scenario['before'], clock: Clock): Promise<Keyring> {
  const keyring = await freshKeyring(ENGINE, clock);
  for (const { owner, status, life, rotated, ...key } of before) {
    const all = { ...key.labels, ...(owner !== null && { [OWNER_LABEL]: owner }) };
    const expiresAt = life === null ? null : new Date(clock.now.getTime() + life);
    const [made] = await keyring.create([{ ...key, labels: all, expiresAt }]);
    if (!made) throw new Error('nothing was made');
    if (rotated) await keyring.rotate(made.key.id, { overlapMs: DAY });
    if (status === 'inactive') await keyring.disable(key.name);
  }
  clock.now = new Date(clock.now.getTime() + 1.5 * HOUR);
  return keyring;
}

/** Applies until nothing is left to do; pruning takes two rounds, for what it disables goes in the next. */
async function settle(keyring: Keyring, world: Scenario, clock: Clock, people: People): Promise<void> {
  const manifest = manifestOf(world.keys, world.catalogue);
  for (let round = 0; round < (world.prune ? 2 : 1); round++) await applied(keyring, manifest, clock, people, world);
  expect((await planOf(keyring, manifest, clock.now, world)).steps).toEqual([]);
}

/** Everything that the manifest asks for is so, and whoever was given a key string has one that does what the key says. */
async function assertAsWanted(keyring: Keyring, world: Scenario, people: readonly People[]): Promise<void> {
  for (const key of world.keys) {
    const found = await keyring.show(key.name);
    expect(found.mode).toBe(key.mode);
    expect([...found.scopes].sort()).toEqual([...key.scopes].sort());
    expect(found.labels[OWNER_LABEL]).toBe('m');
    if (key.description !== undefined) expect(found.description).toBe(key.description);
    if (key.labels !== undefined) expect(found.labels).toEqual({ ...key.labels, [OWNER_LABEL]: 'm' });
    if (key.allowFrom !== undefined) expect(found.allowFrom).toEqual(normalizeNetworks(key.allowFrom));
    if (key.disabled !== undefined) expect(found.status).toBe(key.disabled ? 'inactive' : 'active');
    const strings = people.flatMap(({ strings }) => strings.get(key.name) ?? []);
    const last = strings.at(-1);
    if (last === undefined) continue;
    const verdict = await keyring.verify(last, { address: '10.1.1.1' }); // every list has it
    expect(verdict.verdict).toBe(found.status === 'inactive' ? 'inactive' : 'valid');
    expect('key' in verdict && verdict.key.id).toBe(found.id);
  }
  for (const { name, owner } of world.before)
    if (owner === 'other') expect((await keyring.show(name)).labels[OWNER_LABEL]).toBe('other');
  expect((await keyring.auditVerify()).problems).toEqual([]);
}

async function isPossible(keyring: Keyring, world: Scenario, clock: Clock): Promise<boolean> {
  try {
    await planOf(keyring, manifestOf(world.keys, world.catalogue), clock.now, world);
    return true;
  } catch (error) {
    expect(isKeysError(error, 'usage', 'conflict')).toBe(true);
    return false;
  }
}

test('whatever the store and the manifest: applied once, the manifest holds, and applied twice, nothing is written', async () => {
  const seen = { possible: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(scenario, async (world) => {
      const clock = { now: START };
      const keyring = await storeWith(world.before, clock);
      const before = await keyring.auditHead();
      if (!(await isPossible(keyring, world, clock))) {
        seen.refused += 1;
        expect(await keyring.auditHead()).toEqual(before);
        return;
      }
      seen.possible += 1;
      const people = new People();
      await settle(keyring, world, clock, people);
      await assertAsWanted(keyring, world, [people]);
      const head = await keyring.auditHead();
      clock.now = new Date(clock.now.getTime() + HOUR / 4);
      expect(await applied(keyring, manifestOf(world.keys, world.catalogue), clock, people, world)).toEqual([]);
      expect(await keyring.auditHead()).toEqual(head);
    }),
    { numRuns: 60 },
  );
  expect(Math.min(seen.possible, seen.refused)).toBeGreaterThan(3);
});

const failure = fc.record<Failure>({ at: fc.constantFrom('probe', 'deliver', 'silence'), after: fc.nat(2) });

test('wherever a run stops, the next one finishes it, and nobody is left without a key that works', async () => {
  let stopped = 0;
  await fc.assert(
    fc.asyncProperty(scenario, failure, fc.option(fc.nat(5)), async (world, failing, after) => {
      const clock = { now: START };
      const keyring = await storeWith(world.before, clock);
      fc.pre(await isPossible(keyring, world, clock));
      const first = new People(failing);
      let steps = 0;
      const run = applied(keyring, manifestOf(world.keys, world.catalogue), clock, first, {
        ...world,
        onDone: () => {
          if (steps++ === after) throw new Error('stopped');
        },
      }).then(
        () => false,
        () => true,
      );
      if (await Promise.race([run, first.failed.then(() => failing.at === 'silence' || run)])) stopped += 1;
      const people = new People();
      await settle(keyring, world, clock, people);
      await assertAsWanted(keyring, world, [first, people]);
    }),
    { numRuns: 60 },
  );
  expect(stopped).toBeGreaterThan(10);
});
