import type { Argument, Command, Option } from 'commander';
import { AUDIT_ACTIONS } from '../../domain/audit.js';
import { IF_EXISTS, SORT_FIELDS } from '../../domain/key-store.js';
import { MODES } from '../../domain/key-string.js';
import { FORMATS } from '../flags.js';
import { SHELLS } from './shells.js';

/** What a value may be: one of these words, or something that must be looked up. */
export type Source = readonly string[] | 'keys' | 'names' | 'scopes' | 'profiles' | 'files' | 'directories' | 'nothing';

/** The flags whose values are a few words. A test holds them to what the commands accept. */
export const CHOICES: Readonly<Record<string, readonly string[]>> = {
  '--output': FORMATS,
  '--default-output': FORMATS,
  '--color': ['auto', 'always', 'never'],
  '--status': ['active', 'inactive', 'expired'],
  '--mode': MODES,
  '--environment': MODES,
  '--sort': SORT_FIELDS.flatMap((field) => [field, `-${field}`]),
  '--if-exists': IF_EXISTS,
  '--action': AUDIT_ACTIONS,
  '--limits': ['memory', 'shared', 'off'],
  '--log': ['all', 'refused', 'none'],
  '--rules': ['gitleaks', 'trufflehog', 'secretlint', 'github', 'pre-commit'],
};

/** What the words mean that stand for a value in the usage of a command: `<file>`, `[key...]`. */
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

/** What the value of a flag may be. */
export function sourceOfOption({ long, flags, argChoices }: Option): Source {
  if (argChoices) return argChoices;
  if (long === '--profile') return 'profiles';
  if (long === '--confirm') return 'names';
  if (long === '--key-dir') return 'directories';
  return CHOICES[long ?? ''] ?? ofPlaceholder(/[<[](.+)[>\]]$/.exec(flags)?.[1] ?? '');
}

/** What an argument may be. `profile add` names one that is not there yet. */
export function sourceOfArgument(argument: Argument, command: Command): Source {
  if (argument.argChoices) return argument.argChoices;
  if (command.parent?.name() === 'profile' && argument.name() === 'name')
    return command.name() === 'add' ? 'nothing' : 'profiles';
  return ofPlaceholder(argument.name());
}
