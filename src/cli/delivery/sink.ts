import type { NewKey } from '../../keyring/delivery.js';
import type { Context } from '../context.js';

/** A new key together with its key string. */
export type KeyInHand = NewKey & { readonly keyString: string };

/** A key that is about to be made. */
export interface ExpectedKey {
  readonly name: string;
  /** It takes the place of no earlier key. */
  readonly isFirst: boolean;
}

/** What a sink works with. */
export interface SinkWorld {
  readonly ctx: Context;
  /** The words after `--`: a program and its arguments. */
  readonly words: readonly string[];
  /** Writes a remark to stderr. */
  note(text: string): void;
  /** Tells a person what is waited for, once that takes long. What it returns is called when it is over. */
  waits(text: string): () => void;
}

/** The hint of a probe that failed. */
export const NOTHING_CREATED = 'no key was created; choose another file';

/** A destination for the key string of one key. */
export interface Sink {
  /** Where the key string went, for the note after delivery. */
  readonly label: string;
  /** The file that it replaces or creates: no other sink can have it. */
  readonly file?: string;
  /** Throws before a key is made when the key string could not be delivered, and then leaves nothing behind. */
  probe(): void | Promise<void>;
  /** Puts the key string there. */
  deliver(made: KeyInHand, signal?: AbortSignal): void | Promise<void>;
  /** Undoes the probe, or the delivery. */
  abandon(): void | Promise<void>;
}

/**
 * Everything about one kind of sink. The options of the commands, the list of sinks in error messages, `help ci`, the man page and
 * completion are made from this.
 */
export interface SinkKind {
  /** The option, as commander declares it: `--key-file <file>`. */
  readonly flag: string;
  /** Another spelling of it, which help does not list. */
  readonly alias?: string;
  /** How lists of sinks show it, where that is not the option with its value in capitals. */
  readonly usage?: string;
  /** For help: what the sink is. */
  readonly help: string;
  /** The key string counts as delivered without it, so that its failure is a warning, wherever another sink has taken the key string. */
  readonly isConvenience?: boolean;
  /** Makes a sink from the value of the option. Throws `usage` for a value that no sink can be made from. */
  open(value: string, world: SinkWorld, expected?: ExpectedKey): Sink;
  /** For sinks that take several keys: throws, before anything is done, when one of them could not be delivered. */
  check?(value: string, world: SinkWorld, expected: readonly ExpectedKey[]): void;
}
