import { safeText } from '../../domain/text.js';
import type { Context } from '../context.js';
import { isDumb } from '../settings/global-flags.js';
import { widthOf } from './wrap.js';

/** After this many milliseconds, people are told what the tool waits for. */
const REMARK_AFTER_MS = 1000;
const WIPE = '\r\u001b[K';

function setTimer(ms: number, act: () => void): () => void {
  const timer = setTimeout(act, ms);
  timer.unref();
  return () => clearTimeout(timer);
}

/**
 * Says on the last line of a terminal what the tool waits for, and takes it away again when it goes on. Says nothing with `quiet`, in CI,
 * and where stderr is not a terminal.
 */
export class Waiting {
  readonly #ctx: Pick<Context, 'stderr' | 'ci' | 'env' | 'platform' | 'after'>;
  readonly #quiet: boolean;
  readonly #waits = new Set<() => void>();
  #speaking = false;

  constructor(ctx: Pick<Context, 'stderr' | 'ci' | 'env' | 'platform' | 'after'>, quiet: boolean) {
    this.#ctx = ctx;
    this.#quiet = quiet;
  }

  /**
   * Begins a wait, for which `text` is said after a second, or `now`. What it returns ends the wait. With `stays` it is a line of its own:
   * a program that uses the same terminal may have written there.
   */
  begin(text: string, { now = false, stays = false }: { now?: boolean; stays?: boolean } = {}): () => void {
    const { stderr, env, platform, after = setTimer } = this.#ctx;
    if (this.#quiet || !stderr.isTTY || this.#ctx.ci !== null) return () => {};
    const plain = stays || isDumb({ env, platform }); // a dumb terminal cannot take it away again
    let said = false;
    const say = () => {
      if (this.#speaking) return; // one line, for the wait that took long first
      this.#speaking = true;
      said = true;
      this.#write(plain ? `${safeText(text)}\n` : fitted(safeText(text), stderr.columns() ?? 80));
    };
    const cancel = now ? () => {} : after(REMARK_AFTER_MS, say);
    if (now) say();
    const end = () => {
      cancel();
      if (!this.#waits.delete(end) || !said) return;
      this.#speaking = false;
      if (!plain) this.#write(WIPE);
    };
    this.#waits.add(end);
    return end;
  }

  /** Ends all waits. The work that they are about goes on. */
  dismiss(): void {
    for (const end of [...this.#waits]) end();
  }

  #write(text: string): void {
    try {
      this.#ctx.stderr.write(text);
    } catch {
      // nobody reads remarks any more
    }
  }
}

/** As much of a text as fits on one line: what is wrapped cannot be wiped away. */
function fitted(text: string, columns: number): string {
  if (widthOf(text) < columns) return text;
  const characters = Array.from(text);
  while (characters.length > 0 && widthOf(characters.join('')) >= columns - 1) characters.pop();
  return `${characters.join('')}…`;
}
