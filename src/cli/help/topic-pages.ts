import { DESTINATION_TERMS } from '../delivery/sinks.js';
import { EXIT_CODES } from '../exit-code.js';
import { FORMATS, type Format } from '../settings/global-flags.js';
import { GLOBAL_OPTIONS } from '../settings/global-options.js';
import { TOPICS, type TopicName } from './topic-names.js';

/** A paragraph, a list of terms with their meanings, or command lines without the name of the tool. */
export type Block =
  | string
  | { readonly terms: readonly (readonly [term: string, meaning: string])[] }
  | { readonly lines: readonly string[] };

const MEANING: Record<Format, string> = {
  table: 'for people; may change. Cut to the width of the terminal; complete in a pipe, with ISO times',
  json: 'an array for lists, an object for one thing',
  jsonl: 'one JSON object per line',
  yaml: 'the same as json, in YAML',
  csv: 'with a header; cells that a spreadsheet would run as a formula are escaped',
  tsv: 'with a header; tabs and line breaks are escaped',
  value: 'one field, or those of --fields separated by tabs, without a header; the key string from create and rotate',
};

/** Every variable that the tool reads; those that it sets for other programs are in `SET_BY_US`. */
const VARIABLES = {
  UNLOCKOS_KEYS_STORE: 'the store: a path or a URL. --store and -p override it',
  UNLOCKOS_KEYS_PROFILE:
    'the profile. -p overrides it; so does a store named by --store or UNLOCKOS_KEYS_STORE, for the store',
  UNLOCKOS_KEYS_AUTH_TOKEN: 'the token for a remote store; deliberately not a flag',
  UNLOCKOS_KEYS_CONFIG_DIR: 'the directory of config.yaml',
  UNLOCKOS_KEYS_PEPPER_FILE: 'the file with the peppers, for a store that hashes with one',
  UNLOCKOS_KEYS_SIGNING_KEY_FILE: 'the file with the private key of audit sign',
  UNLOCKOS_KEYS_PEPPERS: 'the content of that file, for systems that pass secrets in variables',
  UNLOCKOS_KEYS_REDIS_PASSWORD: 'the password for serve --limits redis://HOST:PORT',
  UNLOCKOS_KEYS_ID_TOKEN: 'the ID token of a CI job, for --from; a GitHub job needs none',
  UNLOCKOS_KEYS_OUTPUT: 'the output format. -o overrides it',
  UNLOCKOS_KEYS_NO_INPUT: '1: never prompt',
  UNLOCKOS_KEYS_ACTOR:
    "who asked for a change, for the audit log. --actor overrides it; in CI the default is the CI system's own variable",
  UNLOCKOS_KEYS_DEBUG: '1: print details of errors on stderr',
} as const;

const ELSEWHERE = {
  NO_COLOR: 'no colour; --color overrides it',
  FORCE_COLOR: '1: colour even in pipes; CLICOLOR_FORCE does the same',
  CLICOLOR: '0: no colour; TERM=dumb does the same',
  COLUMNS: 'the width of tables',
  XDG_DATA_HOME: 'the directory of the default store, unlockos-keys/keys.db (Windows: LOCALAPPDATA)',
  XDG_CACHE_HOME: 'the directory of unlockos-keys/*.v8, code that V8 compiled for the next run',
  NODE_DISABLE_COMPILE_CACHE: '1: keeps and reads no such code; nor does a run with CI set',
  XDG_STATE_HOME:
    'the directory of unlockos-keys/audit-heads, the ends of audit logs that were seen (Windows: LOCALAPPDATA)',
  XDG_CONFIG_HOME: 'the directory of unlockos-keys/config.yaml by default (Windows: APPDATA)',
} as const;

const SET_BY_US = {
  UNLOCKOS_API_KEY: 'run: the key string, for the program it runs',
  UNLOCKOS_KEYS_NAME: '--pipe: the name of the key whose key string is on stdin',
  UNLOCKOS_KEYS_ID: '--pipe: its id',
} as const;

/** The pages of `unlockos-keys help TOPIC`; they are also sections of the man page. */
export const PAGES: Readonly<Record<TopicName, readonly Block[]>> = {
  flags: [
    'These go before or after the name of a command. Variables can set some of them: help environment.',
    { terms: GLOBAL_OPTIONS },
    'To print the version: unlockos-keys --version. To print the help of a command: --help after it.',
  ],
  ci: [
    'For a job that needs a key only while it runs, use run: it gives a program a test key in its environment, and deletes the key when the program ends. With --from the key comes from a server (unlockos-keys issue), and the job needs no secret: only an ID token, which its CI system signs.',
    {
      lines: [
        'run --from https://keys.acme.example -s checkin:read -- npm test',
        'create --from https://keys.acme.example -s checkin:read --github-env API_KEY',
        'delete --from https://keys.acme.example --stdin --yes < ci.key    # in a later step',
      ],
    },
    {
      terms: [
        ['GitHub', 'permissions: { id-token: write } in the job'],
        ['GitLab', 'id_tokens: { UNLOCKOS_KEYS_ID_TOKEN: { aud: https://keys.acme.example } } in the job'],
        ['others', '--id-token-env NAME, or --id-token-file FILE (also a pipe)'],
      ],
    },
    'Under CI stdout is a log, so create and rotate create nothing until one of these says where the key string goes. It is tried first; a key that cannot be delivered is disabled at once (exit 1).',
    {
      terms: DESTINATION_TERMS,
    },
    'In CI, pass --test-mode or --live: neither is assumed. Nothing prompts there, so whatever needs a confirmation needs --yes, and in a protected profile --confirm NAME. Without it the exit code is 6, and nothing was changed.',
    {
      lines: [
        'create "ci-$RUN-$ATTEMPT-$JOB" --test-mode -s checkin:read --expires 2h --key-file ci.key',
        'delete --stdin --yes < ci.key    # by the key string: another job may have the same name',
        'create ci --test-mode -s plan:read --if-exists rotate --key-file ci.key',
        'list --expiring-within 14d --exit-code',
        'diff -f keys.yaml --exit-code',
        'apply -f keys.yaml --yes --key-dir ./keys',
      ],
    },
    'Programs that run or --pipe starts do not inherit the token of a remote store, but run as the same user, who can read it from this process (/proc/PPID/environ). Run what you do not trust as another user, or with a token that may do no harm.',
    'After exit code 10, run the same command again with the --operation-id that was printed: it finishes the work and repeats nothing. After exit code 8, simply try again later.',
    'To find keys that leaked into a repository, use scan. To remove keys that expired or were never used, use prune.',
  ],
  manifest: [
    'YAML or JSON. What a manifest leaves out stays as it is in the store. Its keys belong to it: apply changes no others.',
    {
      terms: [
        ['version', '1'],
        ['name', 'the name of the manifest; its keys carry it as a label'],
        [
          'scopes',
          'optional: added to the catalogue where missing. plan:delete, or { scope: report:read, label: Reports }',
        ],
        ['keys', 'a list of keys'],
      ],
    },
    'Of each key:',
    {
      terms: [
        ['name', 'identifies the key: another name is another key'],
        ['mode', 'live or test; never changes'],
        ['scopes', 'if these change, the key is rotated'],
        ['description', 'text on one line'],
        ['rateLimit', 'such as 600/m'],
        ['expires', '90d or never; for new keys only'],
        ['expiresAt', '2027-01-31; changes existing keys, too'],
        ['allowFrom', 'the addresses that it works from: [10.0.0.0/8]'],
        ['labels', 'such as { team: partner }'],
        ['disabled', 'true disables it, false enables it'],
      ],
    },
    { lines: ['export > keys.yaml', 'diff -f keys.yaml', 'apply -f keys.yaml --key-dir ./new-keys'] },
  ],
  output: [
    'Results go to stdout; notes, prompts and errors go to stderr. -q silences notes.',
    { terms: FORMATS.map((format) => [`-o ${format}`, MEANING[format]] as const) },
    'scan also has -o sarif and -o github, diff has -o markdown: reports for code scanning, job annotations and pull requests.',
    '--json is short for -o json. --fields a,b prints only these fields, in any format; for an unknown field the error lists all fields. serve prints no results, and run passes on the output of its program.',
    'JSON is a contract: camelCase; times in ISO 8601 UTC; a field without a value is null, never missing; never a hash; a key string only from create and rotate. With --json an error is {"error":{"code","message","hint"}} on stderr. export writes a manifest for apply.',
    { lines: ['list -o value --fields id', 'list --json --fields name,status', 'audit list -o jsonl --since 7d'] },
  ],
  environment: [
    'A flag overrides a variable. An empty variable counts as unset.',
    { terms: [...Object.entries(VARIABLES), ...Object.entries(ELSEWHERE)] },
    'Tokens, peppers and this password are removed from the environment at the start, so that no child process gets them. store path and doctor show which store is used, and where that was set.',
    'Set for other programs:',
    { terms: Object.entries(SET_BY_US) },
  ],
  'exit-codes': [
    { terms: Object.entries(EXIT_CODES) },
    '2 to 6: the message says what was refused, and the hint what to pass instead. 7 comes from verify, diff --exit-code, list --exit-code and failed checks. 8: try again later; doctor shows what is wrong. 9: the failed items are named, and the others are done. 10: run the same command again with the --operation-id that was printed.',
    'run exits with the exit code of its program.',
  ],
  security: [
    'When a key string leaked, disable the key first, whoever uses it. Then create another in its place:',
    {
      lines: [
        'identify --stdin < found.txt',
        'disable --stdin --reason "found in a public repository" < found.txt',
        'create partner-new --like partner --key-file partner-new.key',
        'audit list --key partner',
      ],
    },
    'A disabled key is refused from the next request on, in every process. disable --stdin acts only if the secret is genuine. If you do not have the key string, disable the key by name or id.',
    'Never pass a key string as an argument: it stays in the shell history, and other users can see it in the process list. Commands read key strings from stdin or a file.',
    'A key string is shown once. The store holds a hash of the secret; lists and logs show only the key id. A lost key string cannot be recovered: rotate creates another key in its place. The old key works until the overlap ends, so after a leak pass --overlap 0.',
    'A copied key string is cleared from the clipboard after 45 s, if it is still there. Over SSH the text is sent to your terminal, which may ignore it.',
    'The token for a remote store comes from UNLOCKOS_KEYS_AUTH_TOKEN, a file that only you can read, or a command in the profile; never from a flag or a URL. Shell completion does not run that command.',
    'The audit log is a chain of hashes. Save its head somewhere else, and check it later:',
    { lines: ['audit head', 'audit verify --anchor "$(cat head.txt)"'] },
  ],
};

/** Breaks a text into lines of at most `width` columns, between words. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** A term with its meaning beside it, or below a long term. */
function term([name, meaning]: readonly [string, string], indent: number, width: number): string[] {
  const [first = '', ...rest] = wrapped(meaning, width - indent - 2).map((line) => ' '.repeat(indent + 2) + line);
  const below = name.length > indent - 2;
  return below ? [`  ${name}`, first, ...rest] : [`  ${name.padEnd(indent)}${first.trimStart()}`, ...rest];
}

function renderBlock(block: Block, width: number): string[] {
  if (typeof block === 'string') return wrapped(block, width);
  if ('lines' in block) return block.lines.map((line) => `  $ unlockos-keys ${line}`);
  const indent = Math.min(28, Math.max(...block.terms.map(([name]) => name.length)) + 2);
  return block.terms.flatMap((each) => term(each, indent, width));
}

/** A page for a terminal of `width` columns; command lines are never broken. */
export function renderTopic(name: TopicName, width: number): string {
  const title = `${name}: ${TOPICS[name]}`;
  return [title, ...PAGES[name].map((block) => renderBlock(block, width).join('\n'))].join('\n\n').concat('\n');
}
