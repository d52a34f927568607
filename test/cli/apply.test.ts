import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { fileNameOf } from '../../src/cli/delivery/key-dir.js';
import { type TestCli, testCli } from '../support/test-cli.js';

const KEY_STRING = /unlk_\w+_\w+_\w{20}/;

const ONE = `version: 1
name: team
keys:
  - name: one
    mode: test
    scopes: [plan:read]
`;
const TWO = `${ONE}  - { name: "Zoë's / key", mode: live, scopes: [checkin:read], description: second, rateLimit: 5/s }\n`;

function withManifest(text: string, cli: TestCli = testCli()): TestCli {
  writeFileSync(path.join(cli.dir, 'keys.yaml'), text);
  return cli;
}

const apply = (cli: TestCli, ...flags: string[]) => cli.run('apply', '-f', 'keys.yaml', ...flags);
const keyFiles = (cli: TestCli) => readdirSync(path.join(cli.dir, 'new')).sort();
const auditHead = async (cli: TestCli) => (await cli.run('audit', 'head')).stdout;

async function verdictOf(cli: TestCli, file: string): Promise<string> {
  cli.stdin = readFileSync(path.join(cli.dir, 'new', file), 'utf8');
  return JSON.parse((await cli.run('verify', '--stdin', '--json')).stdout).verdict;
}

describe('apply', () => {
  test('makes keys, puts each key string in a file of its own, and does nothing the second time', async () => {
    const cli = withManifest(TWO);
    const { exitCode, stdout, stderr } = await apply(cli, '--key-dir', 'new', '--yes');
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toContain(
      'create  "one" (test): mode test; scopes plan:read; rate limit 600/m; labels manifest=team',
    );
    expect(stderr).toMatch(/Created one \(\w{12}\)/);
    expect(stderr).not.toMatch(KEY_STRING);
    const odd = `${fileNameOf("Zoë's / key")}.key`;
    expect(odd).toMatch(/^Zo__s___key-[0-9a-f]{8}\.key$/);
    expect(keyFiles(cli)).toEqual([odd, 'one.key']);
    expect(statSync(path.join(cli.dir, 'new')).mode & 0o777).toBe(0o700);
    for (const file of keyFiles(cli)) {
      expect(statSync(path.join(cli.dir, 'new', file)).mode & 0o777).toBe(0o600);
      expect(await verdictOf(cli, file)).toBe('valid');
    }
    expect(await cli.json('show', "Zoë's / key")).toMatchObject({
      mode: 'live',
      description: 'second',
      rateLimit: { limit: 5, windowSeconds: 1 },
      labels: { manifest: 'team' },
    });

    const head = await auditHead(cli);
    const again = await apply(cli);
    expect(again).toMatchObject({ exitCode: 0, stdout: '' });
    expect(again.stderr).toContain('Nothing to change: the store matches keys.yaml');
    expect(await auditHead(cli)).toBe(head);
  });

  test('--json is the steps that were taken, and never a key string', async () => {
    const cli = withManifest(ONE);
    await cli.create('other');
    const { stdout, stderr } = await apply(cli, '--key-dir', 'new', '--yes', '--json');
    expect(stderr).toBe('');
    const { id } = await cli.json('show', 'one');
    expect(JSON.parse(stdout)).toEqual([
      {
        action: 'create',
        name: 'one',
        id,
        mode: 'test',
        changes: {
          mode: { before: null, after: 'test' },
          scopes: { before: null, after: ['plan:read'] },
          rateLimit: { before: null, after: '600/m' },
          labels: { before: null, after: { manifest: 'team' } },
        },
      },
    ]);
    expect(stdout).not.toMatch(KEY_STRING);
    expect((await apply(cli, '--json')).stdout).toBe('[]\n');
  });

  test('--dry-run prints the plan on stdout and changes nothing', async () => {
    const cli = withManifest(ONE);
    await cli.create('other');
    const head = await auditHead(cli);
    const { exitCode, stdout, stderr } = await apply(cli, '-n');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ACTION +NAME +MODE +CHANGES\ncreate +one +test +mode test; scopes plan:read/);
    expect(stderr).toContain('Dry run: would create 1 key; nothing was changed.');
    expect(await auditHead(cli)).toBe(head);
  });

  test('reads stdin', async () => {
    const cli = testCli();
    cli.stdin = ONE;
    expect((await cli.run('apply', '-f', '-', '--key-dir', 'new', '--yes')).exitCode).toBe(0);
    cli.stdin = 'version: 7';
    expect((await cli.run('apply', '-f', '-')).stderr).toContain('error: stdin:1:1: the manifest has no name');
  });

  test('rotates to other scopes, with the overlap that was asked for, into a file beside the old one', async () => {
    const cli = withManifest(ONE);
    await apply(cli, '--key-dir', 'new', '--yes');
    const old = await cli.json('show', 'one');
    withManifest(ONE.replace('plan:read', 'plan:create'), cli);
    const { exitCode, stderr } = await apply(cli, '--key-dir', 'new', '--yes', '--overlap', '2h');
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toContain('rotate  "one" (test): scopes + plan:create − plan:read');
    expect(stderr).toContain(`; ${old.id} works until 2026-11-23T12:00:00.000Z`);
    const { id } = await cli.json('show', 'one');
    expect(keyFiles(cli)).toEqual([`one.${id}.key`, 'one.key'].sort());
    expect(await verdictOf(cli, `one.${id}.key`)).toBe('valid');
    expect(await verdictOf(cli, 'one.key')).toBe('valid');
    cli.now = new Date('2026-11-23T12:00:00Z');
    expect(await verdictOf(cli, 'one.key')).toBe('expired');

    withManifest(ONE, cli);
    await apply(cli, '--key-dir', 'new', '--yes', '--overlap', '0');
    expect(await verdictOf(cli, `one.${id}.key`)).toBe('expired');
    expect((await apply(cli, '--overlap', 'soon')).exitCode).toBe(2);
  });

  test('a file that gets in the way at the last moment: the key is disabled, the rest waits, the next run finishes', async () => {
    const cli = withManifest(`${ONE}  - { name: two, mode: test, scopes: [plan:read] }\n`);
    let asked = 0;
    cli.random = (size) => {
      if (asked++ === 0) writeFileSync(path.join(cli.dir, 'new', 'one.key'), 'mine');
      return randomBytes(size);
    };
    const { exitCode, stderr } = await apply(cli, '--key-dir', 'new', '--yes');
    const { id, status } = await cli.json('show', 'one');
    expect([exitCode, status]).toEqual([1, 'inactive']);
    expect(stderr).toContain(`one.key": it already exists, and is never overwritten), so the key was disabled: ${id}`);
    expect(stderr).not.toMatch(KEY_STRING);
    expect(await cli.names()).toEqual(['one']);
    expect(readFileSync(path.join(cli.dir, 'new', 'one.key'), 'utf8')).toBe('mine');

    const next = await apply(cli, '--key-dir', 'new', '--yes');
    expect(next.stderr).toContain('replace  "one" (test): its key string was never handed out');
    const made = await cli.json('show', 'one');
    expect(await verdictOf(cli, `one.${made.id}.key`)).toBe('valid');
    expect(await verdictOf(cli, 'two.key')).toBe('valid');
    expect((await cli.run('diff', '-f', 'keys.yaml', '--exit-code')).exitCode).toBe(0);
  });

  describe('--pipe', () => {
    const KEEP = 'cat > "$UNLOCKOS_KEYS_NAME.txt"; printf %s "$UNLOCKOS_KEYS_ID $0 $@" >> ids; env > env';
    const piping = (text: string) => {
      const cli = withManifest(text);
      cli.env.PATH = process.env.PATH;
      return cli;
    };
    const read = (cli: TestCli, file: string) => readFileSync(path.join(cli.dir, file), 'utf8');

    test('runs the program for each key, with the key string on its stdin and nowhere else', async () => {
      const cli = piping(`${ONE}  - { name: two, mode: test, scopes: [plan:read] }\n`);
      cli.env.UNLOCKOS_KEYS_AUTH_TOKEN = 'hush';
      cli.env.UNLOCKOS_KEYS_PEPPERS = undefined;
      const { exitCode, stdout, stderr } = await apply(
        cli,
        '--yes',
        '--json',
        '--pipe',
        '--',
        'sh',
        '-c',
        KEEP,
        'list',
        '-x',
      );
      expect(exitCode, stderr).toBe(0);
      const ids = JSON.parse(stdout).map(({ id }: { id: string }) => id);
      expect(read(cli, 'ids')).toBe(ids.map((id: string) => `${id} list -x`).join(''));
      for (const name of ['one', 'two']) {
        cli.stdin = read(cli, `${name}.txt`);
        expect(cli.stdin).toMatch(/^\w{61}$/);
        expect((await cli.run('verify', '--stdin')).exitCode).toBe(0);
      }
      expect(read(cli, 'env')).not.toMatch(/hush|unlk_/);
    });

    test('a program that fails: its key is disabled, and applying again makes it anew', async () => {
      const cli = piping(`${ONE}  - { name: two, mode: test, scopes: [plan:read] }\n`);
      const script = 'cat > /dev/null; test "$UNLOCKOS_KEYS_NAME" = one || kill -9 $$';
      const { exitCode, stderr } = await apply(cli, '--yes', '--pipe', '--', 'sh', '-c', script);
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(
        /the key string of "two" could not be delivered \("sh" ended with SIGKILL\), so the key was disabled/,
      );
      expect((await cli.json('show', 'two')).status).toBe('inactive');
      expect((await apply(cli, '--yes', '--pipe', '--', 'sh', '-c', KEEP)).exitCode).toBe(0);
      expect(existsSync(path.join(cli.dir, 'one.txt'))).toBe(false);
      cli.stdin = read(cli, 'two.txt');
      expect((await cli.run('verify', '--stdin')).exitCode).toBe(0);
    });

    test.each([
      [['--pipe', '--', 'no-such-program'], 'cannot run "no-such-program"'],
      [['--pipe', '--', './keys.yaml'], 'cannot run "./keys.yaml"'],
      [['--pipe'], '--pipe names no program'],
      [['--pipe', '--key-dir', 'new', '--', 'sh'], '--key-dir and --pipe do not go together'],
      [['keys.yaml'], 'apply takes no argument "keys.yaml"'],
    ])('%j is refused before anything is made', async (flags, message) => {
      const cli = piping(ONE);
      await cli.create('other');
      const { exitCode, stderr } = await apply(cli, '--yes', ...flags);
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining(message)]);
      expect(await cli.names()).toEqual(['other']);
    });
  });

  test('has GitHub hide what it writes', async () => {
    const cli = withManifest(ONE, testCli({ ci: { name: 'GitHub Actions' } }));
    cli.env.GITHUB_ACTIONS = 'true';
    const { stderr } = await apply(cli, '--key-dir', 'new', '--yes');
    expect(stderr).toContain(`::add-mask::${readFileSync(path.join(cli.dir, 'new', 'one.key'), 'utf8')}`);
  });

  test('writes its steps under one operation', async () => {
    const cli = withManifest(TWO.replace('keys:', 'scopes: [report:read]\nkeys:'));
    await apply(cli, '--key-dir', 'new', '--yes', '--operation-id', 'release-2026-11');
    const events = await cli.json('audit', 'list');
    const ops = events
      .slice(1)
      .map(({ action, op }: { action: string; op: string }) => [action, op.replace(/:[0-9a-f]{16}/, '')]);
    expect(ops).toEqual([
      ['scope.add', 'release-2026-11:add-scope'],
      ['key.create', 'release-2026-11:create'],
      ['key.edit', 'release-2026-11:create:delivery:delivered'],
      ['key.create', 'release-2026-11:create'],
      ['key.edit', 'release-2026-11:create:delivery:delivered'],
    ]);
    expect(new Set(events.map(({ op }: { op: string }) => op)).size).toBe(events.length);
  });

  test("takes the profile's defaults for new keys of which the manifest says nothing", async () => {
    const cli = withManifest(ONE);
    await cli.run(
      'profile',
      'add',
      'p',
      '--store',
      cli.store,
      '--default-expires',
      '30d',
      '--default-rate-limit',
      '7/s',
    );
    const { exitCode, stderr } = await apply(cli, '-p', 'p', '--key-dir', 'new', '--yes');
    expect(exitCode, stderr).toBe(0);
    expect(await cli.json('show', 'one')).toMatchObject({
      expiresAt: '2026-12-23T10:00:00.000Z',
      rateLimit: { limit: 7, windowSeconds: 1 },
    });
    expect((await apply(cli, '-p', 'p')).stderr).toContain('Nothing to change');
  });
});

describe('a refused apply changes nothing', () => {
  test.each([
    [[], 2, 'no manifest was named'],
    [['-f', ''], 2, '-f needs a value, and got an empty one'],
    [['-f', 'gone.yaml'], 2, 'cannot read the manifest "gone.yaml": there is no such file'],
    [['-f', '.'], 2, 'cannot read the manifest ".": it is not a regular file'],
    [['-f', 'latin1.yaml'], 2, 'it is not UTF-8 text'],
    [['-f', 'huge.yaml'], 2, 'it is larger than 4 MiB'],
    [['-f', 'bad.yaml'], 2, 'bad.yaml:4:5: keys[0] has no mode; write mode: live or mode: test'],
    [['-f', 'keys.yaml'], 2, 'no destination for the key strings of "one"'],
    [['-f', 'keys.yaml', '--key-dir', 'new'], 6, 'not confirmed: this would create 1 key'],
    [['-f', 'keys.yaml', '--key-dir', 'keys.yaml', '--yes'], 2, '--key-dir "keys.yaml" is not a directory'],
    [['-f', 'keys.yaml', '--key-dir', 'a/b', '--yes'], 2, 'its directory does not exist'],
    [['-f', 'keys.yaml', '--key-dir', 'full', '--yes'], 5, 'one.key exists, and a key file is never overwritten'],
    [['-f', 'keys.yaml', '--key-dir', 'linked', '--yes'], 5, 'one.key exists, and a key file is never overwritten'],
    [['-f', 'taken.yaml', '--key-dir', 'new', '--yes'], 5, 'a key named "there" exists'],
  ] as const)('%j', async (flags, code, message) => {
    const cli = withManifest(ONE);
    await cli.create('there', '--test');
    const write = (name: string, text: string | Buffer) => writeFileSync(path.join(cli.dir, name), text);
    write('latin1.yaml', Buffer.from('version: 1\nname: m\xe9\n', 'latin1'));
    write('huge.yaml', `# ${'x'.repeat(4 * 1_048_576)}`);
    write('bad.yaml', 'version: 1\nname: m\nkeys:\n  - scopes: []\n');
    write('taken.yaml', ONE.replace('one', 'there'));
    for (const name of ['full', 'linked']) mkdirSync(path.join(cli.dir, name));
    write('full/one.key', 'precious');
    symlinkSync('/nowhere', path.join(cli.dir, 'linked', 'one.key'));
    const head = await auditHead(cli);
    const { exitCode, stdout, stderr } = await cli.run('apply', ...flags);
    expect([exitCode, stdout]).toEqual([code, '']);
    expect(stderr).toContain(message);
    expect(await auditHead(cli)).toBe(head);
    expect(readFileSync(path.join(cli.dir, 'full/one.key'), 'utf8')).toBe('precious');
  });

  test('all problems at once, as JSON too', async () => {
    const cli = withManifest('version: 1\nname: m\nkeys:\n  - { name: a, mode: x, scopes: [b] }\n');
    const { exitCode, stderr } = await apply(cli, '--json');
    expect(exitCode).toBe(2);
    expect(JSON.parse(stderr).error).toMatchObject({
      code: 'usage',
      message: expect.stringMatching(/4:22: .*\n.*4:34: /),
    });
  });

  test('a key string in the manifest is not repeated', async () => {
    const cli = testCli();
    const { keyString } = await cli.create('leaked', '--test');
    const { exitCode, stderr } = await apply(withManifest(`${ONE}    description: ${keyString}\n`, cli));
    expect(exitCode).toBe(2);
    expect(stderr).toContain('keys.yaml:7:18: this is a key string');
    expect(stderr).not.toMatch(KEY_STRING);
  });
});

describe('confirmation', () => {
  test('a person is shown the plan and asked once', async () => {
    const cli = withManifest(ONE).atTerminal(false);
    const refused = await apply(cli, '--key-dir', 'new');
    expect(refused.exitCode).toBe(6);
    expect(refused.stderr).toMatch(/create {2}"one" \(test\).*\nThis will create 1 key\n/s);
    expect(await cli.atTerminal().names()).toEqual([]);
    expect((await apply(cli.atTerminal(true), '--key-dir', 'new')).exitCode).toBe(0);
    expect(cli.asked).toHaveLength(1);
  });

  test('what goes for good is named, and a live key wants its name typed', async () => {
    const cli = withManifest(TWO);
    await apply(cli, '--key-dir', 'new', '--yes');
    withManifest('version: 1\nname: team\nkeys: []\n', cli);
    const first = await apply(cli, '--prune', '--yes');
    expect(first.stderr).toContain('no longer in the manifest');
    expect(first.stderr).toMatch(/Disabled one/);
    const second = await apply(cli.atTerminal(true, 'wrong'), '--prune');
    expect(second.exitCode).toBe(6);
    expect(second.stderr).toContain('This will delete 2 keys; deleted: "one", "Zoë\'s / key"');
    expect(second.stderr).toContain('This will delete LIVE key "Zoë\'s / key"');
    expect(await cli.atTerminal().names()).toHaveLength(2);
    expect((await apply(cli.atTerminal(true, "Zoë's / key"), '--prune')).exitCode).toBe(0);
    expect(await cli.atTerminal().names()).toEqual([]);
  });

  test('in a protected profile each key that stops working is named', async () => {
    const cli = withManifest(ONE);
    await cli.run('profile', 'add', 'prod', '--store', cli.store, '--protected');
    expect((await apply(cli, '-p', 'prod', '--key-dir', 'new', '--yes')).exitCode).toBe(0);
    withManifest(`${ONE}    disabled: true\n`, cli);
    const refused = await apply(cli, '-p', 'prod', '--yes');
    expect(refused.exitCode).toBe(6);
    expect(refused.stderr).toContain('this would disable "one"');
    expect(refused.stderr).toContain('unlockos-keys apply -f keys.yaml -p prod --yes --confirm one');
    expect((await apply(cli, '-p', 'prod', '--yes', '--confirm', 'one')).exitCode).toBe(0);
    expect((await cli.json('show', 'one')).status).toBe('inactive');
  });

  test('in a profile for test keys nothing is begun when one of them is live', async () => {
    const cli = withManifest(TWO);
    await cli.create('seed', '--test');
    await cli.run('profile', 'add', 'ci', '--store', cli.store, '--test-only');
    const { exitCode, stderr } = await apply(cli, '-p', 'ci', '--key-dir', 'new', '--yes');
    expect(exitCode).toBe(6);
    expect(stderr).toContain('the key is live, and this profile is for test keys only');
    expect(await cli.names()).toEqual(['seed']);
    expect(existsSync(path.join(cli.dir, 'new'))).toBe(false);
  });

  test('--adopt-from moves a key between manifests; the old manifest then leaves it alone', async () => {
    const cli = testCli();
    const file = (name: string, text: string) => writeFileSync(path.join(cli.dir, `${name}.yaml`), text);
    const named = (name: string, keys: string) => `version: 1\nname: ${name}\nkeys: [${keys}]\n`;
    const one = '{ name: one, mode: test, scopes: [plan:read] }';
    file('a', named('a', one));
    mkdirSync(path.join(cli.dir, 'new'), { mode: 0o700 });
    expect((await cli.run('apply', '-f', 'a.yaml', '--key-dir', 'new', '--yes')).exitCode).toBe(0);
    const { id } = await cli.json('show', 'one');
    file('b', named('b', one));
    expect(await cli.run('apply', '-f', 'b.yaml', '--yes')).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining('--adopt-from a'),
    });
    expect((await cli.run('apply', '-f', 'b.yaml', '--adopt-from', 'a', '--yes')).exitCode).toBe(0);
    expect((await cli.run('apply', '-f', 'a.yaml', '--yes')).exitCode).toBe(5);
    file('a', named('a', ''));
    expect((await cli.run('apply', '-f', 'a.yaml', '--prune', '--yes')).exitCode).toBe(0);
    expect(await cli.json('show', 'one')).toMatchObject({ id, status: 'active', labels: { manifest: 'b' } });
  });

  test('--adopt takes in a key that was made by hand', async () => {
    const cli = withManifest(ONE);
    const { keyString } = await cli.create('one', '--test', '-s', 'plan:read');
    expect((await apply(cli)).exitCode).toBe(5);
    const { exitCode, stderr } = await apply(cli, '--adopt', '--yes');
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toContain('edit  "one" (test): labels none → manifest=team');
    cli.stdin = keyString;
    expect((await cli.run('verify', '--stdin')).exitCode).toBe(0);
  });
});

test('a name becomes a file name that no other name has', () => {
  const names = ['a', 'A b', 'A_b', 'a/b', '..', 'ünï', 'x'.repeat(64), '\u{1F600}'.repeat(64), '4../../etc/passwd'];
  const files = names.map(fileNameOf);
  expect(new Set(files.map((file) => file.toLowerCase())).size).toBe(names.length);
  for (const file of files) expect(file).toMatch(/^[A-Za-z0-9._-]{1,140}$/);
  expect(fileNameOf('partner-1.x_y')).toBe('partner-1.x_y');
});
