import { chownSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { KEY_STRING, Place } from '../support/built-tool.js';
import { isRunning } from '../support/processes.js';
import { remotePlace } from '../support/remote-place.js';

/** A working directory that pretends to be a home directory: its configuration names a command to run. */
function hostileDirectory(place: Place): { cwd: string; ran: () => boolean } {
  const cwd = place.file('repository');
  const marker = place.file('ran');
  for (const directory of ['.config/unlockos-keys', 'unlockos-keys', '.local/share/unlockos-keys'])
    mkdirSync(path.join(cwd, directory), { recursive: true, mode: 0o700 });
  const config = `default: evil\nprofiles:\n  evil:\n    store: http://127.0.0.1:1\n    tokenCommand: [touch, ${JSON.stringify(marker)}]\n`;
  for (const file of ['.config/unlockos-keys/config.yaml', 'unlockos-keys/config.yaml', 'config.yaml'])
    place.write(path.join('repository', file), config, 0o600);
  return { cwd, ran: () => existsSync(marker) };
}

describe('a file of the working directory is never the configuration of the user', () => {
  test.each([
    ['HOME is empty', { HOME: '' }],
    ['HOME is a dot', { HOME: '.' }],
    ['HOME is relative', { HOME: 'repository' }],
    ['HOME is not set', { HOME: undefined }],
    ['XDG_CONFIG_HOME is relative', { XDG_CONFIG_HOME: '.' }],
    ['UNLOCKOS_KEYS_CONFIG_DIR is empty', { UNLOCKOS_KEYS_CONFIG_DIR: '' }],
    ['all of them', { HOME: '', XDG_CONFIG_HOME: '', XDG_DATA_HOME: '.', UNLOCKOS_KEYS_CONFIG_DIR: '' }],
  ])('%s', async (_, env) => {
    const place = new Place();
    const { cwd, ran } = hostileDirectory(place);
    for (const args of [['doctor'], ['profile', 'list']]) {
      const { stdout, stderr } = await place.tool(args, { cwd, env: { UNLOCKOS_KEYS_STORE: undefined, ...env } });
      expect(stdout + stderr, args[0]).not.toContain('evil');
      expect(stdout + stderr, args[0]).not.toContain(cwd);
    }
    expect(ran()).toBe(false);
  });
});

describe('what a configuration names is not looked for in the working directory', () => {
  test('UNLOCKOS_KEYS_CONFIG_DIR must be absolute', async () => {
    const place = new Place();
    const { cwd, ran } = hostileDirectory(place);
    for (const directory of ['.', 'unlockos-keys', '.config/unlockos-keys', '~/x']) {
      const { exitCode, stdout, stderr } = await place.tool(['list'], {
        cwd,
        env: { UNLOCKOS_KEYS_STORE: undefined, UNLOCKOS_KEYS_CONFIG_DIR: directory },
      });
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
      expect(stderr).toContain(`UNLOCKOS_KEYS_CONFIG_DIR "${directory}" is not an absolute path`);
    }
    expect(ran()).toBe(false);
  });

  test.each([
    ['./token', 'the program'],
    ['bin/token', 'a program below'],
    ['cat', 'a file that the program reads'],
  ])('tokenCommand: [%s]: %s is that of the configuration', async (program) => {
    const place = await remotePlace();
    const cwd = place.file('repository');
    for (const directory of ['bin', '.config/unlockos-keys/bin'])
      for (const base of [cwd, place.home]) mkdirSync(path.join(base, directory), { recursive: true, mode: 0o700 });
    const here = path.join(place.home, '.config/unlockos-keys');
    for (const name of ['token', 'bin/token']) {
      place.write(path.relative(place.dir, path.join(cwd, name)), '#!/bin/sh\ntouch "$0.ran"; echo hostile\n', 0o755);
      place.write(path.relative(place.dir, path.join(here, name)), '#!/bin/sh\necho "$PLACE_TOKEN"\n', 0o755);
    }
    place.write(path.relative(place.dir, path.join(cwd, 'file')), 'hostile\n');
    place.write(path.relative(place.dir, path.join(here, 'file')), `${place.server.token}\n`, 0o600);
    place.write(
      path.relative(place.dir, path.join(here, 'config.yaml')),
      `profiles:\n  away:\n    store: ${place.server.url}\n    tokenCommand: [${program}, file]\n`,
      0o600,
    );
    const env = {
      UNLOCKOS_KEYS_STORE: undefined,
      UNLOCKOS_KEYS_AUTH_TOKEN: undefined,
      PLACE_TOKEN: place.server.token,
    };
    const made = ['create', 'a', '--test-mode', '-s', 'plan:read', '-o', 'value', '-p', 'away'];
    expect(await place.tool(made, { cwd, env })).toMatchObject({ exitCode: 0 });
    expect(existsSync(path.join(cwd, `${program}.ran`))).toBe(false);
  });
});

test('a user without a home directory is told what to set, and what is named works', async () => {
  const place = new Place();
  const env = { HOME: undefined, XDG_DATA_HOME: undefined, UNLOCKOS_KEYS_STORE: undefined };
  if (process.getuid?.() !== 0) return; // whoever runs this has a home directory
  const asNobody = { env, uid: 54_321, cwd: '/' };
  const { exitCode, stderr } = await place.tool(['list'], asNobody);
  expect({ exitCode, stderr }).toEqual({
    exitCode: 2,
    stderr: expect.stringContaining('hint: set HOME, or UNLOCKOS_KEYS_CONFIG_DIR and --store'),
  });
  const open = place.file('open');
  mkdirSync(path.join(open, 'config'), { recursive: true });
  for (const directory of [open, path.join(open, 'config')]) chownSync(directory, 54_321, 54_321);
  place.write('open/config/config.yaml', `default: a\nprofiles:\n  a: { store: ${path.join(open, 'a.db')} }\n`);
  const named = { ...asNobody, env: { ...env, UNLOCKOS_KEYS_CONFIG_DIR: path.join(open, 'config') } };
  const made = ['create', 'a', '--test-mode', '-s', 'plan:read', '-o', 'value'];
  expect(await place.tool(made, named)).toMatchObject({ exitCode: 0 });
  expect((await place.tool(['audit', 'list', '--json'], named)).stdout).toContain('uid 54321');
});

test('a working directory that was deleted stops only what needs it, with words of ours', async () => {
  const place = new Place();
  await place.key('ci');
  const gone = (args: string) => place.bash(`mkdir gone; cd gone; rmdir ../gone; tool ${args}`);
  expect(await gone('list --json')).toMatchObject({ exitCode: 0, stderr: '' });
  const { exitCode, stdout, stderr } = await gone('list --store ./keys.db');
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toContain('error: the working directory does not exist any more\nhint: change to one that exists');
  expect(await gone('--version')).toMatchObject({ exitCode: 0, stderr: '' });
});

describe('a token command', () => {
  const profile = async (...command: string[]) => {
    const place = await remotePlace();
    const env = {
      UNLOCKOS_KEYS_STORE: undefined,
      UNLOCKOS_KEYS_AUTH_TOKEN: undefined,
      PLACE_TOKEN: place.server.token,
      PLACE_PID: place.file('sleeper'),
    };
    await place.tool(['profile', 'add', 'acme', '--store', place.server.url, '--', ...command], { env });
    return { place, env };
  };

  test('gets nothing of our stdin, so that what is piped in arrives whole', async () => {
    const { place, env } = await profile('sh', '-c', 'cat >/dev/null; echo "$PLACE_TOKEN"');
    const made = ['create', 'leaked', '--test-mode', '-s', 'plan:read', '-o', 'value', '-p', 'acme'];
    const { stdout: keyString } = await place.tool(made, { env });
    const disabled = await place.tool(['disable', '--stdin', '-p', 'acme'], { env, input: keyString });
    expect(disabled).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('leaked') });
    const loop = await place.bash(
      'printf "a\\nb\\n" | while read -r name; do tool create "$name" --test-mode -s plan:read -p acme -o value; done',
      { env },
    );
    expect(loop.stdout.trim().split('\n')).toHaveLength(2);
  });

  test('is not waited for when something that it started keeps its output open', async () => {
    const { place, env } = await profile(
      'sh',
      '-c',
      'sleep 300 2>/dev/null & echo $! >"$PLACE_PID"; echo "$PLACE_TOKEN"',
    );
    const made = ['create', 'a', '--test-mode', '-s', 'plan:read', '-o', 'value', '-p', 'acme'];
    expect(await place.tool(made, { env })).toMatchObject({ exitCode: 0 });
    await place.bash(`kill "$(cat '${place.file('sleeper')}')"`);
  });

  test.each([
    ['-p acme list', 'SIGTERM', 'while :; do sleep 1; done'],
    ['-p acme list', 'SIGHUP', 'trap "" TERM HUP; while :; do sleep 1; done'],
  ] as const)('ends with us: %s, %s', async (args, signal, script) => {
    const { place, env } = await profile('sh', '-c', `echo $$ >"$PLACE_PID"; ${script}`);
    const { stdout } = await place.bash(
      `tool ${args} & until test -s "$PLACE_PID"; do :; done; kill -s ${signal.slice(3)} "$(pgrep -P $!)"; wait $!; echo $?`,
      { env },
    );
    expect(stdout).toBe(`${128 + constants.signals[signal]}\n`);
    expect(isRunning(Number(readFileSync(place.file('sleeper'), 'utf8')))).toBe(false);
  });

  test('that fails, says so', async () => {
    const { place, env } = await profile('sh', '-c', 'exit 3');
    const { exitCode, stderr } = await place.tool(['list', '-p', 'acme'], { env });
    expect(exitCode).toBe(4);
    expect(stderr).toContain('the token command "sh" gave no token (exit 3)');
  });
});

test('what a token command leaves running does not hold our stderr, and what it says there is passed on', async () => {
  const place = new Place();
  const config = place.file('home/.config/unlockos-keys');
  mkdirSync(config, { recursive: true, mode: 0o700 });
  const run = async (end: string) => {
    place.write(
      'bin/token',
      `#!/bin/sh\necho "asking the vault … é" >&2\nsleep 30 & echo $! >'${place.file('pid')}'\n${end}\n`,
      0o755,
    );
    place.write(
      'home/.config/unlockos-keys/config.yaml',
      'profiles:\n  away:\n    store: http://127.0.0.1:1\n    tokenCommand: [token]\n',
      0o600,
    );
    const result = await place.tool(['list', '-p', 'away'], { env: { UNLOCKOS_KEYS_STORE: undefined } });
    const left = Number(readFileSync(place.file('pid'), 'utf8'));
    expect(isRunning(left)).toBe(true);
    process.kill(left);
    return result;
  };
  expect(await run('echo token')).toMatchObject({
    exitCode: 8,
    stderr: expect.stringMatching(/^asking the vault … é\n/),
  });
  expect(await run('exit 3')).toMatchObject({
    exitCode: 4,
    stderr: expect.stringMatching(/^asking the vault … é\nerror: the token command "token" gave no token \(exit 3\)/),
  });
});

describe('options of Node that take something away', () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const hasEngine = major > 22 || (major === 22 && minor >= 16);

  test('without addons, the engine of Node is used, or the hint names the option', async () => {
    const place = new Place();
    await place.key('a');
    const { exitCode, stderr } = await place.tool(['list'], { env: { NODE_OPTIONS: '--no-addons' } });
    if (hasEngine) expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    else expect({ exitCode, stderr }).toEqual({ exitCode: 8, stderr: expect.stringContaining('--no-addons') });
  });

  test.each([
    '--disallow-code-generation-from-strings',
    '--disable-proto=throw',
    '--jitless',
    '--frozen-intrinsics',
  ])('with %s all goes on', async (option) => {
    const place = new Place();
    const env = { NODE_OPTIONS: option };
    const made = await place.tool(['create', 'a', '--test-mode', '-s', 'checkin:read', '-o', 'value'], { env });
    expect(made).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(KEY_STRING) });
    const verified = await place.tool(['verify', '--stdin', '-o', 'value'], { env, input: made.stdout });
    expect(verified.stdout.split('\n').at(-2)).toBe('valid');
  });
});
