import type { Command } from 'commander';
import { splitList } from '../../domain/scopes.js';
import { hasUnsafeText, safeText } from '../../domain/text.js';
import type { Context } from '../context.js';
import { TOPICS } from '../help.js';
import type { TypedWord } from './line.js';
import { type Candidate, keysBeginning, type Named, openScopes, profiles } from './look-up.js';
import { defaultOf, optionOf, type Place, placeAfter, takesValue } from './place.js';
import { type Request, readRequest } from './request.js';
import { SHELLS, type Shell } from './shells.js';
import { type Source, sourceOfArgument, sourceOfOption } from './sources.js';

/** Longer lines than anybody types. */
const MOST_BYTES = 65_536;

/** Words to offer, or a hint that the shell completes better by itself. */
type Answer = readonly Candidate[] | 'files' | 'directories';

/** Makes the command tree with the commands that some word names; with all of them where none does. */
type Build = (words: readonly string[]) => Command;

/**
 * Answers one press of TAB: reads the line from stdin, prints what may stand at its end. Says nothing where there is nothing to say,
 * whatever the reason: an error would land in the line that somebody is typing.
 */
export async function answerRequest(ctx: Context, name: string | undefined, build: Build): Promise<void> {
  const shell = SHELLS.find((each) => each === name);
  if (!shell || ctx.stdin.isTTY) return;
  try {
    const request = readRequest(shell, ctx.stdin.readAll(MOST_BYTES));
    if (request) ctx.stdout.write(rendered(await answer(ctx, request, build), shell, request.kept));
  } catch {
    // quiet
  }
}

async function answer(ctx: Context, { before, word }: Request, build: Build): Promise<Answer> {
  const place = findPlace(before, build);
  if (!place) return [];
  const { command, expects, dashed } = place;
  if (expects) return values(ctx, sourceOfOption(expects), place, word);
  const [flag = '', ...rest] = dashed ? [] : word.split('=');
  const option = word.startsWith('--') && rest.length > 0 ? optionOf(command, flag) : undefined;
  if (option && takesValue(option)) {
    const found = await values(ctx, sourceOfOption(option), place, word.slice(flag.length + 1));
    return typeof found === 'string' ? found : found.map((each) => ({ ...each, value: `${flag}=${each.value}` }));
  }
  if (word.startsWith('-') && !dashed) return word.includes('=') ? [] : flagsOf(command, word);
  if (command.name() === 'help') return beginning(word, helpWords(place, build([])));
  if (command.commands.length > 0 && place.given.length === 0) return beginning(word, commandsOf(command));
  const argument = command.registeredArguments[place.given.length] ?? command.registeredArguments.at(-1);
  if (!argument || (place.given.length >= command.registeredArguments.length && !argument.variadic)) return [];
  return values(ctx, sourceOfArgument(argument, command), place, word);
}

/** The second time with every command: the words that were taken for commands may have been values. */
function findPlace(before: readonly string[], build: Build): Place | null {
  const place = placeAfter(before, build(before));
  return place?.command.parent === null || place === null ? placeAfter(before, build([])) : place;
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

function helpWords({ given: [group] }: Place, program: Command): Candidate[] {
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

async function values(ctx: Context, source: Source, place: Place, word: string): Promise<Answer> {
  if (source === 'files' || source === 'directories') return source;
  if (source === 'nothing') return [];
  if (source === 'profiles') return beginning(word, await profiles(ctx));
  if (source === 'scopes') return scopes(ctx, place, word);
  if (source === 'keys' || source === 'names') {
    const found = await keysBeginning(ctx, namedBy(place), word, { ids: source === 'keys' });
    return found.filter(({ value }) => !place.given.includes(value));
  }
  return beginning(
    word,
    source.map((value) => ({ value, description: '' })),
  );
}

/** Several may be joined by commas: the last is being typed. */
async function scopes(ctx: Context, place: Place, word: string): Promise<Candidate[]> {
  const head = word.slice(0, word.lastIndexOf(',') + 1);
  const chosen = splitList([head]);
  const open = (await openScopes(ctx, namedBy(place))).filter(({ value }) => !chosen.includes(value));
  const candidates = open.map(({ value, description }) => ({ value: `${head}${value}`, description }));
  return beginning(word, candidates);
}

function namedBy({ flags }: Place): Named {
  const [store, profile] = [flags.get('--store'), flags.get('--profile')];
  return {
    ...(store !== undefined && { store }),
    ...(profile !== undefined && { profile }),
    ...(flags.has('--allow-http') && { allowHttp: true }),
  };
}

/** Within its shell's quoting, no more and no less; a first line says what kind of answer it is. */
function rendered(answer: Answer, shell: Shell, kept: TypedWord): string {
  if (typeof answer === 'string') return `${answer}\n`;
  const lines = answer
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
 * Null: what it holds cannot be written within that quote (bash takes `!` for its history even there). readline closes the quote, but for
 * a text that ends in one: it takes that for the end.
 */
function inBash(text: string, quote: TypedWord['quote']): string | null {
  if (quote === '') return text.replace(/[^\w./,:=@%+\-\u0080-\u{10ffff}]/gu, '\\$&');
  if (quote === '"' && text.includes('!')) return null;
  const quoted = quote === '"' ? text.replace(/["\\$`]/g, '\\$&') : text.replaceAll("'", "'\\''");
  return text.endsWith(quote) ? `${quoted}${quote}` : quoted;
}

/** PowerShell takes four more characters for a single quote. */
function inPowerShell(text: string): string {
  return /^[\w./:=+-]+$/.test(text) ? text : `'${text.replace(/['\u2018-\u201b]/g, '$&$&')}'`;
}
