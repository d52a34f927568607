import { writeSync } from 'node:fs';
import { PassThrough, Writable } from 'node:stream';
import { ESCAPE } from '../context.js';

const SHOW_CURSOR = '\u001b[?25h';
const CTRL_Z = 0x1a;
const ESC = 0x1b;

/** Colours and other attributes of text. */
const ATTRIBUTES = /\u001b\[[\d;]*m/g;
/** With what a prompt begins each drawing: it moves to the top of the last one and erases it. */
const ERASING = /^(?:\u001b\[\d*[A-GK])+/;
const CURSOR_MOVE = /^\u001b\[\d+G$/;
/** At the end of a drawing: the cursor moves up to the line where text is typed. */
const LINES_BELOW = /\u001b\[(\d+)A(?:\u001b\[\d+G)*$/;

export interface Look {
  readonly color: boolean;
  /** Esc ends the prompt, which throws `cancelled` with the cause {@link ESCAPE}. */
  readonly escape: boolean;
}

/** What a prompt is drawn on, in the form that @inquirer expects. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  readonly signal: AbortSignal;
}

/** Puts the cursor back even while the process is being ended; a terminal that is gone is not a reason to fail. */
function writeNow(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // nobody sees it
  }
}

/** What a prompt draws, on stderr. Remembers the last drawing, to draw it again after the shell used the terminal. */
class Drawing extends Writable {
  readonly isTTY = true;
  readonly #color: boolean;
  last = '';

  constructor(color: boolean) {
    super({ decodeStrings: false });
    this.#color = color;
  }

  get columns(): number {
    return process.stderr.columns;
  }

  get rows(): number {
    return process.stderr.rows;
  }

  override _write(chunk: string | Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const text = this.#color ? String(chunk) : String(chunk).replace(ATTRIBUTES, '');
    this.last = CURSOR_MOVE.test(text) ? this.last + text : text.replace(ERASING, '') || this.last;
    process.stderr.write(text);
    done(); // at once: a drawing that waits would come after what the command says next. A closed terminal ends stdin, too
  }

  /** The keys that move the cursor below what was drawn. */
  get below(): string {
    const lines = LINES_BELOW.exec(this.last)?.[1];
    return `${lines === undefined ? '' : `\u001b[${lines}B`}\r\n`;
  }
}

/** The keys that were typed, as a stream of its own, so that Ctrl-Z and Esc can be handled before readline sees them. */
class Keyboard extends PassThrough {
  readonly isTTY = true;
  readonly #closed: () => void;

  constructor(closed: () => void) {
    super();
    this.#closed = closed;
  }

  /** readline turns it off when it closes: after the answer, and at Ctrl-D in an empty line, of which it says nothing else. */
  setRawMode(on: boolean): this {
    process.stdin.setRawMode?.(on);
    if (!on) this.#closed();
    return this;
  }
}

/**
 * Lends the terminal to a prompt, and gives it back as it was: cursor, screen and line mode, also when a signal ends the process, and
 * while Ctrl-Z stops it; after `fg` the prompt is drawn again. `enter` and `leave` are written around it.
 */
export async function onTerminal<T>(
  look: Look & { readonly enter?: string; readonly leave?: string },
  ask: (terminal: Terminal) => Promise<T>,
): Promise<T> {
  const { enter = '', leave = '' } = look;
  const { stdin } = process;
  const over = new AbortController();
  const keyboard = new Keyboard(() => over.abort('nothing more is typed'));
  const drawing = new Drawing(look.color);
  const fatal = (['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT'] as const).map((signal) => ({
    signal,
    others: process.listenerCount(signal) > 0,
  }));
  let stopped = false;

  const release = () => {
    writeNow(`${leave}${SHOW_CURSOR}`);
    stdin.setRawMode?.(false);
  };
  const end = (signal: NodeJS.Signals) => {
    const isFatal = !fatal.some((each) => each.signal === signal && each.others); // who listens as well decides what happens
    if (isFatal) writeNow(drawing.below);
    release();
    over.abort(signal);
    if (!isFatal) return;
    unlisten();
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  };
  const stop = () => {
    if (stopped || process.platform === 'win32') return;
    stopped = true;
    writeNow(drawing.below);
    release();
    process.off('SIGTSTP', stop);
    process.kill(0, 'SIGTSTP'); // all programs of this job, as the terminal itself would do
    setTimeout(() => setImmediate(unstopped), 50); // a SIGCONT is heard between the two
  };
  /** Where nothing can be stopped (no shell with jobs), nothing will be continued either. */
  const unstopped = () => {
    if (stopped) goOn();
  };
  const goOn = () => {
    if (stopped) process.on('SIGTSTP', stop);
    stopped = false;
    stdin.setRawMode?.(true);
    stdin.resume();
    writeNow(enter + drawing.last);
  };
  const typed = (bytes: Buffer) => {
    const at = bytes.indexOf(CTRL_Z);
    if (bytes.length === 1 && bytes[0] === ESC && look.escape) over.abort(ESCAPE);
    else if (at < 0) keyboard.write(bytes);
    else {
      if (at > 0) keyboard.write(bytes.subarray(0, at));
      stop();
      if (at + 1 < bytes.length) typed(bytes.subarray(at + 1));
    }
  };
  const gone = () => over.abort('the terminal is gone');
  const onContinue = () => {
    if (stopped) goOn();
    else writeNow(enter + drawing.last); // stopped by SIGSTOP, which nobody can catch
  };
  const unlisten = () => {
    for (const { signal } of fatal) process.off(signal, end);
    process.off('SIGTSTP', stop).off('SIGCONT', onContinue);
    stdin.off('data', typed).off('end', gone).off('error', gone);
  };

  for (const { signal } of fatal) process.on(signal, end);
  process.on('SIGTSTP', stop).on('SIGCONT', onContinue);
  stdin.on('data', typed).on('end', gone).on('error', gone);
  stdin.resume();
  if (enter) writeNow(enter);
  try {
    return await ask({ input: keyboard, output: drawing, signal: over.signal });
  } finally {
    unlisten();
    stdin.pause();
    release();
  }
}
