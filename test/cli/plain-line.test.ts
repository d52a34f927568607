import type { Command, Option } from 'commander';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Called, Runner } from '../../src/cli/command.js';
import type { Context } from '../../src/cli/context.js';
import { readPlain } from '../../src/cli/plain-line.js';
import { programForDocs, runProgram } from '../../src/cli/program.js';
import { mintKeyString } from '../../src/domain/key-parts.js';

interface Call {
  readonly command: string;
  readonly flags: object;
  readonly operands: unknown[];
}

/** Notes which command is called with what, and runs none. */
function noting(): { runner: Runner; calls: Call[] } {
  const calls: Call[] = [];
  const runner: Runner =
    () =>
    async (...given) => {
      const called = given.at(-1) as Called;
      const command = [called.parent?.name(), called.name()].join(' ');
      calls.push({ command, flags: { ...called.optsWithGlobals() }, operands: given.slice(0, -2) });
    };
  return { runner, calls };
}

async function plainly(words: readonly string[]): Promise<Call | null> {
  const { runner, calls } = noting();
  await (await readPlain(words, runner))?.();
  return calls[0] ?? null;
}

const STREAM = { isTTY: false, isNull: false, columns: () => 80, write() {} };
const CONTEXT = { stdout: STREAM, stderr: STREAM, version: '', env: {} } as unknown as Context;

async function withCommander(words: readonly string[]): Promise<Call[]> {
  const { runner, calls } = noting();
  await runProgram(CONTEXT, words, runner);
  return calls;
}

const program = await programForDocs();

interface Leaf {
  readonly line: string;
  readonly words: string[];
  readonly options: readonly Option[];
  readonly operands: number;
}

/** Every command that can be called, with what it takes. */
function leavesOf(command: Command, words: string[]): Leaf[] {
  if (command.commands.length > 0) return command.commands.flatMap((each) => leavesOf(each, [...words, each.name()]));
  const { options, registeredArguments } = command;
  return [{ line: words.join(' '), words, options, operands: registeredArguments.length }];
}

const LEAVES = program.commands
  .filter((each) => each.name() !== 'help')
  .flatMap((each) => leavesOf(each, [each.name()]));
const GLOBALS = program.options.filter(({ long }) => long !== '--version');

const WORDS = ['7k2m', 'list', 'a b', '90d', 'a=b', 'é'];
const SECRETS = [mintKeyString('test').keyString, `${'eyJhbGciOiJSUzI1NiJ9'}.eyJzdWIiOiJqb2IifQ.c2lnbmF0dXJl`];
const VALUES = [...WORDS, '-', '-x', '--json', '--yes', '', ...SECRETS];

/** The words of one flag, written in any way, correct or not. */
function flagWords(option: Option): fc.Arbitrary<string[]> {
  const value = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...WORDS) }, fc.constantFrom(...VALUES));
  const name = fc.constantFrom(...[option.long, option.short].filter((each) => each !== undefined));
  if (!option.required)
    return fc.oneof(
      { weight: 9, arbitrary: name.map((each) => [each]) },
      name.map((each) => [`${each}=x`]),
    );
  return fc
    .tuple(name, value, fc.constantFrom('next', 'next', 'next', 'attached', 'absent'))
    .map(([flag, given, how]) => {
      if (how === 'absent') return [flag];
      if (how === 'next') return [flag, given];
      return [`${flag}${flag.startsWith('--') ? '=' : ''}${given}`];
    });
}

/** Lines that call a command, with flags of its own and the program's, operands and errors anywhere. */
function lines({ words, options, operands }: Leaf): fc.Arbitrary<string[]> {
  const flag = (from: readonly Option[]) =>
    from.length === 0 ? fc.constant<string[]>([]) : fc.constantFrom(...from).chain(flagWords);
  const ownFlags = fc.array(flag(options), { maxLength: 4 });
  const globalFlags = fc.array(flag(GLOBALS), { maxLength: 2 });
  const given = fc.array(fc.constantFrom(...WORDS.slice(0, 4)), { maxLength: operands + 1 });
  const rare = fc.oneof(
    { weight: 12, arbitrary: fc.constant([]) },
    fc.constantFrom(
      ['--'],
      ['--', 'sh', '-c', 'x'],
      ['--', ''],
      SECRETS,
      ['--help'],
      ['-h'],
      ['--no-such'],
      ['-yn'],
      ['-q, --quiet'],
      ['-p,'],
      ['<name>'],
      ['-V'],
      ['help'],
      [''],
      ['--no-color'],
    ),
  );
  return fc
    .tuple(globalFlags, ownFlags, globalFlags, given, rare)
    .chain(([before, own, after, values, odd]) =>
      fc
        .shuffledSubarray([...own, ...after, ...values.map((value) => [value]), odd])
        .map((parts) => [...before.flat(), ...words, ...parts.flat()]),
    );
}

/** These declare what only commander knows: arguments that are too many, or a check of the raw line. */
const NEVER_PLAIN = ['scopes list', 'audit list', 'store path', 'profile list', 'profile add'];

describe('a plain line', () => {
  test.each(LEAVES)('of $line says what commander reads in it', async (leaf) => {
    let plain = 0;
    await fc.assert(
      fc.asyncProperty(lines(leaf), async (words) => {
        const call = await plainly(words);
        if (call === null) return;
        if (call.command === ['unlockos-keys', ...leaf.words].slice(-2).join(' ')) plain += 1; // `--profile list list` calls another
        expect(await withCommander(words)).toEqual([call]);
      }),
      { numRuns: 400, seed: 7 },
    );
    if (NEVER_PLAIN.includes(leaf.line)) expect(plain).toBe(0);
    else expect(plain).toBeGreaterThan(10);
  });
});

test.each([
  [
    'list --json --limit 20 --quiet --store keys.db',
    'unlockos-keys list',
    { json: true, limit: '20', quiet: true, store: 'keys.db' },
  ],
  [
    '-o json ls -s plan:read -s checkin:read',
    'unlockos-keys list',
    { output: 'json', scope: ['plan:read', 'checkin:read'] },
  ],
  ['--store=keys.db -q show 7k2m', 'unlockos-keys show', { store: 'keys.db', quiet: true }],
  [
    'create ci --test-mode -s checkin:read --key-file key',
    'unlockos-keys create',
    { testMode: true, scope: ['checkin:read'], keyFile: 'key' },
  ],
  [
    'run --from https://keys.example -s checkin:read -- npm test',
    'unlockos-keys run',
    { from: 'https://keys.example', scope: ['checkin:read'], envName: 'UNLOCKOS_API_KEY' },
  ],
  ['serve --no-marks', 'unlockos-keys serve', { marks: false, listen: '127.0.0.1:8787', maxStale: '0' }],
  ['store backup copy.db', 'store backup', {}],
])('%s needs no commander', async (line, command, flags) => {
  const call = await plainly(line.split(' '));
  expect(call).toEqual({ command, flags: expect.objectContaining(flags), operands: expect.anything() });
  expect(await withCommander(line.split(' '))).toEqual([call]);
});

test.each([
  ...[
    '',
    'list --help',
    '-V',
    'help list',
    'lst',
    'list --jsn',
    'list -qn',
    'list -slabel',
    'list --limit',
    'list --limit=',
    'list --limit -1',
  ],
  ...[
    'list x',
    'show',
    'scopes',
    'scopes list',
    'list --no-color',
    'list --quiet=yes',
    'list --json --json',
    'disable -',
    '--',
    'list -- x',
  ],
])('commander reads: %s', async (line) => {
  expect(await readPlain(line.split(' '), noting().runner)).toBeNull();
});
