import { expect, test } from 'vitest';
import { Place } from '../support/built-tool.js';
import { faultyProxy } from '../support/faulty-proxy.js';
import { RemotePlace } from '../support/remote-place.js';
import type { Screen } from '../support/screen.js';
import { startSqld } from '../support/sqld.js';

const SIZES = [
  [80, 24],
  [120, 40],
] as const;

async function placeWith(...names: string[]): Promise<Place> {
  const place = new Place();
  for (const name of names) await place.key(name);
  return place;
}

/** The name on the row with the pointer. */
function pointedAt(screen: Screen): string | undefined {
  return screen.visible.find((row) => row.startsWith('❯'))?.match(/[\w-]+/)?.[0];
}

test.each(SIZES)('the table fits %i x %i, and says what its keys do', async (cols, rows) => {
  const place = new Place();
  const names = Array.from({ length: 45 }, (_, i) => `key-${i}`).join('\n');
  await place.look(['create', '-', '--test', '-s', 'plan:read', '-o', 'jsonl'], { input: names });
  const screen = place.terminal(['list', '-i'], { cols, rows });
  await screen.shows(/Enter show {2}e edit {2}d disable {2}r rotate {2}x delete {2}n new {2}\/ filter {2}\? help\n*$/);
  expect(screen.visible[0]).toMatch(/^45 keys {2}in /);
  expect(screen.visible[1]).toMatch(/ {3}NAME .*MODE +STATUS +LAST USED +EXPIRES$/);
  expect(screen.visible.filter((row) => /key-\d+ .* test +● Active +not known +never$/.test(row))).toHaveLength(
    rows - 6,
  );
  expect(screen.wrapped).toBe(false);
  screen.press('down');
  await screen.shows(/❯ {2}key-43 /);
  screen.type('G');
  await screen.shows(/❯ {2}key-0 /);
  screen.type('?');
  await screen.shows(/Space +mark the key[\s\S]*any key goes back/);
  screen.press('escape');
  await screen.shows(/❯ {2}key-0 /);
  screen.press('escape');
  expect(await screen.exit).toEqual({ exitCode: 0, signal: 0 });
  expect(screen.isAsItWas).toBe(true);
});

test('in a narrow terminal the last columns are left out, and no row is broken', async () => {
  const place = await placeWith('alpha', 'a-name-of-some-length');
  const screen = place.terminal(['list', '-i'], { cols: 20, rows: 24 });
  await screen.shows(/NAME +MODE\n❯ {2}a-name-of… +test\n {3}alpha +test\n/);
  expect(screen.wrapped).toBe(false);
  screen.type('q');
  expect((await screen.exit).exitCode).toBe(0);
});

test('a filter finds the exact name first, and Esc goes one level back', async () => {
  const place = await placeWith('a1', 'a1-next', 'other');
  const screen = place.terminal(['list', '-i'], { cols: 80, rows: 24 });
  await screen.shows(/❯ {2}other /);
  screen.type('/a1');
  await screen.shows(/2 of 3 keys, filter: a1[\s\S]*❯ {2}a1 [\s\S]* {3}a1-next [\s\S]*\n\/a1/);
  screen.press('enter', 'space');
  await screen.shows(/1 marked, filter: a1/);
  screen.press('escape');
  await screen.shows(/2 of 3 keys, filter: a1 /);
  screen.press('escape');
  await screen.shows(/^3 keys {2}in/m);
  screen.press('escape');
  expect((await screen.exit).exitCode).toBe(0);
});

test('show leaves the key on the screen until Enter, and the row stays', async () => {
  const place = await placeWith('alpha', 'beta', 'gamma');
  const screen = place.terminal(['list', '-i'], { cols: 80, rows: 24 });
  await screen.shows(/❯ {2}gamma /);
  screen.press('down', 'enter');
  await screen.shows(/Name +beta\n[\s\S]*Enter goes back to the list/);
  screen.press('enter');
  await screen.shows(/❯ {2}beta /);
  screen.type('q');
  await screen.exit;
  expect(screen.text).toMatch(/Name +beta\n/);
});

test('d disables and enables, the row stays, and what was done stands on the screen afterwards', async () => {
  const place = await placeWith('alpha', 'beta');
  const screen = place.terminal(['list', '-i'], { cols: 80, rows: 24 });
  await screen.shows(/❯ {2}beta /);
  screen.press('down').type('d');
  await screen.shows(/❯ {2}alpha [^\n]*test +○ Inactive[\s\S]*Disabled "alpha" \(\w{12}\); d undoes it/);
  expect((await place.keys()).find(({ name }) => name === 'alpha')?.status).toBe('inactive');
  screen.type('d');
  await screen.shows(/❯ {2}alpha [^\n]*test +● Active[\s\S]*Enabled "alpha"/);
  screen.type('q');
  await screen.exit;
  expect(screen.text).toMatch(/Disabled "alpha" \((\w{12})\)\nUndo: unlockos-keys enable \1\nEnabled "alpha"/);
});

test('several keys are deleted after their number was typed; Esc at the question changes nothing', async () => {
  const place = await placeWith('alpha', 'beta', 'gamma');
  const screen = place.terminal(['list', '-i'], { cols: 80, rows: 24 });
  await screen.shows(/❯ {2}gamma /);
  screen.press('space', 'space').type('x');
  await screen.shows(/delete 2 keys \(0 LIVE\): "gamma", "beta"\n\? Type 2 to continue/);
  screen.press('escape');
  await screen.shows(/2 marked/);
  expect(await place.names()).toHaveLength(3);
  screen.type('x');
  await screen.shows(/Type 2 to continue[\s\S]*Type 2 to continue/);
  screen.type('2').press('enter');
  await screen.shows(/Deleted 2 keys: "gamma", "beta"/);
  expect(pointedAt(screen)).toBe('alpha');
  screen.press('ctrl-c');
  expect(await screen.exit).toEqual({ exitCode: 130, signal: 0 });
  expect(screen.text).toMatch(/error: cancelled; done before that:\n +Deleted 2 keys/);
  expect(await place.names()).toEqual(['alpha']);
});

test('the table is drawn anew when the terminal changes its size', async () => {
  const place = await placeWith('alpha', 'beta');
  const screen = place.terminal(['list', '-i'], { cols: 120, rows: 40 });
  await screen.shows(/unlk_test_\w{12}_…/);
  screen.resize(60, 15);
  await screen.shows(/n new {2}…/);
  expect(screen.visible.filter((row) => row.includes('alpha'))).toHaveLength(1);
  screen.resize(120, 40);
  await screen.shows(/unlk_test_\w{12}_…[\s\S]*\? help/);
  screen.type('q');
  expect((await screen.exit).exitCode).toBe(0);
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s ends it, and leaves the terminal as it was', async (signal) => {
  const place = await placeWith('alpha');
  const screen = place.terminal(['list', '-i'], { cols: 80, rows: 24 });
  await screen.shows(/❯ {2}alpha /);
  process.kill(screen.pid, signal);
  await screen.exit;
  expect(screen.isAsItWas).toBe(true);
});

test.each([
  'edit alpha',
  'delete alpha',
  'create',
  'list -i',
])('Ctrl-Z at `%s` gives the shell its terminal, and fg goes on where it was', async (command) => {
  const place = await placeWith('alpha');
  const screen = place.shell();
  await screen.shows(/ready>$/);
  screen.type(`tool ${command}\r`);
  const table = command === 'list -i';
  await screen.shows(table ? /❯ {2}alpha/ : /^\? /m);
  for (const times of [1, 2]) {
    screen.press('ctrl-z');
    await screen.shows(new RegExp(`(Stopped[^]*){${times}}ready>$`));
    expect(screen.isAsItWas).toBe(true);
    screen.type('tool list -q >kept; stty -a | grep -o " icanon"; echo shell-$((40 + 2))\r');
    await screen.shows(new RegExp(`( icanon\nshell-42[^]*){${times}}`));
    screen.type('fg\r');
    await screen.shows(table ? /❯ {2}alpha/ : new RegExp(`(^\\? [^]*){${times + 1}}`, 'm'));
  }
  if (table) {
    screen.type('/al');
    await screen.shows(/\n\/al/);
    screen.press('escape');
    await screen.shows(/\? help\n*$/);
    screen.type('q');
  } else {
    screen.press('ctrl-c');
    await screen.shows(/cancelled/);
    expect(screen.text.match(/\? (Name|Continue)/g), 'drawn once, and once after each fg').toHaveLength(3);
  }
  await screen.shows(/ready>$/);
  expect(screen.isAsItWas).toBe(true);
  screen.type('exit\r');
  await screen.exit;
  expect(await place.names()).toEqual(['alpha']);
});

test.each([
  ['create', /^\? Name/m],
  ['create x', /^\? Description/m],
  ['create x -d y', /^❯ Test/m],
  ['create x -d y --test', /^❯◯ checkin:read/m],
  ['create x --test -s plan:read', /^\? Copy it/m],
  ['verify', /^\? Key string/m],
  ['delete alpha', /^\? Continue/m],
  ['rotate', /^\? .*\n[\s\S]*alpha/m],
  ['list -i', /❯ {2}alpha/],
])('Ctrl-D at `%s` cancels, as Ctrl-C does', async (command, question) => {
  const place = await placeWith('alpha');
  const screen = place.shell();
  await screen.shows(/ready>$/);
  screen.type(`tool ${command}; echo "ended with $?"\r`);
  await screen.shows(question);
  screen.press('ctrl-d');
  await screen.shows(/ended with 130\nready>$/);
  expect(screen.text).toMatch(/^(error: cancelled; nothing was changed|Not copied\. Key)/m);
  expect(screen.isAsItWas).toBe(true);
});

test.each(['SIGTERM', 'SIGHUP', 'SIGINT'] as const)('%s at a question brings the cursor back', async (signal) => {
  const place = await placeWith('alpha');
  const screen = place.terminal(['create', 'x'], { cols: 80, rows: 24 });
  await screen.shows(/\? Description/);
  screen.press('enter');
  await screen.shows(/\? Mode/);
  process.kill(screen.pid, signal);
  await screen.exit;
  expect(screen.isAsItWas).toBe(true);
  expect(screen.raw, 'what comes next begins on a line of its own').toMatch(/\r\n\u001b\[\?25h$/);
  expect(await place.names()).toEqual(['alpha']);
});

test('--no-color and NO_COLOR reach the questions', async () => {
  const place = await placeWith('alpha');
  for (const args of [
    ['create', 'x', '--no-color'],
    ['list', '-i', '--no-color'],
  ]) {
    const screen = place.terminal(args, { cols: 80, rows: 24 });
    await screen.shows(/\? /);
    screen.press('ctrl-c');
    await screen.exit;
    expect(screen.raw).not.toMatch(/\u001b\[[\d;]*m/);
  }
});

test('a dumb terminal gets no cursor movement, and every question can be answered', async () => {
  const place = new Place();
  const env = { TERM: 'dumb' };
  const made = place.terminal(['create'], { env });
  await made.shows(/Name:$/);
  made.type('plain\r');
  await made.shows(/Description \(optional\):$/);
  made.type('\r');
  await made.shows(/1 Test: [\s\S]*Number:$/);
  made.type('1\r');
  await made.shows(/ 1 checkin:read[\s\S]*Numbers, separated by spaces:$/);
  made.type('1 2\r');
  await made.shows(/\(Y\/n\)$/);
  made.type('\r');
  await made.shows(/\(y\/N\)$/);
  made.type('n\r');
  expect((await made.exit).exitCode).toBe(0);
  expect(made.raw).not.toContain('\u001b');
  const list = place.terminal(['list', '-i'], { env });
  await list.shows(/q leaves\):$/);
  list.type('plain\r');
  await list.shows(/or back\?$/);
  list.type('disable\r');
  await list.shows(/Disabled "plain"[\s\S]*q leaves\):$/);
  list.type('q\r');
  expect((await list.exit).exitCode).toBe(0);
  expect(list.raw).not.toContain('\u001b');
  expect((await place.keys())[0]?.status).toBe('inactive');
});

test('without TERM nothing is known of the terminal, so questions are plain', async () => {
  const screen = new Place().shell();
  await screen.shows(/ready>$/);
  const before = screen.raw.length;
  screen.type('env -u TERM tool create\r');
  await screen.shows(/^Name:$/m);
  screen.press('ctrl-d');
  await screen.shows(/^error: cancelled; nothing was changed\nready>$/m);
  expect(screen.raw.slice(before).replace(/\u001b\[\?2004[hl]/g, ''), 'but for what bash itself says').not.toContain(
    '\u001b',
  );
});

test('questions have their colours while stdout is a pipe, and `--color always` gives them back', async () => {
  for (const [before, after] of [
    ['', ''],
    ['NO_COLOR=1 ', ' --color always'],
  ]) {
    const screen = new Place().shell();
    await screen.shows(/ready>$/);
    screen.type(`KEY=$(${before}tool create x -d y --test${after})\r`);
    await screen.shows(/❯◯ checkin:read/);
    expect(screen.raw).toContain('\u001b[36m?\u001b[39m \u001b[1mScopes');
    screen.press('ctrl-c');
    await screen.shows(/cancelled/);
  }
});

test('NO_COLOR wins over FORCE_COLOR at a question, and Node does not warn of them', async () => {
  const place = new Place();
  const env = { NO_COLOR: '1', FORCE_COLOR: '1' };
  const screen = place.terminal(['create', 'x', '-d', 'y', '--test'], { env });
  await screen.shows(/❯◯ checkin:read/);
  screen.press('ctrl-c');
  await screen.exit;
  expect(screen.raw).not.toMatch(/Warning|\u001b\[[\d;]*m/);
});

test('a hidden question on a dumb terminal shows nothing of what is typed', async () => {
  const place = new Place();
  const keyString = await place.key('alpha');
  const screen = place.terminal(['verify'], { env: { TERM: 'dumb' } });
  await screen.shows(/Key string \(hidden\):$/);
  screen.type(`${keyString}\r`);
  expect((await screen.exit).exitCode).toBe(0);
  expect(screen.raw).not.toContain(keyString.slice(-20));
});

test('on a server that is slow the screen says so, and Esc goes back without waiting', async () => {
  const server = await startSqld();
  const proxy = await faultyProxy(server.url);
  const place = new RemotePlace(server);
  for (const name of ['a', 'b']) await place.key(name);
  const start = () =>
    place.terminal(['list', '-i', '--store', proxy.url, '--timeout', '60s'], { cols: 80, rows: 24, env: BESIDE });
  const BESIDE = { UNLOCKOS_KEYS_STORE: undefined };
  proxy.always('swallow');
  const first = start();
  await first.shows(/Waiting for 127\.0\.0\.1:\d+ \(up to 60 s; Esc goes back\) …/);
  first.press('escape');
  expect(await first.exit).toEqual({ exitCode: 0, signal: 0 });
  expect(first.text).not.toContain('Waiting');
  expect(first.isAsItWas).toBe(true);

  const second = start();
  await second.shows(/Waiting for/);
  second.press('ctrl-c');
  expect(await second.exit).toEqual({ exitCode: 130, signal: 0 });
  expect(second.isAsItWas).toBe(true);

  proxy.always(null);
  const third = start();
  await third.shows(/❯ {2}b .*● Active/);
  const sent = proxy.requests;
  third.type('d');
  await third.shows(/❯ {2}b .*○ Inactive/);
  for (let nth = 3; nth < 20; nth++) proxy.at(nth, 'swallow');
  expect(proxy.requests).toBeGreaterThan(sent);
  third.type('d');
  await third.shows(/Waiting for .*Esc goes back/);
  third.press('escape');
  await third.shows(/the list may be out of date: the store has not answered/);
  expect(third.visible.some((row) => row.includes('Waiting'))).toBe(false);
  third.press('escape');
  expect((await third.exit).exitCode).toBe(0);
  expect(third.isAsItWas).toBe(true);
});
