import { type IPty, spawn } from '@lydell/node-pty';
import headless from '@xterm/headless';

/** How long a text may take to appear before the test fails; nothing ever waits that long when all is well. */
const LIMIT_MS = 30_000;

const KEYS = {
  enter: '\r',
  space: ' ',
  up: '\u001b[A',
  down: '\u001b[B',
  backspace: '\u007f',
  escape: '\u001b',
  'ctrl-c': '\u0003',
  'ctrl-u': '\u0015',
} as const;

/** A program in a real pseudo-terminal, and what a person would see there: a terminal emulator interprets what it writes. */
export class Screen {
  /** Settled when the program has ended and all that it wrote is on the screen. */
  readonly exit: Promise<{ exitCode: number; signal: number }>;
  /** Every byte that was written, escape sequences included. */
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

  /** The rows as they stand, those that were scrolled away included; trailing blanks are cut. */
  get rows(): string[] {
    const { active } = this.#terminal.buffer;
    return Array.from({ length: active.length }, (_, y) => active.getLine(y)?.translateToString(true) ?? '');
  }

  /** True when the terminal had to break a row because it was too long. */
  get wrapped(): boolean {
    const { active } = this.#terminal.buffer;
    return this.rows.some((_, y) => active.getLine(y)?.isWrapped);
  }

  /** The same as one text, with rows joined again that the terminal broke because they were too long. */
  get text(): string {
    const { active } = this.#terminal.buffer;
    return this.rows
      .map((row, y) => (active.getLine(y + 1)?.isWrapped ? row : `${row}\n`))
      .join('')
      .trimEnd();
  }

  /** Waits until the screen shows it; fails when the program ends without, or when it takes too long. */
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

  type(text: string): this {
    this.#pty.write(text);
    return this;
  }

  press(...keys: (keyof typeof KEYS)[]): this {
    return this.type(keys.map((key) => KEYS[key]).join(''));
  }

  /** For the end of a test that left it running. */
  kill(): void {
    if (!this.#ended) this.#pty.kill('SIGKILL');
  }
}
