import { EXIT_CODES } from './exit-code.js';
import { FORMATS, type Format } from './flags.js';
import { TOPICS, type TopicName } from './help.js';

/** A paragraph, terms with what they mean, or command lines without the name of the tool. */
export type Block =
  | string
  | { readonly terms: readonly (readonly [term: string, meaning: string])[] }
  | { readonly lines: readonly string[] };

const MEANING: Record<Format, string> = {
  table: 'for people; may change. Cut to the terminal; in a pipe whole, with ISO times',
  json: 'an array for lists, an object for one thing',
  jsonl: 'one JSON object a line',
  yaml: 'what json says, as YAML',
  csv: 'with a header; cells that a spreadsheet would run are escaped',
  tsv: 'with a header; tabs and line ends escaped',
  value: 'one field, or those of --fields with tabs between, no header; from create and rotate the key string',
};

/** Every variable of ours, and what it says; those that we set for others are in `SET_BY_US`. */
const VARIABLES = {
  UNLOCKOS_KEYS_STORE: 'the store: a path or a URL. --store and -p come first',
  UNLOCKOS_KEYS_PROFILE: 'the profile; -p comes first. A store named by flag or variable is used instead of its own',
  UNLOCKOS_KEYS_AUTH_TOKEN: 'the token for a remote store; there is no flag for it',
  UNLOCKOS_KEYS_CONFIG_DIR: 'the directory that config.yaml is in',
  UNLOCKOS_KEYS_PEPPER_FILE: 'the file of peppers, where keys are hashed with one',
  UNLOCKOS_KEYS_PEPPERS: 'what that file holds, for systems that pass secrets in variables',
  UNLOCKOS_KEYS_OUTPUT: 'the output format. -o comes first',
  UNLOCKOS_KEYS_NO_INPUT: '1: never ask',
  UNLOCKOS_KEYS_ACTOR:
    "who asks for a change, for the audit log. --actor comes first; under CI the system's own variable comes last",
  UNLOCKOS_KEYS_DEBUG: '1: details of failures on stderr',
} as const;

const ELSEWHERE = {
  NO_COLOR: 'no colour; --color comes first',
  FORCE_COLOR: '1: colour in pipes, too; so does CLICOLOR_FORCE',
  CLICOLOR: '0: no colour; nor with TERM=dumb',
  COLUMNS: 'the width of tables',
  XDG_DATA_HOME: 'where the store is by default: unlockos-keys/keys.db in there (Windows: LOCALAPPDATA)',
  XDG_CONFIG_HOME: 'where config.yaml is by default (Windows: APPDATA)',
} as const;

const SET_BY_US = {
  UNLOCKOS_API_KEY: 'run: the key string, for the program that it runs',
  UNLOCKOS_KEYS_NAME: '--pipe: the name of the key whose key string is on stdin',
  UNLOCKOS_KEYS_ID: '--pipe: its id',
} as const;

/** The pages of `unlockos-keys help TOPIC`, which are sections of the man page, too. */
export const PAGES: Readonly<Record<TopicName, readonly Block[]>> = {
  ci: [
    'A job that only needs a key while it runs: run gives a program a test key in its environment, and takes the key back when it ends.',
    'Under CI stdout is a log, so create and rotate make nothing until one of these says where the key string goes. It is tried first; a key that cannot be delivered is disabled at once (exit 1).',
    {
      terms: [
        ['--github-env NAME', "a variable for the job's later steps, masked"],
        ['--github-output NAME', 'a step output, masked'],
        ['--key-file FILE', 'a new file, mode 0600'],
        ['--dotenv FILE[:NAME]', 'a line of a dotenv file'],
        ['--pipe -- PROGRAM', 'the standard input of a program, such as one that stores secrets'],
        ['-o value, -o json', 'stdout: KEY=$(unlockos-keys create … -o value)'],
      ],
    },
    'Say --test-mode or --live: under CI neither is assumed. Nothing is ever asked there, so what would be confirmed needs --yes, and in a protected profile --confirm NAME; without it the exit code is 6 and nothing has changed.',
    {
      lines: [
        'create "ci-$RUN_ID" --test-mode -s checkin:read --expires 2h --github-env UNLOCKOS_API_KEY',
        'create ci --test-mode -s plan:read --if-exists rotate --key-file ci.key',
        'list --expiring-within 14d --exit-code',
        'diff -f keys.yaml --exit-code',
        'apply -f keys.yaml --yes --key-dir ./keys',
      ],
    },
    'Run again after exit 10: the same command with the --operation-id that was printed finishes what is unfinished and repeats nothing. Exit 8 may pass by itself.',
    'To find keys that leaked into a repository: scan. To clear away what has expired or was never used: prune.',
  ],
  output: [
    'Data goes to stdout; remarks, questions and errors go to stderr. -q silences remarks.',
    { terms: FORMATS.map((format) => [`-o ${format}`, MEANING[format]] as const) },
    '--json is -o json. --fields a,b keeps these fields, in any format; a field that does not exist is answered with those that do. serve prints no data, and run passes on what its program prints.',
    'JSON is a contract: camelCase, times in ISO 8601 UTC, null and never missing, never a hash, a key string only from create and rotate. With --json an error is {"error":{"code","message","hint"}} on stderr. export writes a manifest that apply reads.',
    { lines: ['list -o value --fields id', 'list --json --fields name,status', 'audit list -o jsonl --since 7d'] },
  ],
  environment: [
    'A flag says more than a variable. An empty variable counts as none.',
    { terms: [...Object.entries(VARIABLES), ...Object.entries(ELSEWHERE)] },
    'Tokens and peppers are taken out of the environment at the start: no program that this one runs gets them. store path and doctor say which store is meant, and who said so.',
    'Set for other programs:',
    { terms: Object.entries(SET_BY_US) },
  ],
  'exit-codes': [
    { terms: Object.entries(EXIT_CODES) },
    '2 to 6: the message says what was refused, and the hint what to pass. 7 comes from verify, diff --exit-code, list --exit-code and checks that found a fault. 8: run it again later, and doctor says what is wrong. 9: what failed is named, the rest is done. 10: run the same command with the --operation-id that was printed.',
    'run ends with the exit code of its program.',
  ],
  security: [
    'A key string leaked. Stop it first, whoever uses it; then put another in its place:',
    {
      lines: [
        'identify --stdin < found.txt',
        'disable --stdin --reason "found in a public repository" < found.txt',
        'create partner-new --like partner --key-file partner-new.key',
        'audit list --key partner',
      ],
    },
    'disable works from the next call on, in every process. disable --stdin acts only where the secret is genuine. Nobody has the key string: disable it by name or id.',
    'Never pass a key string as an argument: it stays in the shell history, and other users see it in the process list. Commands read one from stdin or a file.',
    'A key string is shown once. The store holds a hash of the secret, and lists and logs show the key id only. Lost is lost: rotate makes another in its place. Its old key works on until the overlap ends, so after a leak say --overlap 0.',
    'Copying clears the clipboard after 45 s, if it still holds the key; over SSH the text is only sent to your terminal, which may ignore it.',
    'A token for a remote store comes from UNLOCKOS_KEYS_AUTH_TOKEN, a file that only you can read, or a command in the profile; never from a flag or a URL. Completion in the shell runs no such command.',
    'The audit log is a chain of hashes. Note its end elsewhere, and check it later:',
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

/** A term with its meaning beside it, or below it where it is long. */
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
