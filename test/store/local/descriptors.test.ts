import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openStore } from '../../../src/store/open.js';
import { freshStore, LOCAL_ENGINES, options } from '../../support/stores.js';

const descriptors = () => readdirSync('/proc/self/fd').length;

test.each(
  LOCAL_ENGINES,
)('a store that is opened and closed 200 times leaves no descriptors open, on %s', async (engine) => {
  const { location } = await freshStore(engine);
  const before = descriptors();
  let most = 0;
  for (let i = 0; i < 200; i++) {
    const store = await openStore(location, options(engine, { create: false }));
    await store.audit.head();
    await store.close();
    most = Math.max(most, descriptors());
  }
  expect(most - before).toBeLessThan(200); // of 400
});
