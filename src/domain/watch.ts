import type { Credential } from './credential.js';

/** A credential as it was when the audit log ended at `head` (`seq:hash`); null where the last row of the log is damaged or missing. */
export interface CredentialAt {
  readonly credential: Credential;
  readonly head: string | null;
}

/** One row of the audit log. */
export interface LogStep {
  /** The log up to this row, as `seq:hash`; null for a damaged hash. */
  readonly head: string | null;
  /** The key that the row is about; null when it is about the whole store, or cannot be read. */
  readonly keyId: string | null;
}

/**
 * What a verifier needs to keep credentials of a remote store and still learn of every change soon. The triggers of the database refuse a
 * change of a key's id, mode or scopes, and the tool writes every other change together with an audit row that names the key, in all
 * versions. So a credential that was read at one head is what the store holds for as long as the log ends there. Use moves no head.
 */
export interface WatchSide {
  /** These keys, by id, all read at one moment. Keys that do not exist, or that no verifier may go by, are left out. */
  credentials(ids: readonly string[]): Promise<Map<string, CredentialAt>>;
  /**
   * The rows of the log from the one that `head` names, oldest first. Null when the log does not contain that row, because it is another
   * store, and when there are too many rows.
   */
  since(head: string): Promise<readonly LogStep[] | null>;
}
