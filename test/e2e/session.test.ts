import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { keyStrings, Place, ROOT } from '../support/built-tool.js';
import { read } from '../support/documents.js';

test('the picture in README is what the tool shows today (npm run session draws it anew)', async () => {
  const place = new Place();
  const drawn = await place.run(process.execPath, [
    path.join(ROOT, 'scripts/session-svg.mjs'),
    place.file('session.svg'),
  ]);
  expect(drawn.exitCode, drawn.stderr).toBe(0);
  expect(read('docs/session.svg')).toBe(readFileSync(place.file('session.svg'), 'utf8'));
});

test('the picture holds no key string that could work', async () => {
  const [shown = '', ...others] = [...new Set(keyStrings(read('docs/session.svg')))];
  expect(others).toEqual([]);
  const identified = await new Place().tool(['identify', '--stdin', '--json'], { input: shown });
  expect(JSON.parse(identified.stdout)).toMatchObject({ checksum: 'bad' });
});
