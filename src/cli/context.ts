import type { ApiKey } from '../domain/api-key.js';
import type { RandomBytes } from '../domain/key-parts.js';
import type { KeyStore } from '../domain/key-store.js';
import type { Recording } from '../domain/use.js';
import type { Claim } from '../keyring/claim.js';
import type { OpenOptions } from '../store/open.js';

export interface Input {
  readonly isTTY: boolean;
  /** Reads everything, up to `limit` bytes. Throws a RangeError when there is more. */
  readAll(limit: number): Buffer;
  /** Reads piece by piece; each piece is valid until the next is read. */
  pieces(): Iterable<Buffer>;
}

export interface Output {
  readonly isTTY: boolean;
  /** The null device, which discards what is written. Node also opens it in place of a closed stream. */
  readonly isNull: boolean;
  /** The width of the terminal; undefined when the stream is not a terminal. */
  columns(): number | undefined;
  /** Returns once the system has accepted every byte; throws its error (EPIPE, ENOSPC) otherwise. */
  write(text: string): void;
  /** As `write`, but signals are heard while a reader keeps us waiting. */
  writeWaiting?(text: string): Promise<void>;
}

export interface Choice<T> {
  readonly name: string;
  readonly value: T;
  readonly description?: string;
}

export interface ChoiceGroup<T> {
  readonly label: string;
  readonly choices: readonly Choice<T>[];
}

/** What a person can do to the keys of a table. */
export type KeyAction = 'show' | 'edit' | 'disable' | 'enable' | 'rotate' | 'delete' | 'create';

/** Where a person is in a table of keys. */
export interface TablePlace {
  readonly filter: string;
  /** The id of the key on the current row, and the number of that row, for when the key is gone. */
  readonly current: string | null;
  readonly row: number;
  readonly marked: readonly string[];
}

/** A table of keys to act on. */
export interface KeyTable {
  readonly title: string;
  readonly keys: readonly ApiKey[];
  readonly now: Date;
  readonly recording: Recording;
  readonly place: TablePlace;
  /** What the last action did, in lines. */
  readonly message: readonly string[];
}

/** An action on one key, or on all that are marked; no keys for `create`. */
export interface TableAnswer {
  readonly action: KeyAction;
  readonly keys: readonly ApiKey[];
  readonly place: TablePlace;
}

/** How prompts look: decided by flags and environment. */
export interface PromptLook {
  readonly color: boolean;
  /** Esc goes one level back: the prompt throws `cancelled` with the cause {@link ESCAPE}. */
  readonly escape: boolean;
}

/** The cause of a `cancelled` that Esc brought about: back to what was there before, not out of the program. */
export const ESCAPE = Symbol('Esc');

/** The questions that commands can ask. Each throws `cancelled` on Ctrl-C. None is ever answered automatically. */
export interface Prompts {
  text(
    message: string,
    options?: { initial?: string; check?: (value: string) => string | true | Promise<string | true> },
  ): Promise<string>;
  secret(message: string): Promise<string>;
  yesNo(message: string, initial: boolean): Promise<boolean>;
  choose<T>(message: string, choices: readonly Choice<T>[]): Promise<T>;
  /** A list to pick one item from, with the arrow keys or by typing part of its name. */
  find<T>(message: string, choices: readonly Choice<T>[]): Promise<T>;
  /** A list to pick several items from. None is preselected; at least one must be picked. */
  pick<T>(message: string, groups: readonly ChoiceGroup<T>[]): Promise<T[]>;
  /** A table of keys, until an action is chosen; null when the person is done. */
  manage(table: KeyTable): Promise<TableAnswer | null>;
  /** Waits for `work`; throws `cancelled` when the person does not want to wait any longer, and leaves the work to itself. */
  wait<T>(work: Promise<T>): Promise<T>;
  /** Leaves what is on the screen until Enter is pressed. */
  pause(message: string): Promise<void>;
}

/** Why nothing can be copied after `npm install --omit=optional`. */
export const NO_CLIPBOARDY = 'the optional package clipboardy is not installed';

/** What to do where there is no clipboard. */
export function clipboardHint(problem: string): string {
  return problem === NO_CLIPBOARDY
    ? 'install unlockos-keys without --omit=optional'
    : 'on Linux, install wl-clipboard or xsel; over SSH, use a terminal that supports OSC 52';
}

export interface Clipboard {
  /**
   * `local`: the text is copied, and cleared after 45 s if the clipboard still holds it. `terminal`: over SSH the clipboard is on the
   * other machine, so the text is sent to the terminal as OSC 52, which may ignore it silently.
   */
  readonly route: 'local' | 'terminal';
  /** Why nothing can be copied here; null where it can, as far as that can be told without copying. Changes nothing. */
  problem(): Promise<string | null>;
  /** Throws `delivery_failed` when there is no clipboard, or it does not respond. The error never contains the text. */
  copy(text: string): Promise<void>;
}

/** Everything outside that a command uses. Commands use no `process`, `console` or clock directly. */
export interface Context {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The token for a remote store. It is not in `env`, so that child processes do not inherit it. */
  readonly authToken: string | undefined;
  /** Peppers; not in `env` either. */
  readonly peppers: string | undefined;
  /** The password for `serve --limits redis://…`; not in `env` either. */
  readonly redisPassword: string | undefined;
  /** The ID token of a CI job, for `--from`; not in `env` either. */
  readonly idToken: string | undefined;
  /** The value of a variable that is a secret, which is not in `env` from then on; undefined where it is empty or not set. */
  take(name: string): string | undefined;
  readonly cwd: string;
  readonly platform: NodeJS.Platform;
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly now: () => Date;
  /** Acts after so many milliseconds, unless the function that it returns is called before. Default: a timer that keeps nothing alive. */
  readonly after?: ((ms: number, act: () => void) => () => void) | undefined;
  readonly random?: RandomBytes | undefined;
  /** The bcrypt cost of new keys; absent means the default. */
  readonly hashCost?: number | undefined;
  /** The CI system that this runs in, or null. There, stdout is a log. */
  readonly ci: { readonly name: string } | null;
  readonly osUser: string;
  readonly host: string;
  readonly home: string;
  readonly version: string;
  readonly nodeVersion: string;
  /** Marks keys that this process is handing out. */
  readonly claim?: Claim | undefined;
  /** Our process group is in the foreground of a terminal, whose Ctrl-C reaches every process of it. */
  readonly foreground?: (() => boolean) | undefined;
  /** Handles these signals instead of exiting. The function that it returns stops that. */
  onSignals(signals: readonly NodeJS.Signals[], heard: (signal: NodeJS.Signals) => void): () => void;
  /** Writes a log line without blocking; resolves once the system has accepted it. */
  log(text: string): Promise<void>;
  openStore(location: string, options: OpenOptions): Promise<KeyStore>;
  prompts(look: PromptLook): Promise<Prompts>;
  readonly clipboard: Clipboard;
}
