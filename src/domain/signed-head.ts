import { type AuditHead, parseHead } from './audit.js';
import { KeysError } from './errors.js';
import type { NoteSigner, NoteVerifier } from './signed-note.js';

/** An end of an audit log that somebody signed. */
export interface SignedHead {
  /** The name of the key that signed it. */
  readonly signer: string;
  /** The hash of the first row of the log, which no two stores share. */
  readonly birth: string;
  readonly head: AuditHead;
  /** When, by the clock of the signer. */
  readonly at: Date;
}

const ORIGIN = 'unlockos-keys/audit-log/';
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** The note: origin, number and hash of the row, and the time, a line each. */
export function signHead({ birth, head, at }: Omit<SignedHead, 'signer'>, signer: NoteSigner): string {
  return signer.sign(`${ORIGIN}${birth}\n${head.seq}\n${head.hash}\n${at.toISOString()}\n`);
}

/** Reads a note; null when it is not signed with the key. Throws `usage` for a text that is not a note about an audit log. */
export function openSignedHead(note: string, verifier: NoteVerifier): SignedHead | null {
  const text = verifier.open(note);
  if (text === null) return null;
  const [origin = '', seq, hash, at = '', ...rest] = text.split('\n');
  const head = parseHead(`${seq}:${hash}`);
  const birth = origin.slice(ORIGIN.length);
  const isOurs = origin.startsWith(ORIGIN) && /^[0-9a-f]{64}$/.test(birth) && rest.join() === '';
  if (isOurs && head && head.seq > 0 && TIME.test(at)) return { signer: verifier.name, birth, head, at: new Date(at) };
  throw new KeysError(
    'usage',
    'the note is signed, but it is not about the end of an audit log',
    'pass what unlockos-keys audit sign wrote',
  );
}
