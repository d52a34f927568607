import { expect, test } from 'vitest';
import { PLACES, splitAtVersion } from '../../scripts/version-places.mjs';
import { VERSION } from '../../src/version.js';

test.each(PLACES)('$file says which version it is', (place) => {
  expect(splitAtVersion(place)[1]).toBe(VERSION);
});
