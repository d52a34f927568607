import type { Command } from 'commander';
import { KeysError } from '../domain/errors.js';
import { didYouMean } from '../domain/scopes.js';
import { quoted } from '../domain/text.js';
import type { Context } from './context.js';

/** The pages of `help` besides those of the commands, each with what it is about; their texts are in `topics.ts`. */
export const TOPICS = {
  ci: 'keys in CI jobs and scripts: where a key string goes, what must be said',
  output: 'formats, and what goes to stdout and to stderr',
  environment: 'the variables that are read, and those that are set for other programs',
  'exit-codes': 'what each exit code means, and what to do',
  security: 'a key leaked: what to do; and what keeps keys secret',
} as const;

export type TopicName = keyof typeof TOPICS;

/** Lines longer than this are hard to read, however wide the terminal is. */
const WIDEST = 100;

/** `help`, `help COMMAND` and `help TOPIC`. No session: help must be there when the configuration is what is wrong. */
export function registerHelp(program: Command, ctx: Pick<Context, 'stdout'>): void {
  program
    .command('help')
    .summary('help for a command, or about a topic')
    .description(`Print the help of a command, or about a topic: ${Object.keys(TOPICS).join(', ')}.`)
    .argument('[words...]', 'a command or a topic; without one, all of them are listed')
    .action((words: string[]) => help(words, program, ctx));
}

async function help(words: readonly string[], program: Command, ctx: Pick<Context, 'stdout'>): Promise<void> {
  const [first = ''] = words;
  if (words.length !== 1 || !Object.hasOwn(TOPICS, first)) return commandNamed(words, program).outputHelp();
  const { renderTopic } = await import('./topics.js');
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
    top ? 'unlockos-keys help lists both' : names.length > 0 ? `it has: ${names.join(', ')}` : undefined,
  );
}
