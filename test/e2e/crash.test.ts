import { spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { KEY_STRING_IN_TEXT } from '../../src/domain/key-string.js';
import { loadBinding } from '../../src/store/local/binding.js';
import { listKeys, makeKey, Place, type Run } from '../support/tool.js';

const create = (name: string) => ['create', name, '--test-mode', '-s', 'checkin:read', '-o', 'value'];

/** The store is whole: its file, its log, and every key string that was ever printed. */
async function expectSound(place: Place, printed: readonly string[]): Promise<void> {
  const [audit, doctor] = [await place.run(['audit', 'verify']), await place.run(['doctor', '--json'])];
  expect(audit.stdout).toMatch(/^sound/);
  expect((JSON.parse(doctor.stdout) as { status: string }[]).map(({ status }) => status)).not.toContain('failed');
  for (const keyString of printed)
    expect((await place.run(['verify', '--stdin'], { input: keyString })).stdout).toMatch(/^valid/);
}

/** Loads `code` into the tool before it starts; it may wait for the points that a write passes. */
function preload(place: Place, code: string): void {
  const file = place.file('preload.cjs');
  writeFileSync(
    file,
    `const points = require('node:diagnostics_channel').channel('unlockos-keys:write'); const fs = require('node:fs');\n${code}`,
  );
  place.node = ['-r', file, ...place.node];
}

describe('killed', () => {
  test.each([
    ['before-begin', 1, 0],
    ['before-commit', 1, 0],
    ['after-commit', 1, 1],
  ])('%s: what was not committed is not there, and nothing was printed', async (point, printedBefore, added) => {
    const place = new Place();
    const keyString = await makeKey(place, 'old');
    const usual = place.node;
    preload(
      place,
      `points.subscribe((message) => { if (message === '${point}') process.kill(process.pid, 'SIGKILL'); });`,
    );
    const killed = await place.run(create('new'));
    expect([killed.signal, killed.stdout]).toEqual(['SIGKILL', '']);
    place.node = usual;
    expect(await listKeys(place)).toHaveLength(printedBefore + added);
    await expectSound(place, [keyString]);
    if (added === 0) await makeKey(place, 'new');
  });

  test('in the middle of making a store: the next attempt makes it', async () => {
    const place = new Place();
    const usual = place.node;
    preload(
      place,
      "points.subscribe((message) => { if (message === 'before-commit') process.kill(process.pid, 'SIGKILL'); });",
    );
    expect((await place.run(create('a'))).signal).toBe('SIGKILL');
    place.node = usual;
    await expectSound(place, [await makeKey(place, 'a')]);
  });

  test('at any moment: every key string that was printed verifies', async () => {
    const place = new Place();
    await makeKey(place, 'first');
    const printed: string[] = [];
    for (let round = 0; round < 12; round++) {
      const killed = await new Promise<string>((resolve) => {
        const child = spawn(
          'bash',
          [
            '-c',
            `for i in 1 2 3 4 5 6; do '${process.execPath}' '${place.node[0]}' ${create(`r${round}-$i`).join(' ')} 2>/dev/null; done`,
          ],
          { env: place.env, cwd: place.dir, detached: true },
        );
        let output = '';
        // Killed after so many bytes of output rather than after so long: each round dies at another place of the work.
        child.stdout.setEncoding('utf8').on('data', (text: string) => {
          output += text;
          if (output.length >= 62 * (1 + (round % 4))) process.kill(-(child.pid ?? 0), 'SIGKILL');
        });
        child.on('close', () => resolve(output));
      });
      printed.push(...(killed.match(KEY_STRING_IN_TEXT) ?? []));
    }
    expect(printed.length).toBeGreaterThanOrEqual(12);
    await expectSound(place, printed);
  });

  test('with its side files lost after that: committed or refused, never half', async () => {
    const place = new Place();
    const keyString = await makeKey(place, 'old');
    const usual = place.node;
    preload(
      place,
      "points.subscribe((message) => { if (message === 'after-commit') process.kill(process.pid, 'SIGKILL'); });",
    );
    await place.run(create('new'));
    place.node = usual;
    rmSync(`${place.store}-shm`, { force: true });
    await expectSound(place, [keyString]);
    expect(await listKeys(place)).toHaveLength(2);
  });
});

describe('read back by path before it is printed', () => {
  test.each([
    ['moved', "fs.renameSync(process.env.UNLOCKOS_KEYS_STORE, process.env.UNLOCKOS_KEYS_STORE + '.moved')"],
    ['unlinked', 'fs.rmSync(process.env.UNLOCKOS_KEYS_STORE)'],
    [
      'replaced',
      "fs.copyFileSync(process.env.UNLOCKOS_KEYS_STORE, 'copy'); fs.renameSync('copy', process.env.UNLOCKOS_KEYS_STORE)",
    ],
  ])('a store that was %s meanwhile: an error, and no key string', async (_, code) => {
    const place = new Place();
    await makeKey(place, 'old');
    preload(place, `points.subscribe((message) => { if (message === 'after-commit') { ${code}; } });`);
    const { exitCode, stdout, stderr } = await place.run(create('new'));
    expect([exitCode, stdout]).toEqual([8, '']);
    expect(stderr).toContain('was moved or replaced while it was in use');
  });
});

describe('at once', () => {
  test('eight first runs: one store, eight keys', async () => {
    const place = new Place();
    const runs = await Promise.all(Array.from({ length: 8 }, (_, i) => place.run(create(`key-${i}`))));
    expect(runs.map(({ exitCode, stderr }) => (exitCode === 0 ? 'ok' : stderr))).toEqual(runs.map(() => 'ok'));
    expect(await listKeys(place)).toHaveLength(8);
    expect((await place.run(['audit', 'list', '--action', 'store.create', '-o', 'value'])).stdout).toBe('1\n');
    await expectSound(
      place,
      runs.map(({ stdout }) => stdout.trim()),
    );
  });

  test('one name for two: one wins, the other is told', async () => {
    const place = new Place();
    await makeKey(place, 'old');
    const runs = await Promise.all([place.run(create('same')), place.run(create('SAME'))]);
    expect(runs.map(({ exitCode }) => exitCode).sort()).toEqual([0, 5]);
    expect(await listKeys(place)).toHaveLength(2);
  });

  test('disabled by one, refused by the next', async () => {
    const place = new Place();
    const keyString = await makeKey(place, 'a');
    await place.run(['disable', 'a']);
    expect(await place.run(['verify', '--stdin'], { input: keyString })).toMatchObject({
      exitCode: 7,
      stdout: expect.stringMatching(/^inactive/),
    });
  });

  test('a lock that another holds is waited for as long as was said, then named', async () => {
    const place = new Place();
    await makeKey(place, 'old');
    const db = (await loadBinding()).open(place.store);
    onTestFinished(() => void db.close());
    db.exec('begin immediate');
    const busy = await place.run([...create('new'), '--timeout', '100ms']);
    expect([busy.exitCode, busy.stdout]).toEqual([8, '']);
    expect(busy.stderr).toContain('is in use by another process');
    expect(await listKeys(place)).toHaveLength(1); // reading needs no lock
    db.exec('rollback');
    await makeKey(place, 'new');
  });
});

describe('a store that cannot take it', () => {
  const refused = (run: Run, message: RegExp) => {
    expect([run.exitCode, run.stdout]).toEqual([8, '']);
    expect(run.stderr).toMatch(message);
    expect(run.stderr).toMatch(/^hint: /m);
  };

  test('a limit on the size of files: full, nothing printed, old keys still verify', async () => {
    const place = new Place();
    const keyString = await makeKey(place, 'old');
    const kilobytes = Math.ceil(statSync(place.store).size / 1024);
    // The first write goes to the log; a log that may not grow to what a key needs is a full disk.
    const run = await place.shell(`ulimit -f 8; $TOOL ${create('new').join(' ')}`);
    expect(kilobytes).toBeGreaterThan(8);
    refused(run, /no room to write|writing to the store .* failed/);
    await expectSound(place, [keyString]);
    expect(await listKeys(place)).toHaveLength(1);
  });

  /** Root may write anywhere, so for root the tool runs as nobody. */
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  async function own(place: Place): Promise<void> {
    if (!('uid' in nobody)) return;
    for (const file of [place.dir, place.env.HOME ?? '']) chmodSync(file, 0o755);
    expect((await place.shell(`chown -R 65534:65534 '${place.dir}'`)).exitCode).toBe(0);
  }

  test('a directory that may not be written to', async () => {
    const place = new Place();
    mkdirSync(place.file('locked'));
    await own(place);
    chmodSync(place.file('locked'), 0o555);
    const run = await place.run(create('a'), { ...nobody, env: { UNLOCKOS_KEYS_STORE: place.file('locked/keys.db') } });
    refused(run, /no permission to use the store/);
    expect(existsSync(place.file('locked/keys.db'))).toBe(false);
  });

  test('a file that may not be written to', async () => {
    const place = new Place();
    await makeKey(place, 'old');
    await own(place);
    chmodSync(place.store, 0o400);
    refused(await place.run(create('new'), nobody), /cannot be written|no permission/);
    chmodSync(place.store, 0o600);
    expect((await place.run(['list', '-o', 'value', '--fields', 'name'], nobody)).stdout).toBe('old\n');
  });

  test('a store of another user', async () => {
    const place = new Place();
    await makeKey(place, 'old');
    await own(place);
    if (process.getuid?.() !== 0) chmodSync(place.store, 0o666);
    const run = await place.run(['list']);
    expect(run.exitCode).toBe(6);
    expect(run.stderr).toMatch(/refusing the store .*(belongs to another user|others can write)/);
  });

  const spoil: [string, (file: string) => void][] = [
    ['its header overwritten', (file) => writeAt(file, 0, 'this is no database any more')],
    ['cut to half', (file) => truncateSync(file, Math.floor(statSync(file).size / 8192) * 4096)],
  ];
  function writeAt(file: string, at: number, text: string): void {
    const descriptor = openSync(file, 'r+');
    writeSync(descriptor, text, at);
    closeSync(descriptor);
  }

  test.each(spoil)('%s: damaged, with advice; verify says neither yes nor no; doctor says what', async (_, damage) => {
    const place = new Place();
    const keyString = await makeKey(place, 'a', '-d', 'x'.repeat(400));
    await place.run(['store', 'backup', 'copy.db']);
    damage(place.store);
    refused(await place.run(create('new')), /is damaged \(SQLITE_/);
    expect((await place.run(['verify', '--stdin'], { input: keyString })).exitCode).toBe(8);
    expect((await place.run(['doctor'])).exitCode).toBe(7);
    renameSync(place.file('copy.db'), place.store);
    await expectSound(place, [keyString]);
  });

  test('a newer schema: refused by all but doctor, and left as it is', async () => {
    const place = new Place();
    await makeKey(place, 'a');
    const db = (await loadBinding()).open(place.store);
    db.exec("insert into schema_migrations values (99, 'future', 'x', 0)");
    db.close();
    const before = readFileSync(place.store);
    for (const args of [
      create('b'),
      ['list'],
      ['show', 'a'],
      ['disable', 'a'],
      ['audit', 'verify'],
      ['store', 'check'],
      ['store', 'backup', 'copy.db'],
      ['scopes'],
    ])
      refused(await place.run(args), /has schema 99, this tool knows up to/);
    const doctor = await place.run(['doctor']);
    expect([doctor.exitCode, doctor.stdout]).toEqual([
      7,
      expect.stringMatching(/schema +× failed +version 99|version 3 is newer/),
    ]);
    expect(readFileSync(place.store)).toEqual(before);
  });

  test('an empty name, a directory, a link, another program’s database: refused, each by name', async () => {
    const place = new Place();
    const foreign = (await loadBinding()).open(place.file('foreign.db'));
    foreign.exec('create table bookmarks (url)');
    foreign.close();
    chmodSync(place.file('foreign.db'), 0o600);
    const cases: [string, number, RegExp][] = [
      ['', 2, /the store path is empty/],
      [place.dir, 6, /not a regular file/],
      ['/dev/null', 6, /not a regular file/],
      [place.file('foreign.db'), 8, /SQLite file of another program/],
      [':memory:', 2, /not a store path/],
      [path.join(place.dir, 'none', 'keys.db'), 8, /the directory .* does not exist/],
    ];
    for (const [store, code, message] of cases) {
      const run = await place.run([...create('a'), '--store', store]);
      expect([run.exitCode, run.stdout], store).toEqual([code, '']);
      expect(run.stderr).toMatch(message);
    }
  });
});
