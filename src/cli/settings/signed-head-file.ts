import path from 'node:path';
import { type AuditHead, formatHead } from '../../domain/audit.js';
import { openSignedHead } from '../../domain/signed-head.js';
import { NoteVerifier } from '../../domain/signed-note.js';
import { quoted, safeText } from '../../domain/text.js';
import { type ReadRules, readTextFile } from '../../files/private-file.js';

/** What a signed note demands of a log. */
export interface SignedDemand {
  /** The row that it must contain; null when the note is not to be trusted. */
  readonly head: AuditHead | null;
  /** Why the note is not to be trusted. */
  readonly problem: string | null;
  /** For people: what was signed. */
  readonly said: string;
}

/** Reads a note, which must be signed with a public key: the key itself, or a file that holds it. Throws `usage` for what is neither. */
export function openNoteFile(file: string, publicKey: string, cwd: string): SignedDemand {
  const read = (name: string, rules: Pick<ReadRules, 'what' | 'hint'>) =>
    readTextFile(path.resolve(cwd, name), { ...rules, shown: name, code: 'usage', maxBytes: 65_536, pipes: true });
  const key = publicKey.includes('+')
    ? publicKey
    : read(publicKey, { what: 'the public key', hint: '--public-key KEY, or a file that holds it' }).trim();
  const verifier = NoteVerifier.parse(key);
  const signed = openSignedHead(read(file, { what: 'the signed head', hint: '--signed-head FILE' }), verifier);
  if (signed === null)
    return {
      head: null,
      problem: `${quoted(file)} is not signed by ${safeText(verifier.name)} with this key, or was changed`,
      said: '',
    };
  const { head, at, signer } = signed;
  return {
    head,
    problem: null,
    said: `It contains ${formatHead(head)}, which ${safeText(signer)} signed at ${at.toISOString()}`,
  };
}
