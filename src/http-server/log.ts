import { redactKeyStrings } from '../domain/key-string.js';
import { safeJson } from '../domain/text.js';

export type Level = 'info' | 'warn' | 'error';
type Fields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Characters. More than this waits only when nobody reads the log: then lines are dropped and counted. */
const MAX_WAITING = 1_048_576;

/**
 * Writes one JSON object per line. During a write, further lines wait in memory, so a slow reader or a stopped terminal does not delay
 * requests. Key strings are masked.
 */
export class Log {
  readonly #write: (text: string) => Promise<void>;
  readonly #now: () => Date;
  #waiting: string[] = [];
  #size = 0;
  #dropped = 0;
  #writing: Promise<void> | null = null;

  /** `write` resolves when the text is written. */
  constructor(write: (text: string) => Promise<void>, now: () => Date) {
    this.#write = write;
    this.#now = now;
  }

  line(level: Level, message: string, fields: Fields = {}): void {
    const text = `${redactKeyStrings(safeJson({ time: this.#now().toISOString(), level, message, ...fields }))}\n`;
    if (this.#size + text.length > MAX_WAITING) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(text);
    this.#size += text.length;
    this.#writing ??= this.#drain();
  }

  async #drain(): Promise<void> {
    await null; // so that lines of the same tick become one write
    while (this.#waiting.length > 0) {
      const text = this.#waiting.join('');
      this.#waiting = [];
      this.#size = 0;
      try {
        await this.#write(text);
      } catch {
        // the log is lost; requests continue
      }
      if (this.#dropped > 0 && this.#waiting.length === 0) {
        const lines = this.#dropped;
        this.#dropped = 0;
        this.line('warn', 'log lines were dropped because the log was not read', { lines });
      }
    }
    this.#writing = null;
  }

  /** Resolves when all lines are written. */
  async flush(): Promise<void> {
    await this.#writing;
  }
}
