import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { KEY_STRING, keyStrings, Place, ROOT } from '../support/built-tool.js';
import type { Screen } from '../support/screen.js';
import { toolAlone } from '../support/tool-alone.js';

const CREATE = ['create', 'ci', '--test-mode', '--scope', 'checkin:read'];

function shownKey(screen: Screen): string {
  const found = keyStrings(screen.text);
  expect(found).toHaveLength(1);
  return found[0] ?? '';
}

/** Runs the clipboard helper alone, clearing at once. */
async function runHelper(place: Place, env: Record<string, string>, text: string): Promise<number | null> {
  const helper = path.join(ROOT, 'dist/bundle/clipboard-helper.mjs');
  return (await place.run(process.execPath, [helper, '0'], { env, input: text })).exitCode;
}

test('yes to the offer puts exactly the key string on the clipboard, and nothing else', async () => {
  const place = new Place();
  const clipboard = place.clipboard();
  const screen = place.terminal(CREATE, { env: clipboard.env });
  await screen.shows(/\? Copy it to the clipboard/);
  expect(clipboard.content).toBeNull();
  screen.type('y').press('enter');
  expect(await screen.exit).toEqual({ exitCode: 0, signal: 0 });
  expect(screen.text).toContain('Copied. The clipboard is cleared in 45 s');
  expect(clipboard.content).toBe(shownKey(screen));
});

test.each(['n', ''])('%j to the offer copies nothing', async (answer) => {
  const place = new Place();
  const clipboard = place.clipboard();
  const screen = place.terminal(CREATE, { env: clipboard.env });
  await screen.shows(/\? Copy it/);
  screen.type(answer).press('enter');
  expect(await screen.exit).toEqual({ exitCode: 0, signal: 0 });
  expect(screen.text).not.toContain('Copied');
  expect(clipboard.content).toBeNull();
});

test('where there is no clipboard, the key stays on the screen, a warning says so, and the command succeeds', async () => {
  const place = new Place();
  const screen = place.terminal(CREATE);
  await screen.shows(/\? Copy it/);
  screen.type('y').press('enter');
  expect(await screen.exit).toEqual({ exitCode: 0, signal: 0 });
  expect(screen.text).toContain('warning: nothing was copied: no clipboard tool is available');
  expect(await place.verdict(shownKey(screen))).toBe('valid');
});

test('a clipboard tool that fails is a warning', async () => {
  const place = new Place();
  place.write('bin/wl-copy', '#!/bin/sh\nexit 1\n', 0o755);
  const screen = place.terminal(CREATE, { env: { WAYLAND_DISPLAY: 'wayland-0' } });
  await screen.shows(/\? Copy it/);
  screen.type('y').press('enter');
  expect(await screen.exit).toEqual({ exitCode: 0, signal: 0 });
  expect(screen.text).toContain('warning: nothing was copied');
  expect(await place.verdict(shownKey(screen))).toBe('valid');
});

/** True while a process runs; one that ended and was not yet reaped does not. */
function runs(pid: number): boolean {
  const stat = `/proc/${pid}/stat`;
  return existsSync(stat) && !/\) Z /.test(readFileSync(stat, 'utf8'));
}

test('a clipboard tool that hangs is given up and ended, and so does the command', async () => {
  const place = new Place();
  place.write('bin/wl-copy', '#!/bin/sh\necho $$ > "$HOME/hung"\nexec tail -f /dev/null\n', 0o755);
  const screen = place.terminal(CREATE, { env: { WAYLAND_DISPLAY: 'wayland-0' } });
  await screen.shows(/\? Copy it/);
  screen.type('y').press('enter');
  expect(await screen.exit).toEqual({ exitCode: 0, signal: 0 });
  expect(screen.text).toContain('the clipboard tool did not answer within 3 s');
  expect(runs(Number(readFileSync(path.join(place.home, 'hung'), 'utf8')))).toBe(false);
  expect(await place.verdict(shownKey(screen))).toBe('valid');
});

test.each([
  'SSH_CONNECTION',
  'SSH_TTY',
])('with %s the key string is sent to the terminal as OSC 52, and the word is Sent', async (variable) => {
  const place = new Place();
  const clipboard = place.clipboard();
  const screen = place.terminal(CREATE, { env: { ...clipboard.env, [variable]: 'somewhere' } });
  await screen.shows(/\? Send it to your terminal/);
  expect(screen.raw).not.toContain('\u001b]52;');
  screen.type('y').press('enter');
  expect(await screen.exit).toEqual({ exitCode: 0, signal: 0 });
  const [, sent = ''] = /\u001b\]52;c;([A-Za-z0-9+/=]+)\u0007/.exec(screen.raw) ?? [];
  expect(Buffer.from(sent, 'base64').toString()).toBe(shownKey(screen));
  expect(screen.text).toContain('Sent to your terminal, which may ignore it');
  expect(screen.text).not.toContain('Copied');
  expect(clipboard.content).toBeNull();
});

test('--copy alone, off a terminal, hands the key to the clipboard and to nobody else', async () => {
  const place = new Place();
  const clipboard = place.clipboard();
  const { exitCode, stdout, stderr } = await place.tool([...CREATE, '--copy'], { env: clipboard.env });
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
  expect(stderr).not.toMatch(KEY_STRING);
  expect(await place.verdict(clipboard.content ?? '')).toBe('valid');
});

test('--copy alone, with a clipboard that takes nothing, disables the key and ends with 1', async () => {
  const place = new Place();
  const { env } = place.clipboard();
  place.write('bin/wl-copy', '#!/bin/sh\nexit 1\n', 0o755);
  const { exitCode, stdout, stderr } = await place.tool([...CREATE, '--copy'], { env });
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
  const [key] = await place.keys();
  expect(key?.status).toBe('inactive');
  expect(stderr).toContain(`so the key was disabled: ${key?.id}`);
});

test.each([
  ['no display', {}, {}, /there is no display|no clipboard tool is installed/],
  ['no tool', {}, { WAYLAND_DISPLAY: 'wayland-0' }, /there is no display|no clipboard tool is installed/],
  [
    'a compositor that is gone',
    { 'wl-paste': 'echo "Failed to connect to a Wayland server" >&2; exit 1' },
    { WAYLAND_DISPLAY: 'wayland-9' },
    /there is no display|no clipboard tool is installed/,
  ],
  ['a tool that hangs', { 'wl-paste': 'exec tail -f /dev/null' }, { WAYLAND_DISPLAY: 'wayland-0' }, /within 3 s/],
])('with %s, --copy is refused before a key is made', async (_, tools, env, says) => {
  const place = new Place();
  await place.key('old');
  for (const [name, body] of Object.entries(tools)) place.write(`bin/${name}`, `#!/bin/sh\n${body}\n`, 0o755);
  const { exitCode, stdout, stderr } = await place.tool([...CREATE, '--copy'], { env: env as Record<string, string> });
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toMatch(says);
  expect(await place.names()).toEqual(['old']);
});

test('without the optional packages, doctor says what is missing and how to get it, before there is a store', async () => {
  const place = new Place({ UNLOCKOS_KEYS_STORE: '' });
  const { env } = place.clipboard();
  const { exitCode, stdout, stderr } = await place.tool(['doctor'], { entry: toolAlone(place), env });
  expect(stdout).toMatch(/clipboard .* --copy cannot work here: the optional package clipboardy is not installed/);
  expect(stderr).toContain('clipboard: install unlockos-keys without --omit=optional');
  const hasSqlite = Boolean(process.getBuiltinModule('node:sqlite' as 'node:fs'));
  expect(exitCode).toBe(hasSqlite ? 0 : 7);
  expect(stdout).toContain(hasSqlite ? 'the store does not exist yet' : 'no SQLite engine works here');
});

test('a clipboard that holds a picture can be copied to', async () => {
  const place = new Place();
  const clipboard = place.clipboard();
  const refusal = 'echo "Clipboard content is not available as requested type \\"text/plain\\"" >&2; exit 1';
  place.write('bin/wl-paste', `#!/bin/sh\n${refusal}\n`, 0o755);
  expect((await place.tool([...CREATE, '--copy'], { env: clipboard.env })).exitCode).toBe(0);
  expect(await place.verdict(clipboard.content ?? '')).toBe('valid');
});

test('the helper clears the clipboard when it still holds what it copied', async () => {
  const place = new Place();
  const clipboard = place.clipboard();
  expect(await runHelper(place, clipboard.env, 'a key string')).toBe(0);
  expect(clipboard.content).toBe('');
});

test('the helper leaves the clipboard alone when something else was copied since', async () => {
  const place = new Place();
  const clipboard = place.clipboard();
  place.write('bin/wl-paste', "#!/bin/sh\nprintf 'something else'\n", 0o755);
  expect(await runHelper(place, clipboard.env, 'a key string')).toBe(0);
  expect(clipboard.content).toBe('a key string');
});

test('the helper goes on to clear when the tool that started it is gone', async () => {
  const place = new Place();
  const clipboard = place.clipboard();
  const helper = path.join(ROOT, 'dist/bundle/clipboard-helper.mjs');
  const child = spawn(process.execPath, [helper, '0'], { env: place.env(clipboard.env), stdio: 'pipe' });
  child.stdout.destroy();
  child.stdin.end('a key string');
  const code = await new Promise((resolve) => child.on('exit', resolve));
  expect(code).toBe(0);
  expect(clipboard.content).toBe('');
});

test.each([
  '',
  '.',
  'here',
])('a tool in the working directory gets no key string, although PATH begins with %j', async (entry) => {
  const place = new Place();
  const taken = place.file('taken');
  const cwd = place.file('work');
  mkdirSync(path.join(cwd, 'here'), { recursive: true });
  for (const file of ['wl-copy', 'wl-paste', 'xsel', 'here/wl-copy', 'here/wl-paste', 'here/xsel'])
    place.write(`work/${file}`, `#!/bin/sh\ntouch '${taken}'\n`, 0o755);
  const env = { PATH: `${entry}:${place.env().PATH}`, WAYLAND_DISPLAY: 'wayland-0', DISPLAY: ':7' };
  const { exitCode, stderr } = await place.tool([...CREATE, '--copy'], { cwd, env });
  expect([exitCode, existsSync(taken)], stderr).toEqual([2, false]);
});
