import { FORMATS } from './global-flags.js';

/** The options that every command takes, before or after its name; `help flags` lists them. */
export const GLOBAL_OPTIONS: readonly (readonly [flags: string, description: string])[] = [
  ['--store <path|url>', 'the store to use (default: in your data directory)'],
  ['-p, --profile <name>', 'a named store (see profile list)'],
  ['--allow-http', 'allow a remote store without TLS (http://)'],
  ['-o, --output <format>', FORMATS.join(', ')],
  ['--json', 'short for -o json'],
  ['--fields <a,b>', 'print only these fields'],
  ['--no-input', 'never prompt'],
  ['-y, --yes', 'answer yes to every confirmation'],
  ['-n, --dry-run', 'show what would happen, change nothing'],
  ['-q, --quiet', 'no notes on stderr'],
  ['--debug', 'print details of errors on stderr'],
  ['--color <when>', 'auto, always, never'],
  ['--timeout <time>', 'how long to wait for the store (default: 5s, remote 10s)'],
  ['--actor <name>', 'who asked for this change, for the audit log'],
];
