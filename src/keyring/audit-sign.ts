import { KeysError } from '../domain/errors.js';
import type { KeyStore } from '../domain/key-store.js';
import { type SignedHead, signHead } from '../domain/signed-head.js';
import type { NoteSigner } from '../domain/signed-note.js';

/** An end of an audit log with its note. */
export interface HeadNote extends SignedHead {
  readonly note: string;
}

/** Signs the end of the log as it is. Throws `store_busy` when the store is replaced meanwhile. */
export async function signAuditHead(store: KeyStore, signer: NoteSigner, at: Date): Promise<HeadNote> {
  const head = await store.audit.head();
  const [first] = await store.audit.rows(0, 1);
  const [last] = await store.audit.rows(head.seq - 1, 1);
  if (!first || last?.hash !== head.hash)
    throw new KeysError(
      head.seq === 0 ? 'store_corrupt' : 'store_busy',
      head.seq === 0 ? 'the audit log is empty' : 'the store was replaced meanwhile',
      head.seq === 0 ? 'unlockos-keys audit verify' : 'try again',
    );
  const signed = { signer: signer.verifier.name, birth: first.hash, head, at };
  return { ...signed, note: signHead(signed, signer) };
}
