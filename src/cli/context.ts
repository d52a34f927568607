import type { KeyStore } from '../domain/key-store.js';
import type { RandomBytes } from '../domain/key-string.js';
import type { OpenOptions } from '../store/open.js';
import type { Clipboard } from './clipboard.js';
import type { Prompts } from './prompts.js';

export interface Input {
  readonly isTTY: boolean;
  /** All of it, up to `limit` bytes; throws a RangeError when there is more. */
  readAll(limit: number): string;
  /** As it comes; each piece is good until the next. */
  pieces(): Iterable<Buffer>;
}

export interface Output {
  readonly isTTY: boolean;
  /** What is written there is thrown away: the null device, which is also what Node puts in place of a closed stream. */
  readonly isNull: boolean;
  /** The width of the terminal; undefined when it is none. */
  columns(): number | undefined;
  /** Returns when every byte was handed to the system; throws its error (EPIPE, ENOSPC) otherwise. */
  write(text: string): void;
}

/** The world as a command sees it. Commands touch no `process`, `console` or clock of their own. */
export interface Context {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The token for a remote store, which stands in no environment that a child of ours could inherit. */
  readonly authToken: string | undefined;
  /** Peppers, likewise. */
  readonly peppers: string | undefined;
  readonly cwd: string;
  readonly platform: NodeJS.Platform;
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly now: () => Date;
  readonly random?: RandomBytes | undefined;
  /** bcrypt cost of new keys; the default when absent. */
  readonly hashCost?: number | undefined;
  /** The CI system that runs us, or null. Its stdout is a log. */
  readonly ci: { readonly name: string } | null;
  readonly osUser: string;
  readonly host: string;
  readonly home: string;
  readonly version: string;
  readonly nodeVersion: string;
  /** Calls back on these signals, in place of ending; the function it answers ends that. */
  onSignals(signals: readonly NodeJS.Signals[], heard: (signal: NodeJS.Signals) => void): () => void;
  /** Resolves when the system has taken the text, for logs: nothing waits for a reader. */
  log(text: string): Promise<void>;
  openStore(location: string, options: OpenOptions): Promise<KeyStore>;
  prompts(): Promise<Prompts>;
  readonly clipboard: Clipboard;
}
