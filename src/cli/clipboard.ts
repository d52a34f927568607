import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { KeysError } from '../domain/errors.js';

/** How long a copied key string stays on the clipboard, in milliseconds, unless something else took its place. */
export const CLEAR_AFTER_MS = 45_000;
/** A clipboard tool that has not answered by then is given up. */
const HELPER_LIMIT_MS = 3000;

export interface Clipboard {
  /**
   * `local`: copied, and cleared after 45 s if it is still ours. `terminal`: over SSH the clipboard is on the other machine, so the
   * text is sent to the terminal as OSC 52, which may drop it without a word.
   */
  readonly route: 'local' | 'terminal';
  /** Throws `delivery_failed` when there is no clipboard, or it does not answer. Never carries the text in its error. */
  copy(text: string): Promise<void>;
}

/** OSC 52 (xterm control sequences, "Manipulate Selection Data"): asks the terminal to put text on its user's clipboard. */
export function osc52(text: string): string {
  return `\u001b]52;c;${Buffer.from(text).toString('base64')}\u0007`;
}

function failed(why: string): KeysError {
  return new KeysError(
    'delivery_failed',
    `nothing was copied: ${why}`,
    'on Linux install wl-clipboard or xsel; over SSH a terminal with OSC 52 is needed',
  );
}

/**
 * A child of its own session does the copying and, later, the clearing: it survives our exit and the terminal's Ctrl-C, gets the text
 * on its stdin, and keeps only a hash of it.
 */
function copyByHelper(text: string, clearAfterMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const helper = fileURLToPath(new URL('./clipboard-helper.mjs', import.meta.url));
    const child = spawn(process.execPath, [helper, String(clearAfterMs)], {
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
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
      settle(() => reject(failed(`the clipboard tool did not answer within ${HELPER_LIMIT_MS / 1000} s`)));
    }, HELPER_LIMIT_MS);
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
      if (answer.startsWith('copied\n')) settle(resolve);
    });
    child.on('error', () => settle(() => reject(failed('the clipboard helper could not be started'))));
    child.on('exit', () => settle(() => reject(failed('no clipboard tool is available here'))));
    child.stdin.on('error', () => {}); // reported by 'exit'
    child.stdin.end(text);
  });
}

/** The clipboard of the person at this terminal. `write` reaches that terminal; it is used over SSH only. */
export function systemClipboard(
  env: Readonly<Record<string, string | undefined>>,
  terminal?: { isTTY: boolean; write(text: string): void },
): Clipboard {
  if (!env.SSH_CONNECTION && !env.SSH_TTY)
    return { route: 'local', copy: (text) => copyByHelper(text, CLEAR_AFTER_MS) };
  return {
    route: 'terminal',
    async copy(text) {
      if (!terminal?.isTTY) throw failed('there is no terminal to send it to');
      terminal.write(osc52(text));
    },
  };
}
