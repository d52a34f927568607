import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { KeysError } from '../../domain/errors.js';
import { quoted } from '../../domain/text.js';
import { explainErrno } from '../../files/errno.js';
import { readBytes, writeDurably } from '../../files/private-file.js';
import type { SinkKind } from './sink.js';
import { checkedVariable, variableForKey } from './variable.js';

const APPEND = constants.O_WRONLY | constants.O_APPEND | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** Throws for what is no regular file: a pipe would wait for its reader, and the null device keeps nothing. */
function openToAppend(file: string): number {
  const descriptor = openSync(file, APPEND);
  if (fstatSync(descriptor).isFile()) return descriptor;
  closeSync(descriptor);
  throw Object.assign(new Error('not a regular file'), { code: 'EFTYPE' });
}

const MAX_BYTES = 16_777_216;

/**
 * What must precede a new line: a line end, where the last line has none. Throws `usage` inside an unfinished value, which would swallow
 * the line.
 */
function beginning(file: string, flag: string): string {
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
      const name = variable === 'GITHUB_ENV' ? variableForKey(value, flag) : checkedVariable(value, flag);
      const file = ctx.env[variable] ?? '';
      return {
        label: `${variable} as ${name}`,
        probe() {
          const missing =
            ctx.env.GITHUB_ACTIONS !== 'true'
              ? 'GITHUB_ACTIONS is not true'
              : file === ''
                ? `${variable} is not set`
                : null;
          if (missing !== null)
            throw new KeysError(
              'usage',
              `${flag} works in GitHub Actions only (${missing})`,
              'elsewhere, use --dotenv or --key-file',
            );
          try {
            closeSync(openToAppend(file));
            beginning(file, flag);
          } catch (error) {
            if (error instanceof KeysError) throw error;
            throw new KeysError(
              'usage',
              `${flag}: ${variable} cannot be written: ${explainErrno(error)}`,
              `no key was created; ${variable} is ${quoted(file)}`,
              { cause: error },
            );
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
