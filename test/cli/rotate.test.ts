import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { RECORDED_ALWAYS } from '../support/stores.js';
import { type Answer, CTRL_C, type TestCli, testCli } from '../support/test-cli.js';

const KEY_STRING = /^unlk_(live|test)_([0-9a-hjkmnp-tv-z]{12})_[0-9A-Za-z]{38}\n$/;
const HOUR = 3_600_000;

function later(cli: TestCli, ms: number): void {
  cli.now = new Date(cli.now.getTime() + ms);
}

async function use(cli: TestCli, id: string, at = cli.now): Promise<void> {
  await cli.sql(
    'update key_usage set last_used_at = ? where key_seq = (select seq from api_keys where id = ?)',
    at.getTime(),
    id,
  );
}

/** As if a server had recorded use all the time, of the key `id` just now. */
async function moved(cli: TestCli, id: string): Promise<void> {
  await cli.sql(RECORDED_ALWAYS);
  await use(cli, id);
}

async function verdict(cli: TestCli, keyString: string): Promise<string> {
  cli.stdin = keyString;
  const { stdout } = await cli.run('verify', '--stdin', '--json');
  cli.stdin = '';
  return JSON.parse(stdout).verdict;
}

/** A key and what replaced it, with both key strings. */
async function rotated(cli: TestCli, ...flags: string[]) {
  const old = await cli.create('ci', '--test');
  const { exitCode, stdout, stderr } = await cli.run('rotate', 'ci', '-o', 'value', ...flags);
  expect(exitCode, stderr).toBe(0);
  const [, , id = ''] = KEY_STRING.exec(stdout) ?? [];
  return { old, id, keyString: stdout.trim(), stderr };
}

describe('rotate', () => {
  test('prints the new key string alone, and says until when the old one works, in both forms', async () => {
    const cli = testCli();
    const { old, id, keyString, stderr } = await rotated(cli);
    expect(stderr).toContain(`Rotated TEST key "ci": ${old.id} is replaced by ${id}`);
    expect(stderr).toContain(`Old key     "ci (old ${old.id})" works until 2026-11-24T10:00:00.000Z (in 1 day)`);
    expect(stderr).toContain(`unlockos-keys rotate --finish ${id}`);
    expect(stderr).toContain(`Store: ${cli.store} (UNLOCKOS_KEYS_STORE)`);
    expect(stderr).not.toContain(keyString);
    expect(await cli.names()).toEqual([`ci (old ${old.id})`, 'ci']);
    expect([await verdict(cli, old.keyString), await verdict(cli, keyString)]).toEqual(['valid', 'valid']);
    later(cli, 24 * HOUR);
    expect([await verdict(cli, old.keyString), await verdict(cli, keyString)]).toEqual(['expired', 'valid']);
  });

  test.each([
    ['--overlap', '7d', '2026-11-30T10:00:00.000Z', 'works until 2026-11-30T10:00:00.000Z (in 7 days)'],
    ['--overlap', '0', '2026-11-23T10:00:00.000Z', 'stopped working 2026-11-23T10:00:00.000Z (just now)'],
  ])('%s %s', async (flag, value, end, says) => {
    const cli = testCli();
    const { old, stderr } = await rotated(cli, flag, value);
    expect((await cli.json('show', old.id)).expiresAt).toBe(end);
    expect(stderr).toContain(says);
    expect(stderr.includes('--finish')).toBe(value !== '0');
  });

  test.each([
    ['24h', 'works until 2026-11-24T10:00:00.', '(in 1 day)'],
    ['0', 'stopped working 2026-11-23T10:00:00.', '(just now)'],
  ])('tells the end of an overlap of %s aright while time goes on', async (overlap, end, relative) => {
    const cli = testCli();
    await cli.create('ci');
    let at = cli.now.getTime();
    const tick = () => {
      at += 10;
      return new Date(at);
    };
    Object.defineProperty(cli, 'now', { get: tick });
    const { stderr } = await cli.run('rotate', 'ci', '--overlap', overlap);
    const [line = ''] = /^ {2}Old key .*$/m.exec(stderr) ?? [];
    expect(line).toContain(end);
    expect(line.endsWith(relative)).toBe(true);
    expect(stderr.includes('rotate --finish')).toBe(overlap !== '0');
  });

  test('copies what the key is, and lets scopes and expiry be others', async () => {
    const cli = testCli();
    await cli.create('ci', '--live', '-s', 'plan:read', '-d', 'kiosk', '--rate-limit', '5/s', '--expires', '90d');
    later(cli, 24 * HOUR);
    const same = await cli.json('rotate', 'ci');
    expect(same).toMatchObject({
      name: 'ci',
      mode: 'live',
      description: 'kiosk',
      scopes: ['plan:read'],
      rateLimit: { limit: 5, windowSeconds: 1 },
      expiresAt: '2027-02-22T10:00:00.000Z',
      rotatedTo: null,
    });
    expect(same.keyString).toMatch(/^unlk_live_/);
    const other = await cli.json('rotate', 'ci', '--scopes', 'checkin:read,plan:create', '--expires', 'never');
    expect(other).toMatchObject({
      scopes: ['checkin:read', 'plan:create'],
      expiresAt: null,
      rotatedFrom: same.id,
    });
  });

  test('--dry-run prints the plan and changes nothing, not even a file', async () => {
    const cli = testCli();
    const { id } = await cli.create('ci', '-s', 'plan:read');
    const { exitCode, stdout, stderr } = await cli.run(
      'rotate',
      'ci',
      '-n',
      '--key-file',
      'new.key',
      '--overlap',
      '2h',
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    for (const line of [
      '  Name        "ci"',
      `  Replaces    ${id}`,
      '  Mode        LIVE',
      '  Scopes      plan:read',
      `  Old key     "ci (old ${id})" works until 2026-11-23T12:00:00.000Z (in 2 hours)`,
      'Dry run: no key was created or changed.',
    ])
      expect(stderr).toContain(`${line}\n`);
    expect(existsSync(path.join(cli.dir, 'new.key'))).toBe(false);
    expect(await cli.names()).toEqual(['ci']);
  });

  test.each([
    { why: 'no key', args: [], exit: 2, says: 'a key            unlockos-keys rotate KEY' },
    { why: 'a key that is not there', args: ['nobody'], exit: 3, says: 'no key "nobody"' },
    { why: 'an overlap without a unit', args: ['ci', '--overlap', '24'], exit: 2, says: '--overlap "24" is not a' },
    { why: 'an overlap of years', args: ['ci', '--overlap', '53w'], exit: 2, says: 'must be a time of up to 365 days' },
    { why: 'an unknown scope', args: ['ci', '-s', 'chekin:read'], exit: 2, says: 'did you mean checkin:read?' },
    { why: 'no scope', args: ['ci', '-s', ','], exit: 2, says: 'a key needs at least one scope' },
    { why: 'an expiry in the past', args: ['ci', '--expires', '2020-01-01'], exit: 2, says: 'has already passed' },
    { why: '-o csv', args: ['ci', '-o', 'csv'], exit: 2, says: '-o csv is for lists' },
    { why: 'two things at once', args: ['ci', '--status', '--finish'], exit: 2, says: 'do not go together' },
    { why: 'a sink with --finish', args: ['ci', '--finish', '--copy'], exit: 2, says: '--finish creates no key' },
    { why: 'an overlap with --status', args: ['--status', '--overlap', '0'], exit: 2, says: '--status creates no key' },
    {
      why: 'a program with --status',
      args: ['ci', '--status', '--', 'sh'],
      exit: 2,
      says: 'the words after -- are for --pipe: "sh"',
    },
    { why: 'a second key', args: ['ci', 'off'], exit: 2, says: 'too many arguments: "off"' },
    {
      why: 'a program that is not there',
      args: ['ci', '--pipe', '--', 'no-such'],
      exit: 2,
      says: 'cannot run "no-such"',
    },
    { why: '--force alone', args: ['ci', '--force'], exit: 2, says: 'belong to --finish' },
    { why: '--quiet-for alone', args: ['ci', '--quiet-for', '1h'], exit: 2, says: 'belong to --finish' },
    { why: 'a window without a unit', args: ['ci', '--finish', '--quiet-for', '0'], exit: 2, says: 'not a duration' },
    { why: '--finish of nothing', args: ['--finish'], exit: 2, says: 'missing: a key' },
    {
      why: '--finish of a key in no rotation',
      args: ['ci', '--finish'],
      exit: 5,
      says: 'was not rotated: there is no overlap to end',
    },
    { why: 'an inactive key', args: ['off'], exit: 5, says: 'enable it first: unlockos-keys enable' },
  ])('refuses $why with exit $exit and changes nothing', async ({ args, exit, says }) => {
    const cli = testCli();
    await cli.create('ci');
    await cli.create('off');
    await cli.run('disable', 'off');
    const head = (await cli.run('audit', 'head')).stdout;
    const { exitCode, stdout, stderr } = await cli.run('rotate', ...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: exit, stdout: '' });
    expect(stderr).toContain(says);
    expect((await cli.run('audit', 'head')).stdout).toBe(head);
  });

  test('of a key that was rotated names its successor', async () => {
    const cli = testCli();
    const { old, id } = await rotated(cli);
    const { exitCode, stderr } = await cli.run('rotate', old.id);
    expect(exitCode).toBe(5);
    expect(stderr).toContain(`was already rotated, to ${id}`);
    expect(stderr).toContain(`unlockos-keys show ${id}`);
  });

  test('in CI needs a destination before anything is done, and takes each of them', async () => {
    const cli = testCli({ ci: { name: 'GitHub Actions' } });
    await cli.create('ci', '--test');
    const { exitCode, stderr } = await cli.run('rotate', 'ci');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('a destination    -o value');
    expect(stderr).toContain('this is a GitHub Actions run');
    expect(await cli.names()).toEqual(['ci']);
    const read = (name: string) => readFileSync(path.join(cli.dir, name), 'utf8');
    cli.env = { ...cli.env, GITHUB_ACTIONS: 'true', GITHUB_ENV: `${cli.dir}/env`, GITHUB_OUTPUT: `${cli.dir}/out` };
    for (const name of ['env', 'out']) writeFileSync(path.join(cli.dir, name), '');
    for (const [flags, file, form] of [
      [['--key-file', 'ci.key'], 'ci.key', /^(unlk_test_\w{51})\n$/],
      [['--dotenv', '.env'], '.env', /^UNLOCKOS_API_KEY=(unlk_test_\w{51})\n$/],
      [['--github-env', 'KEY'], 'env', /^KEY=(unlk_test_\w{51})\n$/],
      [['--github-output', 'KEY'], 'out', /^KEY=(unlk_test_\w{51})\n$/],
    ] as const) {
      expect((await cli.run('rotate', 'ci', ...flags)).exitCode, String(flags)).toBe(0);
      expect(await verdict(cli, form.exec(read(file))?.[1] ?? '')).toBe('valid');
    }
    expect((await cli.run('rotate', 'ci', '--copy')).exitCode).toBe(0);
    expect(await verdict(cli, cli.clipboard.copied[0] ?? '')).toBe('valid');
  });

  test('--pipe hands the key string to a program; where that fails, the key is disabled', async () => {
    const cli = testCli({ env: { PATH: process.env.PATH } });
    await cli.create('ci', '--test');
    const piped = (script: string) => cli.run('rotate', 'ci', '--pipe', '--', 'sh', '-c', script);
    const { exitCode, stdout, stderr } = await piped('cat > kept');
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    const kept = readFileSync(path.join(cli.dir, 'kept'), 'utf8').trim();
    expect(stderr).not.toContain(kept);
    expect(await verdict(cli, kept)).toBe('valid');
    const failed = await piped('cat > lost; exit 3');
    expect(failed.exitCode).toBe(1);
    expect(failed.stderr).toContain('NOTHING replaces it yet');
    expect(await verdict(cli, readFileSync(path.join(cli.dir, 'lost'), 'utf8').trim())).toBe('inactive');
    expect(await verdict(cli, kept)).toBe('valid');
  });

  test('a destination that cannot take the key string stops it before anything is done', async () => {
    const cli = testCli();
    await cli.create('ci');
    writeFileSync(path.join(cli.dir, 'ci.key'), 'mine');
    expect((await cli.run('rotate', 'ci', '--key-file', 'ci.key')).exitCode).toBe(5);
    await cli.sql("create trigger no before insert on api_keys begin select raise(abort, 'no'); end");
    expect((await cli.run('rotate', 'ci', '--key-file', 'new.key')).exitCode).toBeGreaterThan(0);
    expect(existsSync(path.join(cli.dir, 'new.key'))).toBe(false);
    expect(await cli.names()).toEqual(['ci']);
  });

  test('the key string is in no audit row, and the two keys are linked there', async () => {
    const cli = testCli();
    const { old, id, keyString } = await rotated(cli);
    const events = await cli.json('audit', 'list');
    expect(JSON.stringify(events)).not.toContain(keyString.slice(23));
    expect(events.slice(-3)).toMatchObject([
      { action: 'key.rotate', keyId: old.id, after: { rotatedTo: id, expiresAt: '2026-11-24T10:00:00.000Z' } },
      { action: 'key.create', keyId: id, after: { rotatedFrom: old.id } },
      { action: 'key.edit', keyId: id, reason: 'the key string was delivered' },
    ]);
    expect((await cli.run('audit', 'verify')).exitCode).toBe(0);
  });
});

describe('a key string that cannot be handed out', () => {
  test.each([
    { overlap: '24h', says: 'works until 2026-11-24T10:00:00.000Z (in 1 day)', leaves: 'valid' },
    { overlap: '0', says: 'stopped working 2026-11-23T10:00:00.000Z', leaves: 'expired' },
  ])('disables the new key, says what becomes of the old one, and how to go on: overlap $overlap', async ({
    overlap,
    says,
    leaves,
  }) => {
    const cli = testCli();
    const old = await cli.create('ci', '--test');
    cli.broken = { stdout: 'ENOSPC' };
    const { exitCode, stderr } = await cli.run('rotate', 'ci', '--overlap', overlap);
    cli.broken = {};
    expect(exitCode).toBe(1);
    const { id, status } = await cli.json('show', 'ci');
    expect(status).toBe('inactive');
    expect(stderr).toContain(`could not be delivered (ENOSPC), so the key was disabled: ${id}`);
    expect(stderr).toContain(`old key ${old.id}, "ci (old ${old.id})" ${says}`);
    expect(stderr).toContain('NOTHING replaces it yet');
    expect(stderr).toContain('run the same command again');
    const again = await cli.run('rotate', 'ci', '--overlap', overlap, '-o', 'value');
    expect(again.exitCode, again.stderr).toBe(0);
    expect(again.stderr).toContain(`Replaced key ${id}, which an earlier run created and did not deliver`);
    expect(await verdict(cli, again.stdout.trim())).toBe('valid');
    expect(await verdict(cli, old.keyString)).toBe(leaves);
    expect(await cli.names()).toEqual([`ci (old ${old.id})`, `ci (old ${id})`, 'ci']);
  });

  test('is not taken for delivered where nobody could disable the key either', async () => {
    const cli = testCli();
    await cli.create('ci', '--test');
    await cli.sql(
      "create trigger no before update of status on api_keys when new.status = 'inactive' begin select raise(abort, 'no'); end",
    );
    cli.broken = { stdout: 'EPIPE' };
    const { exitCode, stderr } = await cli.run('rotate', 'ci');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('this key could NOT be disabled');
    expect(stderr).toContain('run the same command again');
  });
});

test('a run that is repeated by its operation id leaves one new key', async () => {
  const cli = testCli();
  const old = await cli.create('ci', '--test');
  const run = ['rotate', 'ci', '--operation-id', 'rotate-ci-1', '-o', 'value'];
  const first = (await cli.run(...run)).stdout.trim();
  const second = (await cli.run(...run)).stdout.trim();
  expect([await verdict(cli, first), await verdict(cli, second), await verdict(cli, old.keyString)]).toEqual([
    'expired',
    'valid',
    'valid',
  ]);
  await use(cli, second.slice(10, 22));
  const third = await cli.run(...run);
  expect(third.exitCode).toBe(5);
  expect(third.stderr).toContain('is in use');
});

describe('on a terminal', () => {
  test('with a key named asks nothing but whether to copy', async () => {
    const cli = testCli();
    await cli.create('ci');
    const { exitCode, stdout } = await cli.atTerminal(true).run('rotate', 'ci');
    expect(exitCode).toBe(0);
    expect(cli.clipboard.copied).toEqual([stdout.trim()]);
    expect(cli.asked.map(({ message }) => message)).toEqual(['Copy it to the clipboard (cleared after 45 s)?']);
  });

  test('without one offers the keys that can be rotated, shows the plan and asks', async () => {
    const cli = testCli();
    await cli.create('off');
    await cli.run('disable', 'off');
    const { old, id } = await rotated(cli);
    const { exitCode, stderr } = await cli.atTerminal('ci', true, false).run('rotate');
    expect(exitCode).toBe(0);
    expect(cli.asked.map(({ kind, message }) => [kind, message])).toEqual([
      ['find', 'Key to rotate (type to search)'],
      ['yesNo', 'Rotate this key?'],
      ['yesNo', 'Copy it to the clipboard (cleared after 45 s)?'],
    ]);
    expect(cli.asked[0]?.choices).toEqual([`ci  unlk_test_${id}_…`]);
    expect(stderr.indexOf(`  Replaces    ${id}`)).toBeLessThan(stderr.indexOf('Rotated TEST key'));
    expect((await cli.json('show', old.id)).rotatedTo).toBe(id);
  });

  test.each<{ answers: Answer[]; exit: number }>([
    { answers: [CTRL_C], exit: 130 },
    { answers: ['ci', false], exit: 6 },
    { answers: ['ci', CTRL_C], exit: 130 },
  ])('answered $answers exits $exit and changes nothing', async ({ answers, exit }) => {
    const cli = testCli();
    await cli.create('ci');
    expect((await cli.atTerminal(...answers).run('rotate')).exitCode).toBe(exit);
    cli.tty = { stdin: false, stdout: false, stderr: false };
    expect(await cli.names()).toEqual(['ci']);
  });

  test('Ctrl-C at the offer to copy loses nothing, and says so', async () => {
    const cli = testCli();
    await cli.create('ci');
    const { exitCode, stdout, stderr } = await cli.atTerminal(CTRL_C).run('rotate', 'ci');
    expect(exitCode).toBe(130);
    expect(stderr).toContain('was created, and its key string is shown above');
    expect(await verdict(cli, stdout.trim())).toBe('valid');
  });

  test('--finish offers the overlaps', async () => {
    const cli = testCli();
    const { old, id } = await rotated(cli);
    await moved(cli, id);
    expect((await cli.atTerminal('ci (old').run('rotate', '--finish')).exitCode).toBe(0);
    expect(await verdict(cli, old.keyString)).toBe('expired');
    const { exitCode, stderr } = await cli.atTerminal().run('rotate', '--finish');
    expect(exitCode).toBe(3);
    expect(stderr).toContain('no key matches');
  });
});

describe('guards of a profile', () => {
  function withProfile(config: string): TestCli {
    const cli = testCli();
    const folder = path.join(cli.home, '.config', 'unlockos-keys');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(
      path.join(folder, 'config.yaml'),
      `profiles:\n  p:\n    store: ${cli.store}\n${config.replace(/^/gm, '    ')}\n`,
      { mode: 0o600 },
    );
    return cli;
  }

  test('a profile for test keys rotates and finishes no live key', async () => {
    const cli = withProfile('testOnly: true');
    await cli.create('ci', '--live');
    for (const flags of [[], ['--dry-run']])
      expect((await cli.run('rotate', 'ci', '-p', 'p', ...flags)).exitCode).toBe(6);
    await cli.run('rotate', 'ci');
    const { exitCode, stderr } = await cli.run('rotate', '--finish', 'ci', '-p', 'p');
    expect(exitCode).toBe(6);
    expect(stderr).toContain('this profile is for test keys only');
  });

  test('a protected profile wants the name, whatever else was confirmed', async () => {
    const cli = withProfile('protected: true');
    const { id } = await cli.create('ci', '--test');
    const { exitCode, stderr } = await cli.run('rotate', 'ci', '-p', 'p', '--yes');
    expect(exitCode).toBe(6);
    expect(stderr).toContain('unlockos-keys rotate ci -p p --yes --confirm ci\n');
    expect((await cli.run('rotate', 'ci', '-p', 'p', '--confirm', 'ci')).exitCode).toBe(0);
    await moved(cli, (await cli.json('show', 'ci')).id);
    const refused = await cli.run('rotate', '--finish', 'ci', '-p', 'p', '--yes');
    expect(refused.exitCode).toBe(6);
    expect(refused.stderr).toContain(`unlockos-keys rotate --finish ci -p p --yes --confirm 'ci (old ${id})'\n`);
    const name = `ci (old ${id})`;
    expect((await cli.atTerminal('ci').run('rotate', '--finish', 'ci', '-p', 'p')).exitCode).toBe(6);
    expect((await cli.atTerminal(name).run('rotate', '--finish', 'ci', '-p', 'p')).exitCode).toBe(0);
  });
});

describe('whether the old key is still in use', () => {
  const table = (stdout: string) => stdout.split('\n').map((line) => line.split(/ {2,}/));

  test.each([
    { command: ['rotate', '--status'] },
    { command: ['rotate', '--status', 'ci'] },
    { command: ['list', '--rotating'] },
  ])('$command says so, with the last use', async ({ command }) => {
    const cli = testCli();
    const { old, id } = await rotated(cli);
    const cell = async () => {
      cli.tty = { stdin: false, stdout: true, stderr: false };
      cli.columns = 200;
      cli.env = { ...cli.env, NO_COLOR: '1' };
      const { exitCode, stdout } = await cli.run(...command);
      cli.tty = { stdin: false, stdout: false, stderr: false };
      expect(exitCode).toBe(0);
      const [head, row] = table(stdout);
      expect(head?.slice(0, 5)).toEqual(['OLD KEY', 'STILL IN USE', 'NEW KEY', 'NEW KEY USED', 'ENDS']);
      expect(row?.[0]).toBe(`ci (old ${old.id})`);
      expect(row?.[2]).toBe(`unlk_test_${id}_…`);
      return row?.slice(1, 5).filter((_, i) => i !== 1);
    };
    expect(await cell()).toEqual(['not known', 'not known', 'in 1 day']);
    expect((await cli.json(...command))[0].usedSince).toBeNull();
    await cli.sql(RECORDED_ALWAYS);
    expect(await cell()).toEqual(['no', 'never', 'in 1 day']);
    await use(cli, old.id, new Date(cli.now.getTime() - HOUR));
    expect((await cell())?.[0]).toBe('not since; last 1 hour ago');
    await use(cli, old.id);
    later(cli, 5 * 60_000);
    await use(cli, id);
    expect(await cell()).toEqual(['YES, last 5 minutes ago', 'just now', 'in 23 hours']);
    const [document, ...others] = await cli.json(...command);
    expect(others).toEqual([]);
    expect(document).toMatchObject({
      id: old.id,
      status: 'active',
      rotatedTo: id,
      rotatedAt: '2026-11-23T10:00:00.000Z',
      usedSince: true,
      lastUsedAt: '2026-11-23T10:00:00.000Z',
      successor: { id, name: 'ci', status: 'active', lastUsedAt: '2026-11-23T10:05:00.000Z' },
    });
    expect((await cli.run(...command, '-o', 'value', '--fields', 'id,usedSince')).stdout).toBe(`${old.id}\ttrue\n`);
    await cli.run('disable', old.id);
    expect((await cell())?.[0]).toBe('no, inactive; last 5 minutes ago');
  });

  test('of a key whose overlap is over is told by name only', async () => {
    const cli = testCli();
    const { old } = await rotated(cli);
    later(cli, 25 * HOUR);
    expect(await cli.json('rotate', '--status')).toEqual([]);
    expect(await cli.json('list', '--rotating')).toEqual([]);
    expect(await cli.json('rotate', '--status', 'ci')).toMatchObject([{ id: old.id, status: 'expired' }]);
    await cli.create('new');
    expect(await cli.json('rotate', '--status', 'new')).toEqual([]);
    expect((await cli.run('rotate', '--status')).stderr).toContain('No old key is in an overlap.');
    expect((await cli.run('list', '--rotating')).stderr).toContain('No keys match (0 of');
  });

  test('is asked of no store that was never made', async () => {
    const cli = testCli({ env: { UNLOCKOS_KEYS_STORE: undefined } as never });
    expect(await cli.json('rotate', '--status')).toEqual([]);
    expect(existsSync(path.join(cli.home, '.local'))).toBe(false);
  });

  test('is on show, from both ends', async () => {
    const cli = testCli();
    const { old, id } = await rotated(cli);
    await use(cli, old.id);
    later(cli, HOUR);
    const usage = 'still in use: YES, last 1 hour ago';
    expect((await cli.run('show', old.id)).stdout).toContain(`Replaced by  ci (${id}), 1 hour ago; ${usage}\n`);
    expect((await cli.run('show', 'ci')).stdout).toContain(
      `Replaces     ci (old ${old.id}) (${old.id}), which works until 2026-11-24T10:00:00.000Z (in 23 hours); ${usage}\n`,
    );
    await cli.run('delete', old.id, '--yes');
    expect((await cli.run('show', 'ci')).stdout).toContain(`Replaces     ${old.id}, which was deleted\n`);
    expect(await cli.json('show', 'ci')).toMatchObject({ rotatedFrom: old.id, rotatedTo: null });
  });

  test('ends where somebody tied the links of a store into a ring', async () => {
    const cli = testCli();
    const { old, id } = await rotated(cli);
    await cli.sql('drop trigger api_keys_life');
    await cli.sql('update api_keys set rotated_to = ? where id = ?', old.id, id);
    await cli.sql('update api_keys set rotated_from = ? where id = ?', id, old.id);
    expect(await cli.json('rotate', '--status', 'ci')).toHaveLength(2);
    expect((await cli.run('show', old.id)).exitCode).toBe(0);
  });

  test('show of an old key says when its successor is gone', async () => {
    const cli = testCli();
    const { old, id } = await rotated(cli);
    await cli.run('delete', 'ci', '--yes');
    expect((await cli.run('show', old.id)).stdout).toContain(`Replaced by  ${id}, which was deleted, just now; still`);
  });
});

describe('rotate --finish', () => {
  test('ends the overlap, and says so; a second time it had ended', async () => {
    const cli = testCli();
    const { old, id } = await rotated(cli);
    await moved(cli, id);
    const run = ['rotate', '--finish', 'ci', '--operation-id', 'finish-ci-1'];
    const { exitCode, stdout, stderr } = await cli.run(...run);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    expect(stderr).toContain(`Ended the overlap: "ci (old ${old.id})" (${old.id}) no longer works`);
    expect(await verdict(cli, old.keyString)).toBe('expired');
    const again = await cli.run('rotate', '--finish', old.id);
    expect(again.exitCode).toBe(0);
    expect(again.stderr).toContain('The overlap has already ended');
    expect(await cli.json('rotate', '--finish', id)).toMatchObject({ id: old.id, status: 'expired' });
    expect((await cli.run(...run)).exitCode).toBe(0);
    expect(await cli.json('audit', 'list', '--action', 'key.expire')).toMatchObject([{ op: 'finish-ci-1' }]);
  });

  test('while the old key is in use exits 6 and names the last use; --quiet-for and --force change that', async () => {
    const cli = testCli();
    const { old, id } = await rotated(cli);
    await moved(cli, id);
    await use(cli, old.id);
    later(cli, 10 * 60_000);
    for (const flags of [[], ['--quiet-for', '11m'], ['--dry-run'], ['--yes']]) {
      const { exitCode, stderr } = await cli.run('rotate', '--finish', 'ci', ...flags);
      expect(exitCode, String(flags)).toBe(6);
      expect(stderr).toContain('still in use: last used 2026-11-23T10:00:00.000Z, 10 min ago');
      expect(stderr).toContain(`unlockos-keys rotate --finish ${old.id} --force`);
    }
    expect(await verdict(cli, old.keyString)).toBe('valid');
    const dry = await cli.run('rotate', '--finish', 'ci', '--quiet-for', '10m', '-n');
    expect(dry.stderr).toContain(`Dry run: would end the overlap of ${old.id}`);
    expect(await verdict(cli, old.keyString)).toBe('valid');
    expect((await cli.run('rotate', '--finish', 'ci', '--force')).exitCode).toBe(0);
    expect(await verdict(cli, old.keyString)).toBe('expired');
  });

  test('warns when what replaced the key does not work', async () => {
    const cli = testCli();
    const { old, id } = await rotated(cli);
    await moved(cli, id);
    await cli.run('disable', 'ci');
    const { exitCode, stderr } = await cli.run('rotate', '--finish', old.id);
    expect(exitCode).toBe(0);
    expect(stderr).toContain(`warning: the key that replaced ${old.id} does not work: ${id}`);
  });
});

test('a key that apply has yet to hand out is handed out by rotate, and says so no more', async () => {
  const cli = testCli();
  await cli.create('ci');
  await cli.sql(`update api_keys set labels = '{"manifest":"team","manifest/delivery":"pending"}'`);
  expect((await cli.json('rotate', 'ci')).labels).toEqual({ manifest: 'team' });
});
