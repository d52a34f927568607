import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { KeysError } from '../../domain/errors.js';
import { didYouMean } from '../../domain/scopes.js';
import { quoted } from '../../domain/text.js';
import { assetUrl } from '../../files/asset.js';
import type { Context } from '../context.js';
import { TOPICS, type TopicName } from './topic-names.js';

/** Lines longer than this are hard to read, however wide the terminal is. */
const WIDEST = 100;

/** `help`, `help COMMAND` and `help TOPIC`. Opens no session: help must work while the configuration is broken. */
export function registerHelp(program: Command, ctx: Pick<Context, 'stdout'>): void {
  program
    .command('help')
    .summary('show the help of a command, or about a topic')
    .description(`Show the help of a command, or about a topic: ${Object.keys(TOPICS).join(', ')}.`)
    .argument('[words...]', 'a command or a topic; without one, list them all')
    .option('--man', 'print where the man page is: man "$(unlockos-keys help --man)"')
    .action((words: string[], flags: { man?: boolean }) =>
      flags.man ? ctx.stdout.write(`${manPage()}\n`) : help(words, program, ctx),
    );
}

/** Every install has the file, also where npm puts no page into the manual (npx, a project's own dependency). */
function manPage(): string {
  return fileURLToPath(assetUrl('man/unlockos-keys.1'));
}

async function help(words: readonly string[], program: Command, ctx: Pick<Context, 'stdout'>): Promise<void> {
  const [first = ''] = words;
  if (words.length !== 1 || !Object.hasOwn(TOPICS, first)) return commandNamed(words, program).outputHelp();
  const { renderTopic } = await import('./topic-pages.js');
  ctx.stdout.write(renderTopic(first as TopicName, Math.min(ctx.stdout.columns() ?? 80, WIDEST)));
}

/** Throws `usage` for words that name no command. */
function commandNamed(words: readonly string[], program: Command): Command {
  let command = program;
  for (const word of words) {
    const found = command.commands.find((each) => each.name() === word || each.aliases().includes(word));
    if (!found) throw unknown(word, command, program);
    command = found;
  }
  return command;
}

function unknown(word: string, command: Command, program: Command): KeysError {
  const top = command === program;
  const names = command.commands.map((each) => each.name());
  const guess = didYouMean(word, top ? [...names, ...Object.keys(TOPICS)] : names);
  return new KeysError(
    'usage',
    `there is no ${top ? 'command or help topic' : `command ${command.name()}`} ${quoted(word)}${guess ? `, did you mean ${guess}?` : ''}`,
    top ? 'see: unlockos-keys help' : names.length > 0 ? `its commands are: ${names.join(', ')}` : undefined,
  );
}
