import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Place, ROOT } from '../support/built-tool.js';

test('help --man names the man page that was shipped', async () => {
  const { exitCode, stdout } = await new Place().tool(['help', '--man']);
  expect(exitCode).toBe(0);
  expect(readFileSync(stdout.trimEnd(), 'utf8')).toMatch(/^\.TH UNLOCKOS/);
});

test('the licences of what the command line contains are shipped', () => {
  const file = path.join(ROOT, 'dist/THIRD-PARTY-LICENSES');
  expect(existsSync(file)).toBe(true);
  const text = readFileSync(file, 'utf8');
  for (const name of ['commander', '@inquirer/core', 'bcryptjs', 'drizzle-orm', 'valibot', 'yaml'])
    expect(text).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(`, 'm'));
  expect(text).toContain('Permission is hereby granted');
});
