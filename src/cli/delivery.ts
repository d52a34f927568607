import { KeysError } from '../domain/errors.js';
import { UNDELIVERED } from '../domain/key-store.js';
import { safeJson } from '../domain/text.js';
import type { CreatedKey, Keyring } from '../keyring/keyring.js';
import { readFields } from './output/formats.js';
import { KEY_FIELDS, keyJson } from './output/views.js';
import type { Session } from './session.js';
import { declaredSinks, describeSinks, maskInCi, probeSinks, type Sink, type SinkFlags } from './sinks.js';

export interface DeliveryFlags extends SinkFlags {
  readonly copy?: boolean;
}

const SINKS =
  '-o value | -o json | --key-file FILE | --dotenv FILE[:NAME] | --github-env NAME | --github-output NAME | --copy | --pipe -- CMD';

/** Where new key strings will go: settled, and tried as far as possible, before any key is made. */
export class Delivery {
  readonly #session: Session;
  readonly #sinks: readonly Sink[];
  readonly #copy: boolean;
  /** stdout gets the key strings: asked for, or because no other sink was declared. */
  readonly #toStdout: boolean;
  readonly #asList: boolean;

  /** Throws `usage` for sinks that do not go together. `asList`: JSON is an array, whatever the number of keys. */
  constructor(session: Session, flags: DeliveryFlags, options: { asList: boolean }) {
    this.#session = session;
    this.#sinks = declaredSinks(session.ctx, flags);
    this.#copy = flags.copy === true;
    this.#asList = options.asList;
    const machine = session.format !== 'table';
    if (['csv', 'tsv', 'yaml'].includes(session.format))
      throw new KeysError(
        'usage',
        `-o ${session.format} is for lists`,
        'a new key is printed with -o value, json or jsonl',
      );
    if (session.flags.fields !== undefined) readFields({ fields: [...KEY_FIELDS, 'keyString'] }, session.flags.fields);
    if (options.asList && (this.#sinks.length > 0 || this.#copy))
      throw new KeysError(
        'usage',
        'a file, a variable and the clipboard hold one key',
        'make several keys with -o jsonl, json or value',
      );
    const elsewhere = this.#sinks.length > 0 || this.#copy;
    this.#toStdout = machine
      ? session.format === 'value' || this.#sinks.length === 0
      : this.#sinks.length === 0 && (session.ctx.stdout.isTTY || !elsewhere);
  }

  /** Under CI stdout is a log, so printing a key there must have been asked for. Null: a sink is declared. */
  get missing(): string | null {
    const { ctx, format } = this.#session;
    const declared = this.#sinks.length > 0 || this.#copy || format !== 'table';
    return ctx.ci === null || declared ? null : `a sink           ${SINKS}`;
  }

  /** Throws `usage` when what goes to stdout would be thrown away; asked before anything is opened. */
  refuseNullDevice(): void {
    if (!this.#toStdout || !this.#session.ctx.stdout.isNull) return;
    throw new KeysError(
      'usage',
      'stdout is closed or the null device: nobody would get the key string',
      'nothing was made; leave stdout open, or pass --key-file FILE',
    );
  }

  /** Throws before a key is made when a sink cannot take it. */
  probe(): void {
    probeSinks(this.#sinks);
  }

  abandon(): void {
    for (const sink of this.#sinks) sink.abandon();
  }

  /** Hands the key strings out. When that fails, the keys are disabled at once, and `delivery_failed` says so. */
  async deliver(created: readonly CreatedKey[], keyring: Keyring): Promise<void> {
    try {
      const keyStrings = created.flatMap(({ keyString }) => (keyString === null ? [] : [keyString]));
      if (keyStrings.length === 0) this.abandon();
      for (const keyString of keyStrings) {
        if (this.#toStdout || this.#sinks.length > 0) maskInCi(this.#session.ctx, keyString);
        for (const sink of this.#sinks) sink.deliver(keyString);
      }
      this.#writeStdout(created);
      if (this.#sinks.length > 0 && keyStrings.length > 0)
        this.#session.note(`Written to ${describeSinks(this.#sinks)}. It cannot be shown again.`);
      if (this.#copy && keyStrings[0] !== undefined) await this.#copyRequired(keyStrings[0]);
    } catch (error) {
      this.abandon();
      throw await this.#undo(created, keyring, error);
    }
  }

  #writeStdout(created: readonly CreatedKey[]): void {
    const { ctx, format, now, flags } = this.#session;
    if (format === 'json' || format === 'jsonl') {
      const fields = flags.fields?.split(',').map((field) => field.trim());
      const documents = created.map(({ key, keyString }) => {
        const document: Record<string, unknown> = {
          ...keyJson(key, now),
          keyString: this.#toStdout ? keyString : null,
        };
        return fields ? Object.fromEntries(fields.map((field) => [field, document[field] ?? null])) : document;
      });
      const text =
        format === 'jsonl'
          ? documents.map((each) => safeJson(each)).join('\n')
          : safeJson(this.#asList ? documents : documents[0], 2);
      ctx.stdout.write(`${text}\n`);
    } else if (this.#toStdout) {
      const labelled = format === 'table' && ctx.stdout.isTTY && created.length > 1;
      ctx.stdout.write(
        created
          .filter(({ keyString }) => keyString !== null)
          .map(({ key, keyString }) => (labelled ? `${keyString}  ${key.name}\n` : `${keyString}\n`))
          .join(''),
      );
    }
  }

  /** `--copy` was the way out, or one of them: a failure undoes the key only when nobody else has it. */
  async #copyRequired(keyString: string): Promise<void> {
    try {
      await this.copy(keyString);
    } catch (error) {
      if (!this.#toStdout && this.#sinks.length === 0) throw error;
      this.#session.remark(`warning: ${error instanceof Error ? error.message : 'nothing was copied'}`);
    }
  }

  async copy(keyString: string): Promise<void> {
    const { clipboard } = this.#session.ctx;
    await clipboard.copy(keyString);
    this.#session.note(
      clipboard.route === 'local'
        ? 'Copied; the clipboard is cleared in 45 s if it still holds the key. Clipboard history tools may keep it.'
        : 'Sent to your terminal, which may or may not put it on the clipboard (OSC 52): check before you rely on it.',
    );
  }

  /** The offer is for a person who sees the key string on this terminal. */
  get offersCopy(): boolean {
    return this.#session.interactive && this.#session.ctx.stdout.isTTY && this.#toStdout && !this.#copy;
  }

  async #undo(all: readonly CreatedKey[], keyring: Keyring, cause: unknown): Promise<KeysError> {
    const created = all.filter(({ keyString }) => keyString !== null);
    const left: string[] = [];
    for (const { key } of created) {
      await keyring.disable(key, { reason: UNDELIVERED }).catch(() => left.push(key.id));
    }
    const ids = created.map(({ key }) => key.id).join(', ');
    const why = cause instanceof KeysError ? cause.message : ((cause as NodeJS.ErrnoException).code ?? 'unknown error');
    if (left.length > 0) {
      return new KeysError(
        'delivery_failed',
        `the key string could not be delivered (${why}), and these keys could not be disabled: ${left.join(', ')}`,
        `disable them: unlockos-keys disable ${left.join(' ')}`,
        { cause },
      );
    }
    return new KeysError(
      'delivery_failed',
      `the key string could not be delivered (${why}), so it was disabled: ${ids}`,
      `delete it, then make another: unlockos-keys delete ${ids}`,
      { cause },
    );
  }
}
