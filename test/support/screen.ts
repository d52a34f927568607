import { type IPty, spawn } from '@lydell/node-pty';
import headless from '@xterm/headless';

/** Time allowed for a text to appear; a passing test never waits this long. */
const LIMIT_MS = 30_000;

const KEYS = {
  enter: '\r',
  space: ' ',
  up: '\u001b[A',
  down: '\u001b[B',
  backspace: '\u007f',
  escape: '\u001b',
  'ctrl-c': '\u0003',
  'ctrl-d': '\u0004',
  'ctrl-z': '\u001a',
  'ctrl-u': '\u0015',
} as const;

/** A program in a real pseudo-terminal. A terminal emulator interprets its output, so that tests see what a user would see. */
export class Screen {
  /** Resolves when the program has ended and all of its output is on the screen. */
  readonly exit: Promise<{ exitCode: number; signal: number }>;
  /** The raw output, with escape sequences. */
  raw = '';
  readonly #pty: IPty;
  readonly #terminal: InstanceType<typeof headless.Terminal>;
  readonly #waiting = new Set<() => void>();
  #ended = false;

  constructor(
    file: string,
    args: readonly string[],
    options: { cols: number; rows: number; cwd: string; env: Record<string, string> },
  ) {
    const { cols, rows, cwd, env } = options;
    this.#terminal = new headless.Terminal({ cols, rows, scrollback: 5000, allowProposedApi: true });
    this.#pty = spawn(file, [...args], { name: env.TERM ?? 'dumb', cols, rows, cwd, env });
    this.#terminal.onData((answer) => this.#pty.write(answer)); // answers to questions that the program asks the terminal
    this.#pty.onData((data) => {
      this.raw += data;
      this.#terminal.write(data, () => this.#changed());
    });
    this.exit = new Promise((resolve) => {
      this.#pty.onExit(({ exitCode, signal }) =>
        this.#terminal.write('', () => {
          this.#ended = true;
          this.#changed();
          resolve({ exitCode, signal: signal ?? 0 });
        }),
      );
    });
  }

  get pid(): number {
    return this.#pty.pid;
  }

  #changed(): void {
    for (const look of [...this.#waiting]) look();
  }

  /** All rows, with those that scrolled away, without trailing blanks. */
  get rows(): string[] {
    const { active } = this.#terminal.buffer;
    return Array.from({ length: active.length }, (_, y) => active.getLine(y)?.translateToString(true) ?? '');
  }

  /** True when the terminal had to break a row because it was too long. */
  get wrapped(): boolean {
    const { active } = this.#terminal.buffer;
    return this.rows.some((_, y) => active.getLine(y)?.isWrapped);
  }

  /** All rows as one text; rows that the terminal wrapped are joined. */
  get text(): string {
    const { active } = this.#terminal.buffer;
    return this.rows
      .map((row, y) => (active.getLine(y + 1)?.isWrapped ? row : `${row}\n`))
      .join('')
      .trimEnd();
  }

  /** Waits until the screen shows `text`; fails if the program ends first, or after a time limit. */
  shows(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(limit);
        this.#waiting.delete(look);
        settle();
      };
      const look = () => {
        const found = pattern.exec(this.text);
        if (found) end(() => resolve(found));
        else if (this.#ended) fail('the program ended');
      };
      const fail = (why: string) => end(() => reject(new Error(`${why}, and never showed ${pattern}:\n${this.text}`)));
      const limit = setTimeout(() => fail('the limit is over'), LIMIT_MS);
      this.#waiting.add(look);
      look();
    });
  }

  /** The rows in sight, without trailing blanks. */
  get visible(): string[] {
    const { active } = this.#terminal.buffer;
    return Array.from(
      { length: this.#terminal.rows },
      (_, y) => active.getLine(active.viewportY + y)?.translateToString(true) ?? '',
    );
  }

  /** Whether the program left the terminal as a shell expects it: the normal screen, and the cursor in sight. */
  get isAsItWas(): boolean {
    const hidden = this.raw.lastIndexOf('\u001b[?25l') > this.raw.lastIndexOf('\u001b[?25h');
    return this.#terminal.buffer.active.type === 'normal' && !hidden;
  }

  resize(cols: number, rows: number): void {
    this.#terminal.resize(cols, rows);
    this.#pty.resize(cols, rows);
  }

  type(text: string): this {
    this.#pty.write(text);
    return this;
  }

  press(...keys: (keyof typeof KEYS)[]): this {
    return this.type(keys.map((key) => KEYS[key]).join(''));
  }

  /** Kills the program if it is still running. */
  kill(): void {
    if (!this.#ended) this.#pty.kill('SIGKILL');
  }
}
