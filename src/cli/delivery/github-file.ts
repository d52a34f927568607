import { closeSync, constants, fstatSync, ftruncateSync, openSync } from 'node:fs';
import { KeysError } from '../../domain/errors.js';
import { quoted } from '../../domain/text.js';
import { explainErrno } from '../../files/errno.js';
import { assertFlushes, readBytes, writeDurably } from '../../files/private-file.js';
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

/** What the file holds, one character per byte. */
function readText(file: string): string {
  const bytes = readBytes(file, { what: "the runner's file", code: 'usage', maxBytes: MAX_BYTES, noLinks: true });
  return bytes.toString('latin1');
}

/**
 * What must precede a new line: a line end, where the last line has none. Throws `usage` inside an unfinished value, which would swallow
 * the line.
 */
function beginning(text: string, flag: string): string {
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
      /** What the file held before delivery, and what was added; undefined until then. */
      let delivery: { readonly before: string; readonly line: string } | undefined;
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
            const descriptor = openToAppend(file);
            try {
              assertFlushes(descriptor);
            } finally {
              closeSync(descriptor);
            }
            beginning(readText(file), flag);
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
          const before = readText(file);
          const line = `${beginning(before, flag)}${name}=${keyString}\n`;
          const descriptor = openToAppend(file);
          try {
            delivery = { before, line };
            writeDurably(descriptor, line);
          } finally {
            closeSync(descriptor);
          }
        },
        /** Takes the line, or the part of it for which the disk had room, away again: the runner would read it. */
        abandon() {
          if (!delivery) return;
          const { before, line } = delivery;
          delivery = undefined;
          const descriptor = openToAppend(file);
          try {
            const text = readText(file);
            const isOurs = text.startsWith(before) && line.startsWith(text.slice(before.length));
            if (isOurs) ftruncateSync(descriptor, before.length); // otherwise another program has added something since
          } finally {
            closeSync(descriptor);
          }
        },
      };
    },
  };
}

export const githubEnv = commandFile('--github-env', 'GITHUB_ENV', "a variable for the job's later steps, masked");
export const githubOutput = commandFile('--github-output', 'GITHUB_OUTPUT', 'a step output, masked');
