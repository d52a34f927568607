import { randomUUID } from 'node:crypto';
import { readOperationId } from '../domain/operation.js';

/** The id under which the audit log records a run, so that a run whose outcome is unknown can be repeated without doing anything twice. */
export class Operation {
  /** The value of `--operation-id`: this run may repeat an earlier one. */
  readonly given: string | undefined;
  #id: string | undefined;

  /** Throws `usage` for a malformed id. */
  constructor(given: string | undefined) {
    this.given = given === undefined ? undefined : readOperationId(given);
  }

  /** The id that was given, or one made on first use. */
  get id(): string {
    this.#id ??= this.given ?? randomUUID();
    return this.#id;
  }
}
