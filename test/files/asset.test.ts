import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { assetUrl } from '../../src/files/asset.js';

test.each(['hashing/bcrypt-worker.js', 'drizzle/', 'package.json'])('%s is found', (name) => {
  const url = assetUrl(name);
  expect(url.pathname.endsWith(`/${name}`)).toBe(true);
  expect(existsSync(url)).toBe(true);
});

test('a file that only exists above the package is not found', () => {
  const root = new URL('../../', import.meta.url);
  const folderOfPackage = root.pathname.split('/').at(-2);
  expect(existsSync(new URL(`../${folderOfPackage}/`, root))).toBe(true);
  expect(() => assetUrl(`${folderOfPackage}/`)).toThrow(`unlockos-keys is incomplete: no ${folderOfPackage}/`);
});
