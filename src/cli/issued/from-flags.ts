import { KeysError } from '../../domain/errors.js';
import { LONGEST_JOB_MS, parseDuration } from '../../domain/expiry.js';
import { assertScopeForm, splitList } from '../../domain/scopes.js';
import { quoted } from '../../domain/text.js';
import type { CommandBuilder } from '../command.js';
import type { ScopeFlags } from '../targets/scope-flags.js';

/** The flags with which a job gets its key from a server (`unlockos-keys issue`), as the job that its ID token stands for. */
export interface FromFlags {
  readonly from?: string;
  readonly audience?: string;
  readonly idTokenEnv?: string;
  readonly idTokenFile?: string;
}

/** Declares them. */
export function fromOptions(command: CommandBuilder): CommandBuilder {
  return command
    .optionsGroup('In a CI job, from a server and without a store (help ci):')
    .option('--from <url>', 'a server that runs unlockos-keys issue')
    .option('--id-token-env <name>', "the variable with the job's ID token")
    .option('--id-token-file <file>', 'the file with it (default: ask GitHub)')
    .option('--audience <text>', "of GitHub's ID token (default: that URL)");
}

/** What goes with `--from` in every command. A flag that is on no list is refused: one that is ignored would be a promise that is not kept. */
const BESIDE = [
  ...['from', 'audience', 'idTokenEnv', 'idTokenFile', 'scope', 'scopes'],
  ...['output', 'json', 'fields', 'input', 'yes', 'dryRun', 'quiet', 'debug', 'color', 'timeout'],
];

const NO_STORE = 'the server has the store; leave it out';
const RULE = "the server's rule for this job decides; leave it out";

/** Why a flag does not go with `--from`, by the name of its value. */
const WHY: Readonly<Record<string, string>> = {
  live: 'a server issues test keys only; for a live key use a store',
  store: NO_STORE,
  profile: NO_STORE,
  allowHttp: 'an ID token is sent over https:// only, or to this machine',
  actor: 'the ID token says who this job is; leave it out',
  operationId: 'each ID token gives one key; run the command again with another',
  name: 'the server names the key; leave it out',
  description: RULE,
  rateLimit: RULE,
  label: RULE,
};

function spelling(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/**
 * Whether the key comes from a server. Throws `usage` for flags that mean nothing together: `own` are those of the command that go with
 * `--from`, and `why` says why others do not.
 */
export function comesFromServer(
  flags: FromFlags & object,
  own: readonly string[],
  why: Readonly<Record<string, string>> = {},
): flags is FromFlags & { from: string } {
  const given = Object.entries(flags).filter(([, value]) => value !== undefined && value !== false);
  if (flags.from === undefined) {
    const [stray] = given.find(([name]) => ['audience', 'idTokenEnv', 'idTokenFile'].includes(name)) ?? [];
    if (stray !== undefined)
      throw new KeysError(
        'usage',
        `${spelling(stray)} is for --from, which is missing`,
        'for example: --from https://keys.acme.example',
      );
    return false;
  }
  const [refused] = given.find(([name]) => !BESIDE.includes(name) && !own.includes(name)) ?? [];
  if (refused !== undefined)
    throw new KeysError(
      'usage',
      `${spelling(refused)} and --from do not go together`,
      why[refused] ?? WHY[refused] ?? 'it is for keys in a store of your own; leave it out',
    );
  if (flags.idTokenEnv !== undefined && flags.idTokenFile !== undefined)
    throw new KeysError('usage', '--id-token-env and --id-token-file do not go together', 'pass one of them');
  return true;
}

/** The scopes to ask for, each once. Throws `usage` for a category, too: what it holds only the server knows. */
export function scopesToAsk({ scope = [], scopes = [] }: ScopeFlags): string[] {
  const all = [...new Set(splitList([...scope, ...scopes]))];
  for (const each of all) {
    if (each.endsWith(':*'))
      throw new KeysError('usage', `${quoted(each)} and --from do not go together`, 'name each scope: -s checkin:read');
    assertScopeForm(each);
  }
  return all;
}

/** The lifetime of a key for one run or one job, as it was typed. `flag` names it. Throws `usage` for more than 24 hours. */
export function jobTtl(text: string | undefined, flag: string): string | undefined {
  if (text === undefined || parseDuration(text, flag) <= LONGEST_JOB_MS) return text;
  throw new KeysError(
    'usage',
    `${flag} ${quoted(text)} is longer than 24 hours`,
    'for a longer time use unlockos-keys create, with a store',
  );
}
