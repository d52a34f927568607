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
  expect(screen.text).toMatch(/^NAME +KEY +/);
  expect(screen.text).toMatch(/^worn-out +unlk_live_[0-9a-z]{12}_… /m);
  expect(screen.text.match(/● Active/g)).toHaveLength(3);
  expect(screen.text).toContain('3 keys (1 live, 2 test)');
  expect(screen.text.includes('DESCRIPTION')).toBe(cols === 200);
});

test('list -i: a key is found by typing, shown, and the list comes back', async () => {
  const place = await placeWith('alpha', 'beta');
  const screen = place.terminal(['list', '-i']);
  await screen.shows(/\? Key \(type to search\)[\s\S]*beta[\s\S]*alpha[\s\S]*Quit/);
  screen.type('alp');
  await screen.shows(/\? Key \(type to search\) alp\n❯ alpha [^\n]*● Active\n\n/);
  screen.press('enter');
  await screen.shows(/\? alpha:\n❯ Show\n/);
  screen.press('enter');
  await screen.shows(/Name +alpha\n[\s\S]*key\.create[\s\S]*\? Key \(type to search\)/);
  screen.type('Quit');
  await screen.shows(/search\) Quit\n❯ Quit\n/);
  screen.press('enter');
  expect(await screen.exit).toEqual({ exitCode: 0, signal: 0 });
});

test('list -i: a key is disabled and enabled again', async () => {
  const place = await placeWith('alpha');
  const screen = place.terminal(['list', '-i']);
  await screen.shows(/❯ alpha /);
  screen.press('enter');
  await screen.shows(/❯ Show/);
  screen.press('down', 'down');
  await screen.shows(/❯ Disable/);
  screen.press('enter');
  await screen.shows(/Disabled alpha[\s\S]*❯ alpha [^\n]*○ Inactive/);
  expect((await place.keys())[0]?.status).toBe('inactive');
  screen.press('enter');
  await screen.shows(/\? alpha:\n❯ Show/);
  screen.press('down', 'down');
  await screen.shows(/❯ Enable/);
  screen.press('enter');
  await screen.shows(/Enabled alpha[\s\S]*❯ alpha [^\n]*● Active/);
  expect((await place.keys())[0]?.status).toBe('active');
});

test('list -i: a live key is deleted only once its name was typed', async () => {
  const place = new Place();
  await place.key('partner', '--live');
  await place.key('other');
  const screen = place.terminal(['list', '-i']);
  const deletePartner = async () => {
    await screen.shows(/\? Key \(type to search\)/);
    screen.type('partner');
    await screen.shows(/search\) partner\n❯ partner/);
    screen.press('enter');
    await screen.shows(/\? partner:\n❯ Show/);
    screen.press('down', 'down', 'down');
    await screen.shows(/❯ Delete/);
    screen.press('enter');
    await screen.shows(/This deletes LIVE key "partner"[^\n]*never used\n\? Type partner to go on/);
  };
  await deletePartner();
  screen.type('other').press('enter');
  await screen.shows(/error: not confirmed; nothing was changed\n\? Key/);
  expect(await place.names()).toEqual(['other', 'partner']);
  await deletePartner();
  screen.type('partner').press('enter');
  await screen.shows(/Deleted partner/);
  expect(await place.names()).toEqual(['other']);
});

test.each([
  'search',
  'action',
])('list -i: Ctrl-C at the %s prompt ends with 130 and changes nothing', async (prompt) => {
  const place = await placeWith('alpha');
  const screen = place.terminal(['list', '-i']);
  await screen.shows(/❯ alpha /);
  if (prompt === 'action') {
    screen.press('enter');
    await screen.shows(/❯ Show/);
  }
  screen.press('ctrl-c');
  expect(await screen.exit).toEqual({ exitCode: 130, signal: 0 });
  expect((await place.keys())[0]).toMatchObject({ name: 'alpha', status: 'active' });
});

test('edit asks for name, description and rate limit with their present values filled in', async () => {
  const place = new Place();
  await place.key('alpha', '-d', 'nightly');
  const screen = place.terminal(['edit', 'alpha']);
  await screen.shows(/\? Name alpha/);
  screen.type('-2').press('enter');
  await screen.shows(/\? Description \(optional\) nightly/);
  screen.press('enter');
  await screen.shows(/\? Rate limit 600\/m/);
  screen.press('ctrl-u').type('lots').press('enter');
  await screen.shows(/> .*lots/);
  screen.press('ctrl-u').type('5/s').press('enter');
  expect(await screen.exit).toEqual({ exitCode: 0, signal: 0 });
  expect(screen.text).toContain('Changed alpha-2');
  expect((await place.keys())[0]).toMatchObject({
    name: 'alpha-2',
    description: 'nightly',
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
  await screen.shows(/\? Type partner to go on/);
  screen.type('partner-2').press('enter');
  expect(await screen.exit).toEqual({ exitCode: 6, signal: 0 });
  expect(await place.names()).toEqual(['partner']);
});

test('deleting a test key asks for a yes, and Enter alone means no', async () => {
  const place = await placeWith('alpha');
  const first = place.terminal(['delete', 'alpha']);
  await first.shows(/This deletes TEST key "alpha"[\s\S]*\? Go on\? \(y\/N\)/);
  first.press('enter');
  expect((await first.exit).exitCode).toBe(6);
  expect(await place.names()).toEqual(['alpha']);
  const second = place.terminal(['delete', 'alpha']);
  await second.shows(/\? Go on\?/);
  second.type('y').press('enter');
  expect((await second.exit).exitCode).toBe(0);
  expect(await place.names()).toEqual([]);
});

test('verify reads the key string at a prompt that shows nothing of it', async () => {
  const place = new Place();
  const keyString = await place.key('alpha');
  const screen = place.terminal(['verify']);
  await screen.shows(/\? Key string \(not shown\)/);
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
