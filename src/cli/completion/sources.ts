import type { Argument, Command, Option } from 'commander';
import { AUDIT_ACTIONS } from '../../domain/audit.js';
import { SORT_FIELDS } from '../../domain/key-query.js';
import { IF_EXISTS } from '../../domain/key-store.js';
import { MODES } from '../../domain/key-string.js';
import { FORMATS, reportsOf } from '../settings/global-flags.js';
import { SHELLS } from './shells.js';

/** The possible values: one of these words, or something to look up. */
export type Source =
  | readonly string[]
  | 'keys'
  | 'deleted'
  | 'names'
  | 'scopes'
  | 'scopes of the key'
  | 'profiles'
  | 'files'
  | 'directories'
  | 'nothing';

/** The flags that take one of a few words. A test checks that the commands accept these. */
export const CHOICES: Readonly<Record<string, readonly string[]>> = {
  '--output': FORMATS,
  '--default-output': FORMATS,
  '--color': ['auto', 'always', 'never'],
  '--status': ['active', 'inactive', 'expired'],
  '--mode': MODES,
  '--environment': MODES,
  '--sort': SORT_FIELDS.flatMap((field) => [field, `-${field}`]),
  '--if-exists': [...IF_EXISTS, 'rotate'],
  '--action': AUDIT_ACTIONS,
  '--limits': ['memory', 'shared', 'off'],
  '--log': ['all', 'refused', 'none'],
  '--rules': ['gitleaks', 'trufflehog', 'secretlint', 'github', 'pre-commit'],
};

/** What the placeholders in the usage of a command stand for: `<file>`, `[key...]`. */
const BY_PLACEHOLDER: Readonly<Record<string, Source>> = {
  key: 'keys',
  scope: 'scopes',
  profile: 'profiles',
  file: 'files',
  'file[:NAME]': 'files',
  path: 'files',
  'path|url': 'files',
  from: 'files',
  to: 'files',
  command: 'files',
  shell: SHELLS,
  scheme: ['bcrypt', 'hmac-sha256'],
  dir: 'directories',
  directory: 'directories',
};

function ofPlaceholder(placeholder: string): Source {
  const word = placeholder.replace(/\.\.\.$/, '');
  return BY_PLACEHOLDER[word] ?? BY_PLACEHOLDER[word.replace(/s$/, '')] ?? 'nothing';
}

/** The possible values of a flag of a command. */
export function sourceOfOption({ long, flags, argChoices }: Option, command: Command): Source {
  if (long === '--output') return [...FORMATS, ...reportsOf(command.name())];
  if (argChoices) return argChoices;
  if (long === '--profile') return 'profiles';
  if (long === '--confirm') return 'names';
  if (long === '--drop-scope') return 'scopes of the key';
  if (long === '--key-dir') return 'directories';
  return CHOICES[long ?? ''] ?? ofPlaceholder(/[<[](.+)[>\]]$/.exec(flags)?.[1] ?? '');
}

/** The possible values of an argument. `profile add` takes a new name, so nothing completes it. */
export function sourceOfArgument(argument: Argument, command: Command): Source {
  if (argument.argChoices) return argument.argChoices;
  if (command.parent?.name() === 'profile' && argument.name() === 'name')
    return command.name() === 'add' ? 'nothing' : 'profiles';
  if (command.name() === 'restore') return 'deleted';
  return ofPlaceholder(argument.name());
}
