import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import stringWidth from 'string-width';
import { describe, expect, test } from 'vitest';
import { osc52 } from '../../src/cli/clipboard.js';
import { KEY_STRING_IN_TEXT } from '../../src/domain/key-string.js';
import { listKeys, makeKey, Place, root, runProcess, type Terminal } from '../support/tool.js';

/** A clipboard tool on PATH, as clipboardy calls it on Linux, that keeps the clipboard in a file. */
function fakeClipboard(place: Place, input = 'cat > "$CLIPBOARD"'): string {
  const folder = place.file('bin');
  mkdirSync(folder);
  const clipboard = place.file('clipboard');
  writeFileSync(
    path.join(folder, 'xsel'),
    `#!/bin/sh\nCLIPBOARD='${clipboard}'\ncase "$*" in *--input*) ${input} ;; *) cat "$CLIPBOARD" ;; esac\n`,
  );
  chmodSync(path.join(folder, 'xsel'), 0o755);
  place.env.PATH = `${folder}:${place.env.PATH}`;
  return clipboard;
}

/** Answers every question of `create` up to the one that `until` names. */
async function answerCreate(
  screen: Terminal,
  until: 'name' | 'description' | 'mode' | 'scopes' | 'confirm' | 'copy',
): Promise<void> {
  const steps: [string, RegExp, () => void][] = [
    ['name', /\? Name/, () => screen.type('partner\r')],
    ['description', /\? Description/, () => screen.type('kiosk 施設\r')],
    ['mode', /❯ Test/, () => screen.press('enter')],
    ['scopes', /❯◯ checkin:read/, () => screen.press('space', 'down', 'down', 'down', 'space', 'enter')],
    ['confirm', /\? Create this key\?/, () => screen.press('enter')],
    ['copy', /\? Copy it to the clipboard/, () => {}],
  ];
  for (const [name, question, act] of steps) {
    await screen.shows(question);
    if (name === until) return;
    act();
  }
}

describe('create, by its questions', () => {
  test('asks for name, description, mode and scopes, sums up, and shows the key string once with what it may do', async () => {
    const place = new Place();
    const clipboard = fakeClipboard(place);
    const screen = place.terminal(['create']);
    await answerCreate(screen, 'confirm');
    for (const line of [
      /Name +"partner"/,
      /Description kiosk 施設/,
      /Mode +TEST/,
      /Scopes +checkin:read, plan:read/,
      /Rate limit +600 requests per minute/,
      /Expires +never/,
    ])
      expect(screen.text).toMatch(line);
    screen.press('enter');
    await screen.shows(/\? Copy it to the clipboard/);
    const [keyString, ...others] = screen.text.match(KEY_STRING_IN_TEXT) ?? [];
    expect(others).toEqual([]);
    expect(screen.text).toMatch(
      /Created TEST key "partner"[\s\S]*Rate limit +600 requests per minute[\s\S]*cannot be shown again/,
    );
    screen.type('y\r');
    expect(await screen.exit).toBe(0);
    expect(screen.text).toContain('Copied; the clipboard is cleared in 45 s');
    expect(readFileSync(clipboard, 'utf8')).toBe(keyString);
    expect(await listKeys(place)).toMatchObject([
      { name: 'partner', mode: 'test', description: 'kiosk 施設', scopes: ['checkin:read', 'plan:read'] },
    ]);
  });

  test('nothing is preselected, and none picked is no answer', async () => {
    const screen = new Place().terminal(['create', 'a', '--test-mode', '-d', '']);
    await screen.shows(/❯◯ checkin:read/);
    expect(screen.text).not.toContain('◉');
    expect(screen.text).toMatch(/Check-in\n[\s\S]*Plan\n[\s\S]*Facility\n/);
    screen.press('enter');
    await screen.shows(/At least one choice must be selected/);
    screen.press('space', 'enter');
    await screen.shows(/Create this key\?/);
  });

  test('a name that is taken or bad is refused at the question', async () => {
    const place = new Place();
    await makeKey(place, 'taken');
    const screen = place.terminal(['create']);
    await screen.answer(/\? Name/, 'TAKEN');
    await screen.shows(/a key named "taken" exists/);
    screen.press('ctrl-c');
    expect(await screen.exit).toBe(130);
  });

  test.each([
    'name',
    'description',
    'mode',
    'scopes',
    'confirm',
  ] as const)('Ctrl-C at the question for %s makes nothing', async (question) => {
    const place = new Place();
    const screen = place.terminal(['create']);
    await answerCreate(screen, question);
    screen.press('ctrl-c');
    expect(await screen.exit).toBe(130);
    expect(screen.text).toContain('cancelled; nothing was changed');
    expect(await listKeys(place)).toEqual([]);
  });

  test('Ctrl-C at the offer to copy loses nothing, and says so', async () => {
    const place = new Place();
    const screen = place.terminal(['create']);
    await answerCreate(screen, 'copy');
    screen.press('ctrl-c');
    expect(await screen.exit).toBe(130);
    expect(screen.text).toMatch(/Not copied\. The key [0-9a-z]{12} was made, and is shown above/);
    expect(await listKeys(place)).toMatchObject([{ status: 'active' }]);
  });

  test('with everything given it asks for nothing but the copy', async () => {
    const place = new Place();
    const screen = place.terminal(['create', 'a', '--live', '--scope', 'plan:read']);
    await screen.answer(/\? Copy it to the clipboard/, 'n');
    expect(await screen.exit).toBe(0);
    expect(screen.text).not.toMatch(/\? (Name|Description|Mode|Scopes|Create)/);
  });

  test.each([
    ['CI=true', { CI: 'true' }, [], 2],
    ['--no-input', {}, ['--no-input'], 2],
    ['UNLOCKOS_KEYS_NO_INPUT', { UNLOCKOS_KEYS_NO_INPUT: '1' }, [], 2],
    ['a machine format', {}, ['--json'], 2],
  ])('with %s nothing is asked, even in a terminal', async (_, env, flags, code) => {
    const screen = new Place().terminal(['create', ...flags], { env: env as Record<string, string> });
    expect(await screen.exit).toBe(code);
    expect(screen.text).toMatch(/missing, and I cannot ask here/);
  });
});

describe('the clipboard', () => {
  test.each([
    ['is missing', 'exit 1', /nothing was copied: no clipboard tool is available here/],
    ['hangs', 'sleep 600', /nothing was copied: the clipboard tool did not answer/],
  ])('a tool that %s costs nothing but the copy', async (_, behaviour, message) => {
    const place = new Place();
    fakeClipboard(place, behaviour);
    const screen = place.terminal(['create', 'a', '--test', '-s', 'plan:read'], { env: { DISPLAY: ':9' } });
    await screen.answer(/\? Copy it to the clipboard/, 'y');
    expect(await screen.exit).toBe(0);
    expect(screen.text).toMatch(message);
    expect(screen.text.match(KEY_STRING_IN_TEXT)).toHaveLength(1);
    expect(await listKeys(place)).toMatchObject([{ status: 'active' }]);
  });

  test('over SSH the key string goes to the terminal, and is called sent, not copied', async () => {
    const place = new Place();
    const screen = place.terminal(['create', 'a', '--test', '-s', 'plan:read'], {
      env: { SSH_CONNECTION: '10.0.0.1 1 10.0.0.2 22' },
    });
    await screen.answer(/\? Send it to your terminal/, 'y');
    expect(await screen.exit).toBe(0);
    const [keyString = ''] = screen.text.match(KEY_STRING_IN_TEXT) ?? [];
    expect(screen.raw).toContain(osc52(keyString));
    expect(screen.text).toContain('Sent to your terminal');
    expect(screen.text).not.toContain('Copied');
  });

  test.each([
    ['is cleared when it still holds the key', 'cat > "$CLIPBOARD"', ''],
    ['is left alone when something else took its place', 'cat > /dev/null; printf other > "$CLIPBOARD"', 'other'],
  ])('%s', async (_, input, left) => {
    const place = new Place();
    const clipboard = fakeClipboard(place, input);
    const helper = path.join(root, 'dist/bundle/clipboard-helper.mjs');
    const { stdout, exitCode } = await runProcess(process.execPath, [helper, '0'], {
      env: place.env,
      input: 'the key',
    });
    expect([stdout, exitCode]).toEqual(['copied\n', 0]);
    expect(readFileSync(clipboard, 'utf8')).toBe(left);
  });
});

describe('list', () => {
  test.each([60, 80, 97, 200])('fits %i columns, with Japanese names and emoji', async (cols) => {
    const place = new Place();
    for (const name of [
      '施設連携システムの長い名前です',
      'team 👩‍💻👨‍👩‍👧 keys',
      'a-very-long-partner-name-for-the-check-in-service',
    ])
      await makeKey(place, name, '-s', 'plan:read,facility:read', '-d', '説明 '.repeat(40));
    const screen = place.terminal(['list'], { cols, env: { NO_COLOR: '1' } });
    expect(await screen.exit).toBe(0);
    const rows = screen.raw.split('\r\n').filter((line) => line !== '');
    expect(Math.max(...rows.map((line) => stringWidth(line)))).toBeLessThanOrEqual(cols);
    expect(rows[0]).toMatch(/^NAME +KEY .*STATUS/);
    expect(rows.filter((line) => /unlk_test_[0-9a-z]{12}_….*● Active/.test(line))).toHaveLength(3);
    const starts = rows.slice(0, 4).map((line) => stringWidth(line.slice(0, line.search(/unlk_|KEY/))));
    expect(new Set(starts).size).toBe(1); // the column lines up
  });

  test('--interactive finds a key and shows, disables, enables and deletes it', async () => {
    const place = new Place();
    await makeKey(place, 'other');
    await place.run(['create', 'partner', '--live', '-s', 'plan:read', '-o', 'value']);
    const screen = place.terminal(['list', '-i']);
    const choose = async (downs: number) => {
      await screen.shows(/\? Key \(type to search\)[^\n]*\n❯ partner/);
      screen.type('part');
      await screen.shows(/\? Key \(type to search\) part\n❯ partner/);
      screen.press('enter');
      await screen.shows(/\? partner:\n❯ Show/);
      screen.press(...Array.from({ length: downs }, () => 'down' as const), 'enter');
    };
    await choose(0);
    await screen.shows(/Rate limit +600 requests per minute/);
    await choose(2);
    await screen.shows(/Disabled partner/);
    await choose(2);
    await screen.shows(/Enabled partner/);
    await choose(3);
    await screen.answer(/Type partner to go on/, 'wrong');
    await screen.shows(/error: not confirmed; nothing was changed/);
    await choose(3);
    await screen.answer(/Type partner to go on\s*$/, 'partner');
    await screen.shows(/Deleted partner/);
    screen.press('ctrl-c');
    expect(await screen.exit).toBe(130);
    expect((await listKeys(place)).map(({ name }) => name)).toEqual(['other']);
  });
});

describe('other questions', () => {
  test('edit fills in what is there', async () => {
    const place = new Place();
    await makeKey(place, 'old', '-d', 'kiosk');
    const screen = place.terminal(['edit', 'old']);
    await screen.answer(/\? Name old/, '-new');
    await screen.answer(/\? Description \(optional\) kiosk/);
    await screen.answer(/\? Rate limit 600\/m/);
    expect(await screen.exit).toBe(0);
    expect(await listKeys(place)).toMatchObject([{ name: 'old-new', description: 'kiosk' }]);
  });

  test.each([
    ['its name typed', 'partner', 0, 0],
    ['another name typed', 'Partner', 6, 1],
    ['nothing typed', '', 6, 1],
  ])('delete of a live key with %s', async (_, typed, code, left) => {
    const place = new Place();
    await place.run(['create', 'partner', '--live', '-s', 'plan:read', '-o', 'value']);
    const screen = place.terminal(['delete', 'partner']);
    await screen.answer(/deletes LIVE key "partner"[\s\S]*Type partner to go on/, typed);
    expect(await screen.exit).toBe(code);
    expect(await listKeys(place)).toHaveLength(left);
  });

  test('delete of a test key asks yes or no, and takes no for Enter', async () => {
    const place = new Place();
    await makeKey(place, 'a');
    const screen = place.terminal(['delete', 'a']);
    await screen.answer(/\? Go on\? \(y\/N\)/);
    expect(await screen.exit).toBe(6);
    expect(await listKeys(place)).toHaveLength(1);
  });

  test('verify reads a key string without showing it', async () => {
    const place = new Place();
    const keyString = await makeKey(place, 'a');
    const screen = place.terminal(['verify']);
    await screen.answer(/\? Key string/, keyString);
    expect(await screen.exit).toBe(0);
    expect(screen.text).toContain('valid: "a"');
    expect(screen.raw).not.toContain(keyString.slice(30, 40));
  });

  test('a terminal gets colour, and NO_COLOR takes it away', async () => {
    const place = new Place();
    await makeKey(place, 'a');
    const [coloured, plain] = [place.terminal(['list']), place.terminal(['list'], { env: { NO_COLOR: '1' } })];
    await Promise.all([coloured.exit, plain.exit]);
    expect(coloured.raw).toContain('\u001b[32m● Active');
    expect(plain.raw).not.toContain('\u001b[3');
    expect(existsSync(place.store)).toBe(true);
  });
});
