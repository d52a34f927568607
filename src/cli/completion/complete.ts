import type { Command } from 'commander';
import { splitList } from '../../domain/scopes.js';
import { hasUnsafeText, safeText } from '../../domain/text.js';
import type { Context } from '../context.js';
import { TOPICS } from '../help/topic-names.js';
import type { TypedWord } from './line.js';
import {
  type Candidate,
  deletedBeginning,
  keysBeginning,
  type Named,
  openScopes,
  profiles,
  scopesOf,
} from './look-up.js';
import { type CursorPosition, defaultOf, optionOf, placeAfter, takesValue } from './position.js';
import { type Request, readRequest } from './request.js';
import { SHELLS, type Shell } from './shells.js';
import { type Source, sourceOfArgument, sourceOfOption } from './sources.js';

/** More than anyone types on one line. */
const MOST_BYTES = 65_536;

/** Words to offer, or what the shell itself should complete. */
type Completion = readonly Candidate[] | 'files' | 'directories';

/** Builds the command tree: the commands that are among the words, or all of them if none is. */
type Build = (words: readonly string[]) => Promise<Command>;

/**
 * Answers one press of TAB: reads the line from stdin and prints the words that may complete it. Prints nothing on any error: it would
 * land in the line that someone is typing.
 */
export async function answerRequest(ctx: Context, name: string | undefined, build: Build): Promise<void> {
  const shell = SHELLS.find((each) => each === name);
  if (!shell || ctx.stdin.isTTY) return;
  try {
    const request = readRequest(shell, ctx.stdin.readAll(MOST_BYTES).toString());
    if (request) ctx.stdout.write(rendered(await complete(ctx, request, build), shell, request.kept));
  } catch {
    // an error must not disturb the line
  }
}

async function complete(ctx: Context, { before, word }: Request, build: Build): Promise<Completion> {
  const place = await findPosition(before, build);
  if (!place) return [];
  const { command, expects, dashed } = place;
  if (expects) return values(ctx, sourceOfOption(expects, command), place, word);
  const [flag = '', ...rest] = dashed ? [] : word.split('=');
  const option = word.startsWith('--') && rest.length > 0 ? optionOf(command, flag) : undefined;
  if (option && takesValue(option)) {
    const found = await values(ctx, sourceOfOption(option, command), place, word.slice(flag.length + 1));
    return typeof found === 'string' ? found : found.map((each) => ({ ...each, value: `${flag}=${each.value}` }));
  }
  if (word.startsWith('-') && !dashed) return word.includes('=') ? [] : flagsOf(command, word);
  if (command.name() === 'help') return beginning(word, helpWords(place, await build([])));
  if (command.commands.length > 0 && place.given.length === 0) return beginning(word, commandsOf(command));
  const argument = command.registeredArguments[place.given.length] ?? command.registeredArguments.at(-1);
  if (!argument || (place.given.length >= command.registeredArguments.length && !argument.variadic)) return [];
  return values(ctx, sourceOfArgument(argument, command), place, word);
}

/** Tries again with every command: words that looked like commands may have been values. */
async function findPosition(before: readonly string[], build: Build): Promise<CursorPosition | null> {
  const place = placeAfter(before, await build(before));
  return place?.command.parent === null || place === null ? placeAfter(before, await build([])) : place;
}

function beginning(word: string, candidates: readonly Candidate[]): Candidate[] {
  return candidates.filter(({ value }) => value.startsWith(word));
}

function commandsOf(command: Command): Candidate[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((each) => ({ value: each.name(), description: each.summary() || each.description() }));
}

function helpWords({ given: [group] }: CursorPosition, program: Command): Candidate[] {
  if (group !== undefined) {
    const named = program.commands.find((each) => each.name() === group || each.aliases().includes(group));
    return named ? commandsOf(named) : [];
  }
  return [...commandsOf(program), ...Object.entries(TOPICS).map(([value, description]) => ({ value, description }))];
}

function flagsOf(command: Command, word: string): Candidate[] {
  const help = command.createHelp();
  const own = [command, defaultOf(command) ?? []].flat();
  const options = [...own.flatMap((each) => help.visibleOptions(each)), ...help.visibleGlobalOptions(command)];
  const candidates = new Map(options.map(({ long, description }) => [long ?? '', description]));
  return beginning(
    word,
    [...candidates].map(([value, description]) => ({ value, description })),
  );
}

async function values(ctx: Context, source: Source, place: CursorPosition, word: string): Promise<Completion> {
  if (source === 'files' || source === 'directories') return source;
  if (source === 'nothing') return [];
  if (source === 'profiles') return beginning(word, await profiles(ctx));
  if (source === 'scopes') return scopes(word, await openScopes(ctx, namedBy(place)));
  if (source === 'scopes of the key') {
    const ref = place.flags.get('--like') ?? place.given[0];
    return scopes(
      word,
      await (ref === undefined ? openScopes(ctx, namedBy(place)) : scopesOf(ctx, namedBy(place), ref)),
    );
  }
  if (source === 'deleted') {
    const found = await deletedBeginning(ctx, namedBy(place), word);
    return found.filter(({ value }) => !place.given.includes(value));
  }
  if (source === 'keys' || source === 'names') {
    const found = await keysBeginning(ctx, namedBy(place), word, { ids: source === 'keys' });
    return found.filter(({ value }) => !place.given.includes(value));
  }
  return beginning(
    word,
    source.map((value) => ({ value, description: '' })),
  );
}

/** Scopes may be joined by commas; the last one is being typed. */
function scopes(word: string, all: readonly Candidate[]): Candidate[] {
  const head = word.slice(0, word.lastIndexOf(',') + 1);
  const chosen = splitList([head]);
  const open = all.filter(({ value }) => !chosen.includes(value));
  const candidates = open.map(({ value, description }) => ({ value: `${head}${value}`, description }));
  return beginning(word, candidates);
}

function namedBy({ flags }: CursorPosition): Named {
  const [store, profile] = [flags.get('--store'), flags.get('--profile')];
  return {
    ...(store !== undefined && { store }),
    ...(profile !== undefined && { profile }),
    ...(flags.has('--allow-http') && { allowHttp: true }),
  };
}

/** The output for a shell, quoted as that shell needs it. The first line names the kind of completion. */
function rendered(completion: Completion, shell: Shell, kept: TypedWord): string {
  if (typeof completion === 'string') return `${completion}\n`;
  const lines = completion
    .filter(({ value }) => !hasUnsafeText(value))
    .flatMap(({ value, description }) => {
      const line = LINE[shell](value, oneLine(description), kept);
      return line === null ? [] : [`${line}\n`];
    });
  return lines.length === 0 ? '' : `words\n${lines.join('')}`;
}

function oneLine(text: string): string {
  return safeText(text).replace(/\s+/g, ' ').trim();
}

const LINE: Record<Shell, (value: string, description: string, kept: TypedWord) => string | null> = {
  bash: (value, _, kept) => (value.startsWith(kept.value) ? inBash(value.slice(kept.value.length), kept.quote) : null),
  zsh: (value, description) =>
    [value, ...(description === '' ? [] : [description])].map((part) => part.replace(/[\\:]/g, '\\$&')).join(':'),
  fish: (value, description) => `${value}\t${description}`,
  powershell: (value, description) => [inPowerShell(value), value, description || value].join('\t'),
};

/**
 * Null when the text cannot be written inside that quote (bash expands `!` even there). readline closes the quote itself, except after
 * a text that ends in one.
 */
function inBash(text: string, quote: TypedWord['quote']): string | null {
  if (quote === '') return text.replace(/[^\w./,:=@%+\-\u0080-\u{10ffff}]/gu, '\\$&');
  if (quote === '"' && text.includes('!')) return null;
  const quoted = quote === '"' ? text.replace(/["\\$`]/g, '\\$&') : text.replaceAll("'", "'\\''");
  return text.endsWith(quote) ? `${quoted}${quote}` : quoted;
}

/** PowerShell treats four more characters as single quotes. */
function inPowerShell(text: string): string {
  return /^[\w./:=+-]+$/.test(text) ? text : `'${text.replace(/['\u2018-\u201b]/g, '$&$&')}'`;
}
