import { expect, test } from 'vitest';
import { absolutePath } from '../../src/files/search-path.js';

test.each([
  ['/usr/bin:/bin', '/usr/bin:/bin'],
  [':/opt/bin', '/opt/bin'],
  ['/opt/bin:', '/opt/bin'],
  ['.:/opt/bin:bin:..:./x:/sbin', '/opt/bin:/sbin'],
  ['', '/usr/bin:/bin'],
  [undefined, '/usr/bin:/bin'],
  ['.', '/usr/bin:/bin'],
])('PATH=%s finds no program of the working directory', (searchPath, safe) => {
  expect(absolutePath(searchPath)).toBe(safe);
});
