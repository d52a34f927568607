import { expect, test } from 'vitest';
import {
  apply,
  changesOf,
  type Destination,
  makesKey,
  type NewKey,
  nameOf,
  plan,
  readManifest,
} from '../../src/manifest/index.js';
import { freshKeyring } from '../support/keyrings.js';
import { refusal } from '../support/refusal.js';
import { DEFAULT_ENGINE, START } from '../support/stores.js';

const TEXT = 'version: 1\nname: team\nkeys:\n  - { name: partner-ci, mode: test, scopes: [plan:read] }\n';

test('a program reads a manifest, looks at the plan, applies it, and has nothing left to do', async () => {
  const keyring = await freshKeyring(DEFAULT_ENGINE, { now: START });
  const vault = new Map<string, string | null>();
  const manifest = readManifest(TEXT, 'keys.yaml');

  const first = await plan(keyring, manifest, { prune: true });
  expect(first.steps.map((step) => [step.action, nameOf(step), makesKey(step)])).toEqual([
    ['create', 'partner-ci', true],
  ]);
  expect(first.steps.map((step) => changesOf(step).scopes)).toEqual([{ before: null, after: ['plan:read'] }]);
  expect((await keyring.list()).keys).toEqual([]);

  const destinationOf = (step: Parameters<typeof nameOf>[0]): Destination<NewKey> => ({
    probe() {},
    deliver: ({ keyString }) => {
      vault.set(nameOf(step), keyString);
    },
    abandon() {},
  });
  const done = await apply(keyring, first, { destinationOf });
  expect(done.map(({ key }) => key?.name)).toEqual(['partner-ci']);
  expect((await keyring.verify(vault.get('partner-ci') ?? '')).verdict).toBe('valid');
  expect((await plan(keyring, manifest)).steps).toEqual([]);
});

test('a manifest with problems is refused with all of them', () => {
  const error = refusal(() => readManifest('version: 2\nkeys: []\n'));
  expect(error.message.split('\n')).toEqual([
    expect.stringMatching(/^manifest:1:1: the manifest has no name; /),
    expect.stringMatching(/^manifest:1:10: version of the manifest is not supported; /),
  ]);
});
