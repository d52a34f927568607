import { realpathSync } from 'node:fs';
import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { quoted, safeText } from '../../domain/text.js';
import { explainErrno } from '../../files/errno.js';
import { attributeOf, type CommandBuilder } from '../command.js';
import { clipboardSink } from './copy.js';
import { dotenv } from './dotenv.js';
import { githubEnv, githubOutput } from './github-file.js';
import { keyDir } from './key-dir.js';
import { keyFile } from './key-file.js';
import { pipe } from './program.js';
import type { ExpectedKey, KeyInHand, Sink, SinkKind, SinkWorld } from './sink.js';

type Kinds = Readonly<Record<string, SinkKind>>;

/** The sinks of `create` and `rotate`, by the names of their options' values, in the order of help. Each holds one key. */
export const SINKS = { keyFile, dotenv, githubEnv, githubOutput, copy: clipboardSink, pipe } satisfies Kinds;

/** The sinks of `apply`, each of which takes any number of keys. */
export const SINKS_OF_APPLY = { keyDir, pipe } satisfies Kinds;

/** The values of the options of some sinks. */
export type SinkFlags<K extends Kinds = typeof SINKS> = { readonly [name in keyof K]?: string | boolean };

/** stdout is a destination as well, chosen by an output format. */
const STDOUT = {
  usages: ['-o value', '-o json'],
  help: 'stdout: KEY=$(unlockos-keys create … -o value)',
} as const;

function usageOf({ flag, usage }: SinkKind): string {
  return usage ?? flag.replace(/<(.+)>$/, (_, value: string) => value.toUpperCase());
}

/** Every place for a new key string, on one line: `-o value | --key-file FILE | …`. */
export const DESTINATIONS = [...STDOUT.usages, ...Object.values<SinkKind>(SINKS).map(usageOf)].join(' | ');

/** The places for a new key string that a job has, each with what it is. */
export const DESTINATION_TERMS: readonly (readonly [usage: string, help: string])[] = [
  ...Object.values<SinkKind>(SINKS)
    .filter(({ isConvenience }) => !isConvenience)
    .map((kind) => [usageOf(kind), kind.help] as const),
  [STDOUT.usages.join(', '), STDOUT.help],
];

/** Declares the options of sinks on a command that makes keys. */
export function sinkOptions(command: CommandBuilder, kinds: Kinds = SINKS): CommandBuilder {
  command.optionsGroup('Where the key string goes (required in CI):');
  for (const { flag, alias, help } of Object.values(kinds)) {
    command.option(flag, help);
    if (alias !== undefined) command.addOption(command.createOption(alias).hideHelp());
  }
  return command;
}

/** The value of a sink's option, by either spelling. */
function flagValue(name: string, { alias }: SinkKind, flags: Readonly<Record<string, unknown>>): unknown {
  return flags[name] ?? (alias === undefined ? undefined : flags[attributeOf(alias)]);
}

/** The kinds of sinks that were asked for, each with the value of its option. */
function chosen(flags: object, kinds: Kinds): [SinkKind, string][] {
  return Object.entries(kinds).flatMap(([name, kind]): [SinkKind, string][] => {
    const value = flagValue(name, kind, flags as Readonly<Record<string, unknown>>);
    return value === undefined || value === false ? [] : [[kind, typeof value === 'string' ? value : '']];
  });
}

/** A file by the real path of its folder, which links can give several names. */
function placeOf(file: string): string {
  try {
    return path.join(realpathSync.native(path.dirname(file)), path.basename(file));
  } catch {
    return file; // the probe of the sink says what is wrong with the folder
  }
}

/** True when an option names a sink. */
export function hasSink(flags: object, kinds: Kinds = SINKS): boolean {
  return chosen(flags, kinds).length > 0;
}

/**
 * The sinks that options name, in the order of delivery: conveniences last. Throws `usage` for a bad one, and for words that no sink
 * takes.
 */
export function openSinks(flags: SinkFlags, world: SinkWorld): { sinks: Sink[]; conveniences: Sink[] } {
  const { words } = world;
  if (words.length > 0 && !flags.pipe)
    throw new KeysError(
      'usage',
      `too many arguments: ${quoted(words[0] ?? '')}`,
      'to run a program with the key string on its stdin, pass --pipe -- PROGRAM',
    );
  const kinds = chosen(flags, SINKS);
  const open = (wanted: boolean) =>
    kinds
      .filter(([{ isConvenience = false }]) => isConvenience === wanted)
      .map(([kind, value]) => kind.open(value, world));
  const sinks = open(false);
  const files = sinks.flatMap(({ file }) => (file === undefined ? [] : [file]));
  const places = files.map(placeOf);
  const twice = files.find((_, at) => places.indexOf(places[at] as string) < at);
  if (twice !== undefined)
    throw new KeysError('usage', `two destinations are the same file: ${quoted(twice)}`, 'name two files');
  return { sinks, conveniences: open(true) };
}

/**
 * The one sink that `apply` was given, as a maker of a sink for each key; null when no option names one. Throws, before anything is done,
 * when one of the expected keys could not be delivered, and `usage` for two sinks.
 */
export function openSinkOfApply(
  flags: SinkFlags<typeof SINKS_OF_APPLY>,
  world: SinkWorld,
  expected: readonly ExpectedKey[],
): ((key: ExpectedKey) => Sink) | null {
  const [only] = chosen(flags, SINKS_OF_APPLY);
  if (!only) return null;
  const [kind, value] = only;
  kind.check?.(value, world, expected);
  return (key) => kind.open(value, world, key);
}

/** Probes all. When one fails, undoes the others and throws its error. */
export async function probeSinks(sinks: readonly Sink[]): Promise<void> {
  const probed: Sink[] = [];
  try {
    for (const sink of sinks) {
      await sink.probe();
      probed.push(sink);
    }
  } catch (error) {
    await abandonSinks(probed);
    throw error;
  }
}

/** Undoes all of them, even if one fails; throws the first error. */
export async function abandonSinks(sinks: readonly Sink[]): Promise<void> {
  const outcomes = await Promise.allSettled(sinks.map(async (sink) => sink.abandon()));
  const failed = outcomes.find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
}

/** Puts the key string of a key into each sink. An error of the file system names the sink. */
export async function deliverToSinks(sinks: readonly Sink[], made: KeyInHand, signal?: AbortSignal): Promise<void> {
  for (const sink of sinks) {
    try {
      await sink.deliver(made, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException | null)?.syscall === undefined) throw error;
      throw new KeysError('delivery_failed', `${sink.label}: ${explainErrno(error)}`, undefined, { cause: error });
    }
  }
}

/** The note after delivery. */
export function deliveredNote(sinks: readonly Sink[]): string {
  return `Written to ${sinks.map((sink) => safeText(sink.label)).join(', ')}. It cannot be shown again.`;
}
