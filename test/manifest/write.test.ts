import { expect, test } from 'vitest';
import { parseManifest } from '../../src/manifest/parse.js';
import { manifestDocument } from '../../src/manifest/write.js';
import { freshKeyring, make } from '../support/keyrings.js';
import { applied, DAY, planOf } from '../support/manifests.js';
import { DEFAULT_ENGINE, START } from '../support/stores.js';

test('the manifest of keys that are there changes nothing but whose they are', async () => {
  const clock = { now: START };
  const keyring = await freshKeyring(DEFAULT_ENGINE, clock);
  await make(keyring, 'plain');
  await make(keyring, 'Zoë "1"', {
    mode: 'live',
    scopes: ['plan:read', 'checkin:read'],
    description: 'yes: no',
    rateLimit: { limit: 90, windowSeconds: 90 },
    expiresAt: new Date(START.getTime() + DAY),
    labels: { team: 'x', 'manifest/delivery': 'pending' },
  });
  await keyring.disable('plain');
  const { keys } = await keyring.list();
  const document = manifestDocument('m', keys);
  expect(JSON.stringify(document)).not.toContain('pending');
  const manifest = parseManifest(JSON.stringify(document), 'keys.json');
  const done = await applied(keyring, manifest, clock, undefined, { adopt: true });
  expect(done.map(({ step }) => step)).toMatchObject([
    { action: 'edit', adopts: true },
    { action: 'edit', adopts: true },
  ]);
  expect((await planOf(keyring, manifest, clock.now)).steps).toEqual([]);
});
