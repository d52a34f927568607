import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readPepperFile } from '../../src/files/pepper-file.js';
import { refusal } from '../support/refusal.js';
import { scratch } from '../support/stores.js';

const PEPPER = Buffer.alloc(32, 7).toString('base64');

function pepperFile(text: string, mode = 0o600): string {
  const file = path.join(scratch(), 'peppers');
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

test.each([0o640, 0o604, 0o610, 0o601, 0o620, 0o602])('peppers that others can reach (%o) are not read', (mode) => {
  const file = pepperFile(`a:${PEPPER}\n`, mode);
  expect(refusal(() => readPepperFile(file, 'linux'))).toMatchObject({
    code: 'unsafe_path',
    message: `cannot read the pepper file "${file}": other users can read it`,
    hint: `chmod 600 ${file}`,
  });
});

test('a file that holds something else is refused without repeating it, and one that is too large is not read', () => {
  const error = refusal(() => readPepperFile(pepperFile('hunter2'), 'linux'));
  expect(error.code).toBe('usage');
  expect(`${error.message} ${error.hint}`).not.toContain('hunter2');
  const large = refusal(() => readPepperFile(pepperFile('x'.repeat(65_537)), 'linux'));
  expect(large).toMatchObject({ code: 'unsafe_path', message: expect.stringContaining('larger than 64 KiB') });
  expect(refusal(() => readPepperFile(pepperFile('x'.repeat(65_536)), 'linux')).code).toBe('usage');
});

test('on Windows, where a mode says nothing, it is not looked at', () => {
  expect(refusal(() => readPepperFile(pepperFile('hunter2', 0o644), 'win32')).code).toBe('usage');
});
