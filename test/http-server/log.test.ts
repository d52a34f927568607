import { expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
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

/** A log whose writes are kept, or fail. */
function open() {
  const written: string[] = [];
  let failing = false;
  const write = async (text: string) => {
    if (failing) throw new Error('full');
    written.push(text);
  };
  const fail = (on: boolean) => {
    failing = on;
  };
  return { log: new Log(write, () => new Date(0)), written, fail };
}

test('a line is JSON with its time, its level and its fields, on one line and without a key string', async () => {
  const { log, written } = open();
  const { keyString, secret } = mintKeyString('live');
  log.line('warn', `a\nb \u001b[2J ${keyString}`, {
    uri: `/x?key=${keyString}`,
    ms: 1.5,
    none: null,
    unset: undefined,
  });
  await log.flush();
  const text = written.join('');
  expect(text.endsWith('}\n')).toBe(true);
  expect(text.slice(0, -1)).not.toContain('\n');
  expect(text).not.toContain(secret);
  expect(text).not.toContain('\u001b');
  expect(JSON.parse(text)).toEqual({
    time: '1970-01-01T00:00:00.000Z',
    level: 'warn',
    message: expect.stringMatching(/^a\nb \u001b\[2J unlk_live_/),
    uri: expect.stringMatching(/^\/x\?key=unlk_live_/),
    ms: 1.5,
    none: null,
  });
});

test('lines of one moment are written together, in order, and a write that fails loses only its own', async () => {
  const { log, written, fail } = open();
  log.line('info', '1');
  log.line('info', '2');
  await log.flush();
  expect(written.map((text) => text.split('\n').length - 1)).toEqual([2]);
  fail(true);
  log.line('info', '3');
  await log.flush();
  fail(false);
  log.line('info', '4');
  await log.flush();
  const messages = written
    .join('')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).message);
  expect(messages).toEqual(['1', '2', '4']);
  await log.flush();
  expect(written).toHaveLength(2);
});
