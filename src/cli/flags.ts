import { readFileSync } from 'node:fs';
import path from 'node:path';
import { KeysError } from '../domain/errors.js';
import { redactKeyStrings } from '../domain/key-string.js';
import { hasUnsafeText, quoted } from '../domain/text.js';
import type { Context } from './context.js';

export const FORMATS = ['table', 'json', 'jsonl', 'yaml', 'csv', 'tsv', 'value'] as const;
export type Format = (typeof FORMATS)[number];

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

/** A value, and where it came from: `doctor` and errors name the source. */
export interface Sourced<T> {
  readonly value: T;
  readonly source: string;
}

/** The value of a flag that takes one of a few words; undefined where it was not given. Throws `usage`. */
export function oneOf<T extends string>(flag: string, value: string, words: readonly T[]): T;
export function oneOf<T extends string>(flag: string, value: string | undefined, words: readonly T[]): T | undefined;
export function oneOf<T extends string>(flag: string, value: string | undefined, words: readonly T[]): T | undefined {
  if (value === undefined) return undefined;
  const found = words.find((word) => word === value);
  if (!found) throw new KeysError('usage', `${flag} ${quoted(value)} is unknown`, `one of: ${words.join(', ')}`);
  return found;
}

/** An empty variable counts as absent: shells and CI systems set it so. */
export function fromEnv(ctx: Context, name: string): string | undefined {
  return ctx.env[name] || undefined;
}

export function isOn(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== '0' && value.toLowerCase() !== 'false';
}

/** Where keys live when nothing else is said: the user's data directory (XDG on Linux and macOS, local application data on Windows). */
export function defaultStorePath(ctx: Context): string {
  const xdg = fromEnv(ctx, 'XDG_DATA_HOME');
  const base =
    ctx.platform === 'win32'
      ? (fromEnv(ctx, 'LOCALAPPDATA') ?? path.join(ctx.home, 'AppData', 'Local'))
      : xdg && path.isAbsolute(xdg) // the XDG base directory specification: a relative path is to be ignored
        ? xdg
        : path.join(ctx.home, '.local', 'share');
  return path.join(base, 'unlockos-keys', 'keys.db');
}

/** `fallback`: what the profile says, where neither flag nor environment does. */
export function formatFlag(ctx: Context, flags: GlobalFlags, fallback: Sourced<string> | null): Sourced<Format> {
  const asked = flags.json
    ? { value: 'json', source: '--json' }
    : flags.output !== undefined
      ? { value: flags.output, source: '--output' }
      : null;
  if (flags.json && flags.output !== undefined && flags.output !== 'json')
    throw new KeysError('usage', `--json and -o ${quoted(flags.output)} contradict each other`, 'pass one of them');
  const env = fromEnv(ctx, 'UNLOCKOS_KEYS_OUTPUT');
  const ambient = env ? { value: env, source: 'UNLOCKOS_KEYS_OUTPUT' } : fallback;
  const found = asked ?? ambient ?? { value: 'table', source: 'default' };
  if (!FORMATS.includes(found.value as Format))
    throw new KeysError(
      'usage',
      `${quoted(found.value)} is not an output format (${found.source})`,
      `one of: ${FORMATS.join(', ')}`,
    );
  return found as Sourced<Format>;
}

/** True when errors are to be JSON: found out from the raw words, because the error may be about the words themselves. */
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

/** CI systems that say who started a run, where `--actor` does not. A claim, recorded beside the OS user, never instead of it. */
const CI_ACTORS = [
  'GITHUB_ACTOR',
  'GITLAB_USER_LOGIN',
  'BUILDKITE_BUILD_CREATOR',
  'CIRCLE_USERNAME',
  'BITBUCKET_STEP_TRIGGERER_UUID',
  'BUILD_REQUESTEDFOR',
];

/** Who asked for a change, where anybody said so. Throws `usage`. */
export function actorFlag(ctx: Context, flags: GlobalFlags): Sourced<string> | null {
  const found = claimedActor(ctx, flags);
  if (found !== null) assertActor(found.value);
  return found;
}

function claimedActor(ctx: Context, flags: GlobalFlags): Sourced<string> | null {
  if (flags.actor !== undefined) return { value: flags.actor, source: '--actor' };
  const names = ['UNLOCKOS_KEYS_ACTOR', ...(ctx.ci === null ? [] : CI_ACTORS)];
  const source = names.find((name) => fromEnv(ctx, name));
  return source === undefined ? null : { value: fromEnv(ctx, source) ?? '', source };
}

function assertActor(actor: string): void {
  if (redactKeyStrings(actor) !== actor)
    throw new KeysError('usage', '--actor contains a key string', 'the audit log keeps it for good: pass a name');
  if (actor.trim() === '' || actor.length > 128 || hasUnsafeText(actor)) {
    throw new KeysError(
      'usage',
      `--actor ${quoted(actor)} is empty, too long or holds control characters`,
      'up to 128 visible characters, e.g. an e-mail address',
    );
  }
}

/** Whether to colour a stream: flag, then NO_COLOR, then the variables that force it, then the terminal itself (https://no-color.org, https://bixense.com/clicolors). */
export function wantsColor(ctx: Context, flags: GlobalFlags, isTTY: boolean): boolean {
  const { env } = ctx;
  if (flags.color === false || flags.color === 'never') return false;
  if (flags.color === 'always') return true;
  if (typeof flags.color === 'string' && flags.color !== 'auto')
    throw new KeysError('usage', `--color ${quoted(flags.color)} is unknown`, 'one of: auto, always, never');
  if (env.NO_COLOR) return false;
  if (isOn(env.FORCE_COLOR) || isOn(env.CLICOLOR_FORCE)) return true;
  if (env.FORCE_COLOR === '0' || env.CLICOLOR === '0' || env.TERM === 'dumb') return false;
  return isTTY;
}

/** A key string or a list that was put in a file: strips one line end, as editors leave it. */
export function readSecretFile(file: string, cwd: string): string {
  const name = path.resolve(cwd, file);
  try {
    const text = readFileSync(name, 'utf8');
    if (text.length > 65_536) throw new KeysError('usage', `${quoted(file)} is too large for a key string`);
    return text;
  } catch (error) {
    if (error instanceof KeysError) throw error;
    throw new KeysError(
      'usage',
      `cannot read ${quoted(file)} (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`,
      'pass a file that holds one key string',
      { cause: error },
    );
  }
}
