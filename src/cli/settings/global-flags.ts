import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { quoted } from '../../domain/text.js';
import { readTextFile } from '../../files/private-file.js';
import type { Context } from '../context.js';

export const FORMATS = ['table', 'json', 'jsonl', 'yaml', 'csv', 'tsv', 'value'] as const;
export type Format = (typeof FORMATS)[number];

/** Output formats that only one command has: reports for other programs. */
export const REPORTS = { scan: ['sarif', 'github'], diff: ['markdown'] } as const;
export type Report = (typeof REPORTS)[keyof typeof REPORTS][number];

/** The reports of a command, by its name. */
export function reportsOf(command: string): readonly Report[] {
  return Object.hasOwn(REPORTS, command) ? REPORTS[command as keyof typeof REPORTS] : [];
}

/** The flags that every command takes, before or after its name. */
export interface GlobalFlags {
  readonly store?: string;
  readonly profile?: string;
  readonly allowHttp?: boolean;
  readonly output?: string;
  readonly json?: boolean;
  readonly fields?: string;
  readonly input?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly quiet?: boolean;
  readonly debug?: boolean;
  readonly color?: string | boolean;
  readonly timeout?: string;
  readonly actor?: string;
}

/** A value and where it was set: `doctor` and error messages name the source. */
export interface Sourced<T> {
  readonly value: T;
  readonly source: string;
}

/** The value of a flag that takes one of a few words; undefined when the flag is absent. Throws `usage`. */
export function oneOf<T extends string>(flag: string, value: string, words: readonly T[]): T;
export function oneOf<T extends string>(flag: string, value: string | undefined, words: readonly T[]): T | undefined;
export function oneOf<T extends string>(flag: string, value: string | undefined, words: readonly T[]): T | undefined {
  if (value === undefined) return undefined;
  const found = words.find((word) => word === value);
  if (!found) throw new KeysError('usage', `${flag} ${quoted(value)} is unknown`, `one of: ${words.join(', ')}`);
  return found;
}

/** The value of `--limit`. Throws `usage`. */
export function limitFlag(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^[1-9]\d{0,6}$/.test(value))
    throw new KeysError('usage', `--limit ${quoted(value)} is not a whole number from 1 to 9999999`);
  return Number(value);
}

/** A variable; an empty one counts as absent, because shells and CI systems set empty variables. */
export function fromEnv(ctx: Context, name: string): string | undefined {
  return ctx.env[name] || undefined;
}

/** A directory that a variable names. A relative path is ignored, as the XDG base directory specification says. */
export function directoryFromEnv(ctx: Context, name: string): string | undefined {
  const directory = fromEnv(ctx, name);
  return directory !== undefined && path.isAbsolute(directory) ? directory : undefined;
}

export function isOn(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== '0' && value.toLowerCase() !== 'false';
}

/** The default store: in the user's data directory (XDG on Linux and macOS, local application data on Windows). */
export function defaultStorePath(ctx: Context): string {
  const base =
    ctx.platform === 'win32'
      ? (directoryFromEnv(ctx, 'LOCALAPPDATA') ?? path.join(ctx.home, 'AppData', 'Local'))
      : (directoryFromEnv(ctx, 'XDG_DATA_HOME') ?? path.join(ctx.home, '.local', 'share'));
  return path.join(base, 'unlockos-keys', 'keys.db');
}

/** The output format. `fallback` is the profile's, used when neither a flag nor the environment sets one. Throws `usage`. */
export function formatFlag(ctx: Context, flags: GlobalFlags, fallback: Sourced<string> | null): Sourced<Format> {
  const asked = flags.json
    ? { value: 'json', source: '--json' }
    : flags.output !== undefined
      ? { value: flags.output, source: '--output' }
      : null;
  if (flags.json && flags.output !== undefined && flags.output !== 'json')
    throw new KeysError('usage', `--json and -o ${quoted(flags.output)} do not go together`, 'pass one of them');
  const env = fromEnv(ctx, 'UNLOCKOS_KEYS_OUTPUT');
  const ambient = env ? { value: env, source: 'UNLOCKOS_KEYS_OUTPUT' } : fallback;
  const found = asked ?? ambient ?? { value: 'table', source: 'default' };
  if (!FORMATS.includes(found.value as Format)) {
    const [owner] = Object.entries(REPORTS).find(([, reports]) => reports.some((each) => each === found.value)) ?? [];
    throw new KeysError(
      'usage',
      `${quoted(found.value)} is not an output format${owner === undefined ? '' : ' of this command'} (${found.source})`,
      owner === undefined ? `one of: ${FORMATS.join(', ')}` : `only ${owner} has it; one of: ${FORMATS.join(', ')}`,
    );
  }
  return found as Sourced<Format>;
}

/** True when errors should be printed as JSON. Looks at the raw words, because the error may be that they cannot be parsed. */
export function wantsJsonErrors(argv: readonly string[], ctx: Context): boolean {
  const end = argv.indexOf('--');
  const words = end < 0 ? argv : argv.slice(0, end);
  const explicit = words.flatMap((word, i) => {
    if (word === '--json') return ['json'];
    if (word === '-o' || word === '--output') return [words[i + 1] ?? ''];
    const inline = /^(?:--output=|-o=?)(.+)$/.exec(word);
    return inline?.[1] ? [inline[1]] : [];
  });
  const format = explicit.length > 0 ? explicit : [fromEnv(ctx, 'UNLOCKOS_KEYS_OUTPUT') ?? ''];
  return format.some((each) => each === 'json' || each === 'jsonl');
}

/** Whether the terminal knows neither colours nor cursor movement. As git has it, so does one that TERM says nothing of, except on Windows, where no terminal sets it. */
export function isDumb({ env, platform }: Pick<Context, 'env' | 'platform'>): boolean {
  return env.TERM === 'dumb' || env.TERM === 'unknown' || (!env.TERM && platform !== 'win32');
}

/** Whether to colour a stream: the flag decides, then NO_COLOR, then the variables that force colour, then whether it is a terminal (https://no-color.org, https://bixense.com/clicolors). */
export function wantsColor(ctx: Context, flags: GlobalFlags, isTTY: boolean): boolean {
  const { env } = ctx;
  if (flags.color === false || flags.color === 'never') return false;
  if (flags.color === 'always') return true;
  if (typeof flags.color === 'string' && flags.color !== 'auto')
    throw new KeysError('usage', `--color ${quoted(flags.color)} is unknown`, 'one of: auto, always, never');
  if (env.NO_COLOR) return false;
  if (isOn(env.FORCE_COLOR) || isOn(env.CLICOLOR_FORCE)) return true;
  if (env.FORCE_COLOR === '0' || env.FORCE_COLOR === 'false' || env.CLICOLOR === '0') return false;
  return isTTY && !isDumb(ctx);
}

/** {@link wantsColor} for errors: looks at the raw words, because the error may be that they cannot be parsed. */
export function wantsColorIn(argv: readonly string[], ctx: Context, isTTY: boolean): boolean {
  const end = argv.indexOf('--');
  const words = end < 0 ? argv : argv.slice(0, end);
  const asked = words.flatMap((word, i) => {
    if (word === '--no-color') return ['never'];
    if (word === '--color') return [words[i + 1] ?? ''];
    return word.startsWith('--color=') ? [word.slice('--color='.length)] : [];
  });
  const last = asked.findLast((each) => ['always', 'never', 'auto'].includes(each));
  return wantsColor(ctx, { ...(last !== undefined && { color: last }) }, isTTY);
}

/** A key string or a list that was put in a file: strips one line end, as editors leave it. */
export function readSecretFile(file: string, cwd: string): string {
  return readTextFile(path.resolve(cwd, file), {
    what: 'the key file',
    shown: file,
    code: 'usage',
    maxBytes: 65_536,
    pipes: true,
    hint: 'pass a file that holds one key string',
  });
}
