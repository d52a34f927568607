import { copyFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { sharedBy } from '../support/lifetime.js';
import { RECORDED_ALWAYS } from '../support/stores.js';
import { type TestCli, testCli } from '../support/test-cli.js';

const FORMATS = ['table', 'json', 'jsonl', 'yaml', 'csv', 'tsv', 'value'] as const;

/** Every verb, ending well or answering no. `KEY` stands for the id of a key. */
const SUCCEEDS: readonly string[] = [
  'list',
  'list --mode test',
  'show KEY',
  'edit KEY --name other',
  'edit KEY -d same -n',
  'disable KEY',
  'enable KEY',
  'delete KEY --yes',
  'delete KEY -n',
  'verify --stdin',
  'verify --stdin --environment test',
  'identify --stdin',
  'scopes',
  'scopes list',
  'scopes add report:read',
  'scopes retire plan:read',
  'audit',
  'audit list --actor nobody',
  'audit verify',
  'audit head',
  'store',
  'store path',
  'store check',
  'store backup copy.db',
  'store hash',
  'prune --never-used-for 1m',
  'prune --never-used-for 1m -n',
  'rotate --status',
  'scan --stdin',
  'list --rotating',
  'doctor',
];

/** Every verb, ending in an error, and the code of it. */
const FAILS: readonly (readonly [line: string, code: string])[] = [
  ['create', 'missing_input'],
  ['create ci --live -s plan:none', 'usage'],
  ['create partner --live -s plan:read', 'name_taken'],
  ['list --sort id', 'usage'],
  ['list --store none.db', 'store_missing'],
  ['show nobody', 'not_found'],
  ['edit KEY', 'missing_input'],
  ['edit KEY -s plan:read', 'scopes_fixed'],
  ['enable nobody', 'not_found'],
  ['disable', 'missing_input'],
  ['delete KEY', 'confirmation_required'],
  ['verify', 'missing_input'],
  ['identify', 'missing_input'],
  ['scopes add nothing', 'usage'],
  ['scopes retire a:b', 'not_found'],
  ['audit list --since x', 'usage'],
  ['audit verify --anchor x', 'usage'],
  ['store backup keys.db', 'conflict'],
  ['prune', 'missing_input'],
  ['prune --expired --mode x', 'usage'],
  ['rotate nobody -y', 'not_found'],
  ['rotate --finish KEY', 'conflict'],
  ['scan --rules x', 'usage'],
  ['run', 'usage'],
  ['apply -f none.yaml', 'usage'],
  ['diff', 'missing_input'],
  ['export --mode x', 'usage'],
  ['store hash md5', 'usage'],
  ['serve', 'missing_input'],
  ['completion tcsh', 'usage'],
  ['crate', 'usage'],
  ['list --jsn', 'usage'],
];

/** A store with one key, whose key string is on stdin. No command that fails changes it; the others get a copy. */
const model = sharedBy(async () => {
  const cli = testCli();
  const { id, keyString } = await cli.create('partner', '-d', 'same');
  await cli.sql(RECORDED_ALWAYS);
  cli.stdin = keyString;
  return Object.assign(cli, { id });
});

function copied(): TestCli & { id: string } {
  const { store, stdin, id } = model();
  const cli = testCli({ stdin });
  copyFileSync(store, cli.store);
  return Object.assign(cli, { id });
}

function words(line: string, id: string): string[] {
  return line.replace('KEY', id).split(' ');
}

/** Throws unless `text` is empty or what the format promises. */
function parse(format: (typeof FORMATS)[number], text: string): unknown {
  if (text === '') return null;
  expect(text.endsWith('\n')).toBe(true);
  const lines = text.slice(0, -1).split('\n');
  if (format === 'json') return JSON.parse(text);
  if (format === 'yaml') return parseYaml(text);
  if (format === 'jsonl') return lines.map((line) => JSON.parse(line));
  if (format === 'tsv' && !text.includes('"'))
    expect(new Set(lines.map((line) => line.split('\t').length)).size).toBe(1);
  return lines;
}

/** What `--json` gives for lists. */
const IS_LIST =
  /^(list|scopes|audit( list)?|disable|enable|delete|prune|rotate --status|scan|store (check|hash)|doctor)\b(?! verify| head)/;
const IS_OF_NO_KIND = /-n$|^edit|path|scopes (add|retire)/;

describe.each(FORMATS)('-o %s', (format) => {
  test.each(SUCCEEDS)('%s: stdout is empty or parses, without colour or control characters', async (line) => {
    const cli = copied();
    const { exitCode, stdout } = await cli.run(...words(line, cli.id), '-o', format);
    expect([0, 7]).toContain(exitCode);
    const parsed = parse(format, stdout);
    expect(stdout.replaceAll(/[\n\t]/g, '')).not.toMatch(/\p{Cc}/u);
    if (format === 'json' && !IS_OF_NO_KIND.test(line)) expect(Array.isArray(parsed)).toBe(IS_LIST.test(line));
  });

  test.each(FAILS)('%s: stdout is empty and stderr ends in the error %s', async (line, code) => {
    const { id } = model();
    const { exitCode, stdout, stderr } = await model().run(...words(line, id), '-o', format);
    expect(exitCode).toBeGreaterThan(0);
    expect(stdout).toBe('');
    if (format !== 'json' && format !== 'jsonl') {
      expect(stderr).toMatch(/^error: \S/m);
      return;
    }
    const { error, ...rest } = JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '');
    expect(rest).toEqual({});
    expect(error).toEqual({ code, message: expect.any(String), hint: error.hint === null ? null : expect.any(String) });
  });
});

describe('--quiet', () => {
  test.each([
    ...SUCCEEDS.filter((line) => !line.endsWith('-n')),
    'create new --live -s plan:read',
    'create a b --live -s plan:read',
  ])('%s: says nothing on stderr', async (line) => {
    const cli = copied();
    expect((await cli.run(...words(line, cli.id), '-q')).stderr).toBe('');
  });

  test.each(FAILS)('%s: still tells the error', async (line) => {
    expect((await model().run(...words(line, model().id), '--quiet')).stderr).toMatch(/^error: \S/);
  });
});

describe('a stdout that is gone', () => {
  test.each(SUCCEEDS)('%s: no error is printed, and the exit code is the same', async (line) => {
    const heard = copied();
    const { exitCode } = await heard.run(...words(line, heard.id));
    const cli = copied();
    cli.broken = { stdout: 'EPIPE' };
    const unheard = await cli.run(...words(line, cli.id));
    expect(unheard.exitCode).toBe(exitCode);
    expect(unheard.stderr).not.toMatch(/error|EPIPE/);
  });

  test('help into a closed pipe is quiet as well', async () => {
    const cli = testCli();
    cli.broken = { stdout: 'EPIPE' };
    expect(await cli.run('--help')).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  });

  test('a full disk is an error', async () => {
    const cli = copied();
    cli.broken = { stdout: 'ENOSPC' };
    const { exitCode, stderr } = await cli.run('list');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('ENOSPC');
  });
});
