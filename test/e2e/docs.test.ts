import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { KEY_STRING, keyStrings, Place, ROOT, SOUND } from '../support/built-tool.js';
import { block, blocks, claims, fileOf, isClaimed, table } from '../support/documents.js';

// What the documents show, word for word, with the tool on PATH.

/** The tool under its own name, and a keeper of secrets that takes what stands on its stdin. */
function machine(env: Record<string, string> = {}): Place {
  const place = new Place(env);
  place.write(
    'bin/unlockos-keys',
    `#!/bin/sh\nexec '${process.execPath}' '${ROOT}/bin/unlockos-keys.js' "$@"\n`,
    0o755,
  );
  place.write('bin/vault', `#!/bin/sh\ncat >> '${place.file('vault')}'; echo >> '${place.file('vault')}'\n`, 0o755);
  return place;
}

/** A line with the comment `# exit 7` has to end with 7, any other with 0. */
function strict(line: string): string {
  const code = / # exit (\d+)(?::.*)?$/.exec(line)?.[1];
  return code === undefined
    ? line
    : `status=0; ${line.replace(/ +# exit.*$/, '')} || status=$?; test $status = ${code}`;
}

/** Runs the command lines of a page from the first to the last, in one shell, but for those that another test runs. */
async function walk(page: string, place: Place): Promise<string> {
  const all = claims();
  const mine = blocks(page).filter((each) => !isClaimed(each, all));
  for (const each of mine) {
    const file = fileOf(each);
    if (file !== undefined) place.write(file, each.text);
  }
  const lines = mine.filter(({ language }) => language === 'sh').flatMap(({ text }) => text.split('\n'));
  const script = ['set -euo pipefail', `trap 'echo "$BASH_COMMAND" >&2' ERR`, ...lines.map(strict)].join('\n');
  const { exitCode, stdout, stderr } = await place.run('bash', ['-c', script]);
  expect(exitCode, stderr).toBe(0);
  expect(await place.health()).toEqual(SOUND);
  return stdout + stderr;
}

test('README: the two lines that install the tool, from a registry and from a checkout', async () => {
  const place = new Place({ UNLOCKOS_KEYS_STORE: '' });
  const install = block('README.md', 'npm install --global unlockos-keys')
    .trim()
    .replace(/unlockos-keys$/, `--ignore-scripts --offline --prefix '${place.dir}/prefix' '${ROOT}'`);
  const installed = await place.run('bash', ['-c', install]);
  expect(installed.exitCode, installed.stderr).toBe(0);
  const command = path.join(place.dir, 'prefix/bin/unlockos-keys');
  expect(lstatSync(command).isSymbolicLink() && readlinkSync(command)).toMatch(/bin\/unlockos-keys\.js$/);
  const version = await place.run(command, ['--version']);
  expect(version).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+/) });

  const [ci, start = ''] = block('README.md', 'npm ci && npm start').trim().split(' && ');
  expect(ci).toBe('npm ci');
  const made = await place.run('bash', ['-c', start], { cwd: ROOT });
  expect(made.exitCode, made.stderr).toBe(0);
  expect(made.stdout.trimEnd().split('\n').at(-1)).toMatch(new RegExp(`^${KEY_STRING.source}$`));
  expect(existsSync(path.join(place.data, 'unlockos-keys/keys.db'))).toBe(true);
});

test('README: npm knows the line that runs all the tests', async () => {
  const [, script = ''] = /^npm (?:run )?([\w:]+)$/m.exec(block('README.md', 'npm test')) ?? [];
  const { scripts } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
  expect(scripts).toHaveProperty(script);
});

test('README: the tour', async () => {
  const place = machine();
  const said = await walk('README.md', place);
  expect(said).toMatch(/valid: "partner-checkin"/);
  expect(said).toMatch(/inactive: "partner-checkin"/);
  expect(await place.keys()).toMatchObject([{ name: 'partner-checkin', status: 'inactive' }, { status: 'active' }]);
});

test('docs/scripting.md', async () => {
  const place = machine();
  await walk('docs/scripting.md', place);
  expect(await place.names()).toEqual(['load-1', 'load-2', 'load-3', 'load-test', 'nightly', 'once', 'vault-ci']);
  expect(readFileSync(place.file('.env'), 'utf8')).toMatch(new RegExp(`^UNLOCKOS_API_KEY=.?${KEY_STRING.source}`, 'm'));
  expect(await place.verdict(readFileSync(place.file('vault'), 'utf8').trim())).toBe('valid');
  expect(await place.verdict(readFileSync(place.file('once.key'), 'utf8').trim())).toBe('valid');
});

test('docs/scripting.md lists the fields of a key in JSON, and all of them', async () => {
  const place = machine();
  await place.key('one');
  const [key = {}] = await place.keys();
  expect(table('docs/scripting.md', 'field').map(([name]) => name)).toEqual(Object.keys(key));
});

test('docs/ci.md: the gates', async () => {
  const place = machine();
  await place.key('ci');
  await place.run('git', ['init', '-q']);
  place.write('keys.yaml', 'version: 1\nname: gate\nkeys:\n  - { name: new, mode: test, scopes: [plan:read] }\n');
  await walk('docs/ci.md', place);
  expect(await place.names()).toEqual(['ci']);
});

test('docs/manifests.md', async () => {
  const place = machine();
  await place.key('another');
  await walk('docs/manifests.md', place);
  expect(await place.names()).toEqual(['another', 'partner-checkin', 'partner-ci']);
  expect(readFileSync(place.file('keys.csv'), 'utf8')).toMatch(/partner-checkin/);
});

test('docs/rotation-and-leaks.md', async () => {
  const place = machine();
  await place.key('partner-checkin', '--live');
  const leaked = await place.key('leaked');
  place.write('found.txt', `${leaked}\n`);
  const said = await walk('docs/rotation-and-leaks.md', place);
  expect(said).not.toContain(leaked.slice(23));
  expect(await place.verdict(leaked)).toBe('inactive');
  expect(await place.verdict(keyStrings(readFileSync(place.file('.env'), 'utf8'))[0] ?? '')).toBe('valid');
});

test('docs/stores.md: a local store, and a backup of it', async () => {
  const place = machine();
  await place.key('one');
  const said = await walk('docs/stores.md', place);
  expect(said).toMatch(/^one /m);
  expect(lstatSync(place.file('keys-backup.db')).mode & 0o077).toBe(0);
});

test('docs/stores.md: profiles with a token from a command and from a file, and the file that holds them', async () => {
  const place = machine({ UNLOCKOS_KEYS_STORE: '' });
  const named = await place.run('bash', ['-ec', block('docs/stores.md', 'profile add prod')]);
  expect(named.exitCode, named.stderr).toBe(0);
  for (const name of ['ci', 'prod']) expect(named.stdout).toMatch(new RegExp(`^${name} .*turso`, 'm'));
  mkdirSync(place.file('config'), { mode: 0o700 });
  place.write('config/config.yaml', block('docs/stores.md', 'default: prod'), 0o600);
  const env = { UNLOCKOS_KEYS_CONFIG_DIR: place.file('config') };
  const { exitCode, stdout, stderr } = await place.tool(['profile', 'list', '--json'], { env });
  expect(exitCode, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject([
    { name: 'prod', default: true, protected: true },
    { name: 'ci', default: false, testOnly: true },
  ]);
});

test('docs/hashing.md', async () => {
  const place = machine();
  await place.key('old');
  const said = await walk('docs/hashing.md', place);
  expect(said).toMatch(/hmac-sha256/);
  const env = { UNLOCKOS_KEYS_PEPPER_FILE: place.file('peppers') };
  const made = await place.tool(['create', 'new', '--test', '-s', 'plan:read', '-o', 'value'], { env });
  const input = made.stdout.trim();
  expect((await place.tool(['verify', '--stdin'], { env, input })).exitCode).toBe(0);
  expect((await place.tool(['verify', '--stdin'], { input })).exitCode).toBe(4);
});

test('docs/operations.md: what to watch, the audit log, back up and restore', async () => {
  const place = machine();
  const keyString = await place.key('partner-checkin');
  await walk('docs/operations.md', place);
  expect(await place.verdict(keyString)).toBe('valid');
  expect(lstatSync(place.store).mode & 0o077).toBe(0);
});

test('docs/audit-log.md: ship and check the log', async () => {
  const place = machine();
  await place.key('partner-checkin');
  await walk('docs/audit-log.md', place);
});

test('docs/operations.md: a lost pepper', async () => {
  const place = machine();
  const lost = { UNLOCKOS_KEYS_PEPPER_FILE: place.file('lost') };
  await place.key('first');
  for (const args of [
    ['store', 'pepper', 'lost'],
    ['store', 'hash', 'hmac-sha256'],
  ])
    expect(await place.tool(args, { env: lost })).toMatchObject({ exitCode: 0 });
  const made = await place.tool(['create', 'partner-checkin', '--test', '-s', 'plan:read', '-o', 'value'], {
    env: lost,
  });
  const done = await place.run('bash', ['-ec', block('docs/operations.md', 'store pepper new-peppers')]);
  expect(done.exitCode, done.stderr).toBe(0);
  const env = { UNLOCKOS_KEYS_PEPPER_FILE: place.file('new-peppers') };
  const input = readFileSync(place.file('partner-checkin.key'), 'utf8').trim();
  expect((await place.tool(['verify', '--stdin'], { env, input })).exitCode).toBe(0);
  expect((await place.tool(['verify', '--stdin'], { env, input: made.stdout.trim() })).exitCode).toBe(4);
});
