import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { KeysError } from '../../domain/errors.js';
import { absolutePath } from '../../files/search-path.js';
import { type Clipboard, clipboardHint, NO_CLIPBOARDY } from '../context.js';

/** How long a copied key string stays on the clipboard, in milliseconds, unless something else replaces it earlier. */
export const CLEAR_AFTER_MS = 45_000;
/** Time allowed for the clipboard tool, in milliseconds. */
const HELPER_LIMIT_MS = 3000;

/** OSC 52 (xterm control sequences, "Manipulate Selection Data"): asks the terminal to put text on its user's clipboard. */
export function osc52(text: string): string {
  return `\u001b]52;c;${Buffer.from(text).toString('base64')}\u0007`;
}

function failed(why: string): KeysError {
  return new KeysError('delivery_failed', `nothing was copied: ${why}`, clipboardHint(why));
}

/**
 * Starts the helper in its own session, so that it survives our exit and Ctrl-C on the terminal. Writes `text` to its stdin and returns
 * its first line. Throws the reason when it fails.
 */
function askHelper(task: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const helper = fileURLToPath(new URL('./clipboard-helper.mjs', import.meta.url));
    const env = { ...process.env, PATH: absolutePath(process.env.PATH) }; // it gets the key string, and looks for a tool
    const child = spawn(process.execPath, [helper, task], { env, detached: true, stdio: ['pipe', 'pipe', 'ignore'] });
    let answer = '';
    const settle = (outcome: () => void) => {
      clearTimeout(limit);
      child.stdout.destroy();
      child.stdin.destroy();
      child.removeAllListeners();
      child.unref();
      outcome();
    };
    const limit = setTimeout(() => {
      if (child.pid !== undefined) {
        try {
          process.kill(-child.pid, 'SIGKILL'); // the helper and the clipboard tool that hangs under it
        } catch {
          child.kill('SIGKILL');
        }
      }
      settle(() => reject(new Error(`the clipboard tool did not answer within ${HELPER_LIMIT_MS / 1000} s`)));
    }, HELPER_LIMIT_MS);
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
      const [line = '', ...more] = answer.split('\n');
      if (more.length > 0) settle(() => resolve(line));
    });
    child.on('error', () => settle(() => reject(new Error('the clipboard helper could not be started'))));
    child.on('exit', () => settle(() => reject(new Error('no clipboard tool is available'))));
    child.stdin.on('error', () => {}); // reported by 'exit'
    child.stdin.end(text);
  });
}

/** What the helper cannot say in our words, because it is a file of its own. */
const inWords = (answer: string): string => (answer === 'no clipboardy' ? NO_CLIPBOARDY : answer);

/** The helper copies the text and later clears it. It gets the text on its stdin, and keeps only a hash of it. */
async function copyByHelper(text: string): Promise<void> {
  const answer = await askHelper(String(CLEAR_AFTER_MS), text).catch((error: Error) => error.message);
  if (answer !== 'copied') throw failed(inWords(answer));
}

/** Why nothing could be copied; null where it could, as far as that can be told without copying. */
async function problemOfHelper(): Promise<string | null> {
  const answer = await askHelper('probe', '').catch((error: Error) => error.message);
  return answer === 'works' ? null : inWords(answer);
}

/** The clipboard of the person at this terminal. `write` reaches that terminal; it is used over SSH only. */
export function systemClipboard(
  env: Readonly<Record<string, string | undefined>>,
  terminal?: { isTTY: boolean; write(text: string): void },
): Clipboard {
  if (!env.SSH_CONNECTION && !env.SSH_TTY) return { route: 'local', problem: problemOfHelper, copy: copyByHelper };
  const missing = terminal?.isTTY ? null : 'there is no terminal to send it to';
  return {
    route: 'terminal',
    problem: async () => missing,
    async copy(text) {
      if (missing !== null) throw failed(missing);
      terminal?.write(osc52(text));
    },
  };
}
