import type { Output } from '../context.js';
import type { Printer } from './printer.js';

const WIDTH = 30;
/** Off a terminal, a line each time so much has passed. */
const LINE_EVERY_MS = 10_000;

interface World {
  readonly out: Printer;
  readonly ctx: { readonly stderr: Output; readonly now: () => Date };
}

/**
 * Reports how far a long task has come, on stderr: a bar on a terminal; elsewhere a line every ten seconds, and one at the end of what took
 * that long. `what`: the things that are counted. Prints nothing with `--quiet`, and no bar for fewer than `worthwhile` steps.
 */
export function progressOf(
  { out, ctx: { stderr, now } }: World,
  { worthwhile, what }: { readonly worthwhile: number; readonly what: string },
): (done: number, total: number) => void {
  let last = now().getTime();
  let spoke = false;
  return (done, total) => {
    if (out.quiet) return;
    if (!stderr.isTTY) {
      const at = now().getTime();
      if (at - last < LINE_EVERY_MS && !(spoke && done >= total)) return;
      out.note(`${done} of ${total} ${what}`);
      [last, spoke] = [at, true];
      return;
    }
    if (total < worthwhile) return;
    const filled = Math.round((done / total) * WIDTH);
    try {
      stderr.write(
        `\r[${'#'.repeat(filled)}${' '.repeat(WIDTH - filled)}] ${done}/${total}${done >= total ? '\n' : ''}`,
      );
    } catch {
      // as with every remark: the terminal is gone, the task goes on
    }
  };
}
