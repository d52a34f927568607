import { expect, test } from 'vitest';
import { Log } from '../../src/http-server/log.js';

test('with a slow reader, no line blocks; the excess is dropped and counted', async () => {
  const written: string[] = [];
  let take: () => void = () => {};
  const log = new Log(
    (text) => {
      written.push(text);
      return new Promise((resolve) => {
        take = resolve;
      });
    },
    () => new Date(0),
  );
  log.line('info', 'first');
  await null;
  await null;
  for (let i = 0; i < 2000; i++) log.line('info', 'x'.repeat(1000));
  expect(written).toHaveLength(1);
  for (let i = 0; i < 3; i++) {
    take();
    await new Promise(setImmediate);
  }
  await log.flush();
  const lines = written.join('').trim().split('\n');
  expect(lines.length).toBeGreaterThan(900);
  expect(lines.length).toBeLessThan(1100);
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ level: 'warn', lines: 2000 - (lines.length - 2) });
});
