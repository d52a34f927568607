import { expect, test } from 'vitest';
import { Place } from '../support/built-tool.js';

async function placeWith(...names: string[]): Promise<Place> {
  const place = new Place();
  for (const name of names) await place.key(name);
  return place;
}

test.each([60, 80, 97, 200])('a list fits a terminal of %i columns', async (cols) => {
  const place = new Place();
  await place.key(
    'partner',
    '-d',
    'reads the plan and the check-ins of every facility, once an hour',
    '-s',
    'plan:read,facility:read',
  );
  await place.key(
    '名前がとても長い鍵 of a partner with a long name',
    '-d',
    '説明'.repeat(40),
    '-s',
    'plan:*,facility:*',
  );
  await place.key('worn-out', '--live', '--expires', '90d');
  const screen = place.terminal(['list'], { cols, rows: 20 });
  expect(await screen.exit).toEqual({ exitCode: 0, signal: 0 });
  expect(screen.wrapped).toBe(false);
  expect(screen.text).toMatch(/^NAME +(KEY|ID) +/);
  expect(screen.text).toMatch(/^worn-out +(unlk_live_[0-9a-z]{12}_…|[0-9a-z]{12}) /m);
  expect(screen.text.match(/● Active/g)).toHaveLength(3);
  expect(screen.text).toContain('3 keys (1 live, 2 test)');
  expect(screen.text.split('\n')[0]?.includes('DESCRIPTION')).toBe(cols === 200);
});

test('edit asks for each field with its present value filled in, and a field that was emptied is empty', async () => {
  const place = new Place();
  await place.key('alpha', '-d', 'nightly');
  const screen = place.terminal(['edit', 'alpha']);
  await screen.shows(/\? Name alpha/);
  screen.type('-2').press('enter');
  await screen.shows(/\? Description \(optional\) nightly/);
  screen.press('ctrl-u').press('enter');
  await screen.shows(/\? Rate limit 600\/m/);
  screen.press('ctrl-u').type('lots').press('enter');
  await screen.shows(/> .*lots/);
  screen.press('ctrl-u').type('5/s').press('enter');
  await screen.shows(/\? Expires .*never/);
  screen.press('enter');
  await screen.shows(/\? Works from \(.*, or any\) any/);
  screen.press('ctrl-u').type('10.0.0.1').press('enter');
  await screen.shows(/\? Labels/);
  screen.type('team=ops').press('enter');
  expect(await screen.exit).toEqual({ exitCode: 0, signal: 0 });
  expect(screen.text).toContain('Changed alpha-2');
  expect((await place.keys())[0]).toMatchObject({
    name: 'alpha-2',
    description: null,
    allowFrom: ['10.0.0.1/32'],
    rateLimit: { limit: 5, windowSeconds: 1 },
  });
});

test('Ctrl-C in the middle of an edit changes nothing', async () => {
  const place = await placeWith('alpha');
  const screen = place.terminal(['edit', 'alpha']);
  await screen.shows(/\? Name alpha/);
  screen.type('-2').press('enter');
  await screen.shows(/\? Description/);
  screen.press('ctrl-c');
  expect(await screen.exit).toEqual({ exitCode: 130, signal: 0 });
  expect(await place.names()).toEqual(['alpha']);
});

test('deleting a live key with a wrong name typed ends with 6 and deletes nothing', async () => {
  const place = new Place();
  await place.key('partner', '--live');
  const screen = place.terminal(['delete', 'partner']);
  await screen.shows(/\? Type partner to continue/);
  screen.type('partner-2').press('enter');
  expect(await screen.exit).toEqual({ exitCode: 6, signal: 0 });
  expect(await place.names()).toEqual(['partner']);
});

test('deleting a test key asks for a yes, and Enter alone means no', async () => {
  const place = await placeWith('alpha');
  const first = place.terminal(['delete', 'alpha']);
  await first.shows(/This will delete TEST key "alpha"[\s\S]*\? Continue\? \(y\/N\)/);
  first.press('enter');
  expect((await first.exit).exitCode).toBe(6);
  expect(await place.names()).toEqual(['alpha']);
  const second = place.terminal(['delete', 'alpha']);
  await second.shows(/\? Continue\?/);
  second.type('y').press('enter');
  expect((await second.exit).exitCode).toBe(0);
  expect(await place.names()).toEqual([]);
});

test('verify reads the key string at a prompt that shows nothing of it', async () => {
  const place = new Place();
  const keyString = await place.key('alpha');
  const screen = place.terminal(['verify']);
  await screen.shows(/\? Key string \(hidden\)/);
  screen.type(keyString).press('enter');
  expect(await screen.exit).toEqual({ exitCode: 0, signal: 0 });
  expect(screen.text).toContain('valid: "alpha"');
  const secret = keyString.slice(-38);
  for (let at = 0; at + 6 <= secret.length; at++) expect(screen.raw).not.toContain(secret.slice(at, at + 6));
});

test.each([{ TERM: 'dumb' }, { NO_COLOR: '1' }])('no colour in a terminal with %j', async (env) => {
  const place = await placeWith('alpha');
  const plain = place.terminal(['list'], { env });
  await plain.exit;
  expect(plain.raw).not.toContain('\u001b[');
  const painted = place.terminal(['list']);
  await painted.exit;
  expect(painted.raw).toContain('\u001b[');
});
