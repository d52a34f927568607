import type { Command, HelpConfiguration, Option } from 'commander';
import { painter } from '../output/paint.js';
import { TOPICS } from './topic-names.js';

/** Options without which a command does nothing come first. */
const FIRST: readonly (string | undefined)[] = ['--live', '--test-mode', '--scope', '--file'];
/** Options that few runs need come last. */
const LAST: readonly (string | undefined)[] = ['--confirm', '--operation-id', '--help'];

/** What people read next, by the words of a command. */
const SEE_ALSO: Readonly<Record<string, string>> = {
  create: 'rotate, run, scopes list, help ci, help security',
  list: 'show, prune, help output',
  show: 'list, audit list --key',
  usage: 'review, list --unused-for',
  edit: 'show, create --like',
  enable: 'disable, list --status inactive',
  disable: 'enable, rotate, help security',
  delete: 'disable, restore, prune, audit list --key',
  restore: 'delete, list --deleted, enable',
  prune: 'list --unused-for, disable',
  run: 'create, issue, help ci',
  rotate: 'create --like, list --rotating, help security',
  review: 'usage, prune, list',
  apply: 'diff, export, help ci',
  diff: 'apply, export',
  export: 'apply, store copy',
  verify: 'identify, serve',
  identify: 'verify, disable --stdin',
  scan: 'identify, disable --stdin, help security',
  serve: 'verify, scopes list',
  issue: 'create, scopes list, help ci',
  scopes: 'create, list --scope',
  audit: 'show, help security',
  store: 'doctor, profile, help environment',
  profile: 'store, help environment',
  doctor: 'store check, help environment',
  completion: 'help environment',
};

const PROGRAM_OUTRO = `
To start: unlockos-keys create (it asks for everything)
More: unlockos-keys COMMAND --help, man "$(unlockos-keys help --man)"
Help topics: ${Object.keys(TOPICS).join(', ')}`;

function after(command: Command): string {
  const words = [command.name()];
  for (let above = command.parent; above?.parent; above = above.parent) words.unshift(above.name());
  const related = SEE_ALSO[words.join(' ')] ?? SEE_ALSO[words[0] ?? ''];
  return [
    '',
    'Options of every command (--store, -p, -o, --json, -n, -y, -q …): help flags',
    ...(related === undefined ? [] : [`See also: ${related}`]),
  ].join('\n');
}

/** Adds what every page ends with. Called once all commands are there. */
export function endPages(program: Command): void {
  program.addHelpText('after', PROGRAM_OUTRO);
  const visit = (command: Command) => {
    for (const each of command.commands) {
      if (each.name() !== 'help') each.addHelpText('after', () => after(each));
      visit(each);
    }
  };
  visit(program);
}

/** How commander draws a page: no options that every command has, rare ones last, a list of commands by name alone, bold headings. */
export const HELP_PAGE: HelpConfiguration = {
  showGlobalOptions: false,
  visibleOptions(command: Command): Option[] {
    if (!command.parent) return [];
    const place = ({ long }: Option) => LAST.indexOf(long) - FIRST.indexOf(long);
    const options = command.options.filter(({ hidden }) => !hidden);
    return options.sort((a, b) => place(a) - place(b));
  },
  subcommandTerm: (command: Command) => [command.name(), ...command.aliases()].join(', '),
  styleTitle: painter(true).bold, // commander takes it out again where no colour is wanted
};
