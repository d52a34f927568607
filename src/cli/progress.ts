import type { Session } from './session.js';

const WIDTH = 30;

/**
 * Shows how far something long has come, on stderr: a bar on a terminal, a line for every tenth elsewhere; nothing with `--quiet`, and
 * nothing for fewer than `worthwhile` steps.
 */
export function progressOf(session: Session, worthwhile: number): (done: number, total: number) => void {
  let tenths = 0;
  return (done, total) => {
    if (total < worthwhile || session.flags.quiet) return;
    const { stderr } = session.ctx;
    if (!stderr.isTTY) {
      const reached = Math.floor((done / total) * 10);
      if (reached > tenths) session.note(`${done}/${total}`);
      tenths = reached;
      return;
    }
    const filled = Math.round((done / total) * WIDTH);
    try {
      stderr.write(
        `\r[${'#'.repeat(filled)}${' '.repeat(WIDTH - filled)}] ${done}/${total}${done >= total ? '\n' : ''}`,
      );
    } catch {
      // as with every remark: the terminal is gone, the work is not
    }
  };
}
