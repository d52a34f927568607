import { closeSync, constants, openSync, statSync } from 'node:fs';
import { KeysError } from '../../domain/errors.js';
import { quoted } from '../../domain/text.js';
import { cannotWrite, readBytes, writeDurably } from '../../files/private-file.js';
import { NOTHING_CREATED, type SinkKind } from './sink.js';
import { checkedVariable } from './variable.js';

function openToAppend(file: string): number {
  return openSync(file, constants.O_WRONLY | constants.O_APPEND | (constants.O_NOFOLLOW ?? 0));
}

const MAX_BYTES = 16_777_216;

/**
 * What must precede a new line: a line end, where the last line has none. Throws `usage` inside an unfinished value, which would swallow
 * the line. A file that cannot be read is taken as it is.
 */
function beginning(file: string, flag: string): string {
  if (!statSync(file).isFile()) return '';
  const bytes = readBytes(file, { what: "the runner's file", code: 'usage', maxBytes: MAX_BYTES, noLinks: true });
  const text = bytes.toString('latin1');
  let delimiter: string | null = null;
  for (const line of text.split(/\r?\n/)) {
    if (delimiter === null) delimiter = /^[^=]*?<<(.+)$/.exec(line)?.[1] ?? null;
    else if (line === delimiter) delimiter = null;
  }
  if (delimiter !== null)
    throw new KeysError(
      'usage',
      `${flag}: the file of the runner ends inside a value of several lines`,
      `no key was created; an earlier step has to end it with ${quoted(delimiter)}`,
    );
  return text === '' || text.endsWith('\n') ? '' : '\n';
}

/** A line of one of the runner's command files (GitHub Docs, "Workflow commands"). */
function commandFile(flag: string, variable: 'GITHUB_ENV' | 'GITHUB_OUTPUT', help: string): SinkKind {
  return {
    flag: `${flag} <NAME>`,
    help,
    open(value, { ctx }) {
      const name = checkedVariable(value, flag);
      const file = ctx.env[variable] ?? '';
      return {
        label: `${variable} as ${name}`,
        probe() {
          if (ctx.env.GITHUB_ACTIONS !== 'true' || file === '')
            throw new KeysError(
              'usage',
              `${flag} works in GitHub Actions only (${variable} is not set)`,
              'elsewhere, use --dotenv or --key-file',
            );
          try {
            closeSync(openToAppend(file));
            beginning(file, flag);
          } catch (error) {
            throw error instanceof KeysError ? error : cannotWrite(error, flag, file, NOTHING_CREATED);
          }
        },
        deliver({ keyString }) {
          const lineEnd = beginning(file, flag);
          const descriptor = openToAppend(file);
          try {
            writeDurably(descriptor, `${lineEnd}${name}=${keyString}\n`);
          } finally {
            closeSync(descriptor);
          }
        },
        abandon() {}, // the runner reads the file when the step ends; the key is disabled by then
      };
    },
  };
}

export const githubEnv = commandFile('--github-env', 'GITHUB_ENV', "a variable for the job's later steps, masked");
export const githubOutput = commandFile('--github-output', 'GITHUB_OUTPUT', 'a step output, masked');
