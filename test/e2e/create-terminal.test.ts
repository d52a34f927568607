import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { KEY_STRING, keyStrings, Place } from '../support/built-tool.js';
import type { Screen } from '../support/screen.js';

/** The prompts of `create`, in their order, and an answer to each. */
const STEPS: readonly (readonly [prompt: RegExp, answer: (screen: Screen) => void])[] = [
  [/\? Name/, (screen) => screen.type('partner').press('enter')],
  [/\? Description/, (screen) => screen.type('for the check-in desk').press('enter')],
  [/\? Mode/, (screen) => screen.press('enter')],
  [/\? Scopes/, (screen) => screen.press('space', 'down', 'space', 'enter')],
  [/\? Create this key\?/, (screen) => screen.press('enter')],
  [/\? Copy it to the clipboard/, (screen) => screen.press('enter')],
];

/** Answers the prompts up to the one that begins with `stop`, which is left open. */
async function answerUpTo(screen: Screen, stop: string): Promise<void> {
  for (const [prompt, answer] of STEPS) {
    await screen.shows(prompt);
    if (prompt.source.includes(stop)) return;
    answer(screen);
  }
}

test('create asks for name, description, mode and scopes, sums up, and makes the key once it is confirmed', async () => {
  const place = new Place();
  const screen = place.terminal(['create']);
  await answerUpTo(screen, 'Create this key');
  const summary = screen.text.slice(screen.text.indexOf('  Name  '));
  expect(summary).toMatch(/Name +"partner"\n +Description for the check-in desk\n +Mode +TEST\n/);
  expect(summary).toMatch(/Scopes +checkin:read, checkin:create\n +Rate limit +600 requests per minute\n/);
  expect(await place.keys()).toEqual([]);
  screen.press('enter');
  await screen.shows(/\? Copy it/);
  screen.press('enter');
  expect(await screen.exit).toEqual({ exitCode: 0, signal: 0 });
  const [key] = await place.keys();
  expect(key).toMatchObject({
    name: 'partner',
    description: 'for the check-in desk',
    mode: 'test',
    scopes: ['checkin:read', 'checkin:create'],
    status: 'active',
    rateLimit: { limit: 600, windowSeconds: 60 },
  });
});

test('the mode prompt offers Test first and says what each mode is for', async () => {
  const screen = new Place().terminal(['create']);
  await answerUpTo(screen, 'Mode');
  expect(screen.text).toMatch(/❯ Test\n {2}Live\n\nworks in test environments only/);
  screen.press('down');
  await screen.shows(/ {2}Test\n❯ Live\n\nworks in production/);
});

test('the scope prompt groups the scopes, preselects none, and refuses to go on with none', async () => {
  const place = new Place();
  const screen = place.terminal(['create']);
  await answerUpTo(screen, 'Scopes');
  expect(screen.text).toMatch(
    / Check-in\n❯◯ checkin:read\n ◯ checkin:create\n ◯ checkin:update\n {2}Plan\n ◯ plan:read/,
  );
  expect(screen.text).not.toContain('◉');
  screen.press('enter');
  await screen.shows(/At least one choice must be selected/);
  screen.press('space');
  await screen.shows(/❯◉ checkin:read/);
  screen.press('enter');
  await screen.shows(/Scopes +checkin:read\n/);
});

test('the key string is shown exactly once, with its mode, scopes and rate limit, and the word that it cannot be shown again', async () => {
  const place = new Place();
  const screen = place.terminal(['create']);
  await answerUpTo(screen, 'Copy it');
  screen.press('enter');
  await screen.exit;
  expect(keyStrings(screen.text)).toHaveLength(1);
  expect(screen.text).toMatch(/Created TEST key "partner" \([0-9a-z]{12}\)\n +Scopes +checkin:read, checkin:create\n/);
  expect(screen.text).toContain('600 requests per minute');
  expect(screen.text).toContain('it cannot be shown again');
  const [keyString = ''] = keyStrings(screen.text);
  expect(await place.verdict(keyString)).toBe('valid');
});

test('a name that is taken is refused at its prompt, and another can be typed', async () => {
  const place = new Place();
  await place.key('partner');
  const screen = place.terminal(['create']);
  await screen.shows(/\? Name/);
  screen.type('Partner').press('enter');
  await screen.shows(/a key named "partner" exists/);
  screen.type('-2').press('enter');
  await screen.shows(/✔ Name Partner-2[\s\S]*\? Description/);
});

test.each([
  'Name',
  'Description',
  'Mode',
  'Scopes',
  'Create this key',
])('Ctrl-C at the prompt %s ends with 130, and nothing is made', async (prompt) => {
  const place = new Place();
  const screen = place.terminal(['create']);
  await answerUpTo(screen, prompt);
  screen.press('ctrl-c');
  expect(await screen.exit).toEqual({ exitCode: 130, signal: 0 });
  expect(screen.text).toContain('error: cancelled; nothing was changed');
  expect(screen.text).not.toMatch(KEY_STRING);
  expect(await place.keys()).toEqual([]);
});

test('No at the confirmation makes nothing and ends with 6', async () => {
  const place = new Place();
  const screen = place.terminal(['create']);
  await answerUpTo(screen, 'Create this key');
  screen.type('n').press('enter');
  expect(await screen.exit).toEqual({ exitCode: 6, signal: 0 });
  expect(screen.text).toContain('no key was created');
  expect(await place.keys()).toEqual([]);
});

test('Ctrl-C at the offer to copy ends with 130, with the key made, active and shown', async () => {
  const place = new Place();
  const screen = place.terminal(['create']);
  await answerUpTo(screen, 'Copy it');
  screen.press('ctrl-c');
  expect(await screen.exit).toEqual({ exitCode: 130, signal: 0 });
  const [key] = await place.keys();
  expect(key).toMatchObject({ name: 'partner', status: 'active' });
  expect(screen.text).toContain(`Key ${key?.id} was created, and its key string is shown above`);
  expect(keyStrings(screen.text)).toHaveLength(1);
});

test('with every flag given, nothing is asked but the offer to copy', async () => {
  const screen = new Place().terminal(['create', 'ci', '--test-mode', '--scope', 'plan:read']);
  await screen.shows(/\? Copy it/);
  screen.press('enter');
  expect((await screen.exit).exitCode).toBe(0);
  expect(screen.text.match(/[✔?] .*/g)).toEqual([expect.stringMatching(/^✔ Copy it to the clipboard/)]);
});

test('where only the scopes are missing, the name and the mode are not asked for', async () => {
  const screen = new Place().terminal(['create', 'ci', '--live', '-d', 'nightly']);
  await screen.shows(/\? Scopes/);
  expect(screen.text).not.toMatch(/Name|Description|Mode/);
  screen.press('ctrl-c');
  expect((await screen.exit).exitCode).toBe(130);
});

test.each<[string, string[], Record<string, string>]>([
  ['under CI', [], { CI: 'true' }],
  ['with --no-input', ['--no-input'], {}],
  ['with UNLOCKOS_KEYS_NO_INPUT', [], { UNLOCKOS_KEYS_NO_INPUT: '1' }],
])('%s nothing is asked, even in a terminal: all that is missing is named at once', async (_, flags, env) => {
  const place = new Place();
  const screen = place.terminal(['create', ...flags], { env });
  expect(await screen.exit).toEqual({ exitCode: 2, signal: 0 });
  expect(screen.text).toMatch(/a name +unlockos-keys create NAME/);
  expect(screen.text).toMatch(/scopes +--scope checkin:read/);
  expect(screen.text).not.toContain('? ');
});

test('a key file gets the key string in place of the screen, and no copy is offered', async () => {
  const place = new Place();
  const screen = place.terminal(['create', 'ci', '--test-mode', '--scope', 'plan:read', '--key-file', 'ci.key']);
  expect(await screen.exit).toEqual({ exitCode: 0, signal: 0 });
  expect(screen.text).not.toMatch(KEY_STRING);
  expect(screen.text).not.toContain('Copy');
  expect(screen.text).toContain(`Written to ${place.file('ci.key')}`);
  expect(await place.verdict(readFileSync(place.file('ci.key'), 'utf8'))).toBe('valid');
});
