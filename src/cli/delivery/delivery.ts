import { KeysError } from '../../domain/errors.js';
import type { NewKey, NewKeys } from '../../keyring/delivery.js';
import type { Keyring } from '../../keyring/keyring.js';
import { readFields } from '../output/formats.js';
import { keyView } from '../output/key-view.js';
import type { Session } from '../session.js';
import { interruptible } from './interruption.js';
import { maskInCi } from './mask.js';
import type { KeyInHand, Sink, SinkWorld } from './sink.js';
import {
  abandonSinks,
  DESTINATIONS,
  deliveredNote,
  deliverToSinks,
  openSinks,
  probeSinks,
  type SinkFlags,
} from './sinks.js';
import { NEW_KEY_FIELDS, writeNewKeys } from './stdout.js';

export interface DeliveryFlags extends SinkFlags {
  /** The program of `--pipe` and its arguments. */
  readonly command?: readonly string[];
}

/** What the destinations of a run may use of it. `words`: a program and its arguments. */
export function worldOf({ ctx, out, waiting }: Session, words: readonly string[]): SinkWorld {
  return { ctx, words, note: (text) => out.note(text), waits: (text) => waiting.begin(text, { stays: true }) };
}

/** Where `create` and `rotate` deliver key strings: settled, and tried as far as possible, before any key is made. */
export class Delivery {
  readonly #session: Session;
  readonly #sinks: readonly Sink[];
  readonly #conveniences: readonly Sink[];
  /** stdout gets the key strings: because it was asked for, or because there is no other destination. */
  readonly #toStdout: boolean;
  readonly #asList: boolean;

  /** `asList`: JSON is an array, whatever the number of keys. Throws `usage` for destinations that contradict each other. */
  constructor(session: Session, flags: DeliveryFlags, options: { asList: boolean }) {
    const { ctx, format } = session;
    this.#session = session;
    this.#asList = options.asList;
    const world = worldOf(session, flags.command ?? []);
    const { sinks, conveniences } = openSinks(flags, world);
    this.#sinks = sinks;
    this.#conveniences = conveniences;
    if (['csv', 'tsv', 'yaml'].includes(format))
      throw new KeysError('usage', `-o ${format} is for lists`, 'for a new key use -o value, -o json or -o jsonl');
    if (session.flags.fields !== undefined)
      readFields({ fields: [...keyView(session.now).fields, ...NEW_KEY_FIELDS] }, session.flags.fields);
    if (options.asList && this.#elsewhere)
      throw new KeysError(
        'usage',
        'a file, a variable, a program and the clipboard take one key',
        'for several keys use -o jsonl, -o json or -o value',
      );
    this.#toStdout =
      format === 'value' || (sinks.length === 0 && (format !== 'table' || ctx.stdout.isTTY || !this.#elsewhere));
  }

  /** There is a destination other than stdout. */
  get #elsewhere(): boolean {
    return this.#sinks.length > 0 || this.#conveniences.length > 0;
  }

  /**
   * The options that name a destination, when one is needed and missing; null otherwise. In CI stdout is a log: a key string goes there
   * only when the format asks for it.
   */
  get missing(): string | null {
    const { ctx, format } = this.#session;
    return ctx.ci === null || this.#elsewhere || format !== 'table' ? null : DESTINATIONS;
  }

  /** Throws `usage` when the key string would go to the null device. Called before a store is opened. */
  refuseNullDevice(): void {
    if (!this.#toStdout || !this.#session.ctx.stdout.isNull) return;
    throw new KeysError(
      'usage',
      'stdout is closed or the null device: nobody would get the key string',
      'no key was created; leave stdout open, or pass --key-file FILE',
    );
  }

  /**
   * Probes every destination, makes keys, announces them on stderr, delivers their key strings. When that fails, `maker` takes the keys
   * back, and `delivery_failed` says so.
   */
  async make<T extends NewKeys>(
    maker: Pick<Keyring, 'deliver'>,
    make: (signal: AbortSignal) => Promise<T>,
    announce: (made: T) => void,
  ): Promise<T> {
    const all = [...this.#sinks, ...this.#conveniences];
    const destination = {
      // A convenience whose failure is only a warning stops nothing.
      probe: () => probeSinks(this.#toStdout || this.#sinks.length > 0 ? this.#sinks : all),
      abandon: () => abandonSinks(all),
      deliver: (made: T, signal?: AbortSignal) => {
        announce(made);
        return this.#deliver(Array.isArray(made) ? made : [made], signal);
      },
    };
    return interruptible(this.#session.ctx, (signal) => maker.deliver<T>(destination, () => make(signal), { signal }));
  }

  async #deliver(made: readonly NewKey[], signal?: AbortSignal): Promise<void> {
    const { ctx, now, format, flags } = this.#session;
    const inHand = made.filter((each): each is KeyInHand => each.keyString !== null);
    if (inHand.length === 0) await abandonSinks(this.#sinks);
    for (const each of inHand) {
      if (this.#toStdout || this.#sinks.length > 0) maskInCi(ctx, each.keyString);
      await deliverToSinks(this.#sinks, each, signal);
      signal?.throwIfAborted();
    }
    const fields = flags.fields?.split(',').map((field) => field.trim());
    const paint = await this.#session.out.paint('stdout');
    const withKeyStrings = this.#toStdout;
    await writeNewKeys(ctx.stdout, made, { now, format, fields, asList: this.#asList, withKeyStrings, paint });
    if (this.#sinks.length > 0 && inHand.length > 0) this.#session.out.note(deliveredNote(this.#sinks));
    for (const each of inHand) await this.#deliverConveniences(each);
  }

  /** A failure is an error only when nobody else has the key string. */
  async #deliverConveniences(made: KeyInHand): Promise<void> {
    try {
      await deliverToSinks(this.#conveniences, made);
    } catch (error) {
      if (!this.#toStdout && this.#sinks.length === 0) throw error;
      this.#session.out.remark(`warning: ${error instanceof Error ? error.message : 'nothing was copied'}`);
    }
  }

  /** A program reads the key string from stdout, and would take nothing for one. */
  get feedsProgram(): boolean {
    const { format, ctx } = this.#session;
    return this.#toStdout && (format === 'value' || (format === 'table' && !ctx.stdout.isTTY));
  }

  /** The offer to copy is for a person who sees the key string on this terminal. */
  get offersCopy(): boolean {
    const { interactive, ctx } = this.#session;
    return interactive && ctx.stdout.isTTY && this.#toStdout && this.#conveniences.length === 0;
  }
}
