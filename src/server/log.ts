import { redactKeyStrings } from '../domain/key-string.js';
import { safeJson } from '../domain/text.js';

export type Level = 'info' | 'warn' | 'error';
type Fields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** More than this is waiting only when nobody takes it: then lines are dropped, and counted. */
const MOST_WAITING = 1_048_576;

/**
 * One JSON object a line. Lines gather while one write is under way, so a reader that is slow, or a terminal that was stopped, holds up no
 * request. No key string gets through.
 */
export class Log {
  readonly #write: (text: string) => Promise<void>;
  readonly #now: () => Date;
  #waiting: string[] = [];
  #size = 0;
  #dropped = 0;
  #writing: Promise<void> | null = null;

  /** `write` resolves when the system has taken the text. */
  constructor(write: (text: string) => Promise<void>, now: () => Date) {
    this.#write = write;
    this.#now = now;
  }

  line(level: Level, message: string, fields: Fields = {}): void {
    const text = `${redactKeyStrings(safeJson({ time: this.#now().toISOString(), level, message, ...fields }))}\n`;
    if (this.#size + text.length > MOST_WAITING) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(text);
    this.#size += text.length;
    this.#writing ??= this.#drain();
  }

  async #drain(): Promise<void> {
    await null; // what is said in one go is written in one
    while (this.#waiting.length > 0) {
      const text = this.#waiting.join('');
      this.#waiting = [];
      this.#size = 0;
      try {
        await this.#write(text);
      } catch {
        // nobody hears; requests go on
      }
      if (this.#dropped > 0 && this.#waiting.length === 0) {
        const lines = this.#dropped;
        this.#dropped = 0;
        this.line('warn', 'log lines were dropped, because nobody took them', { lines });
      }
    }
    this.#writing = null;
  }

  /** Resolves when all that was said has been taken. */
  async flush(): Promise<void> {
    await this.#writing;
  }
}
