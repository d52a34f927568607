import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign, verify } from 'node:crypto';
import { KeysError } from './errors.js';
import { hasUnsafeText, quoted } from './text.js';

// Signed notes, as of the Go checksum database (https://c2sp.org/signed-note): a text, a blank line, and a line for each signature. Keys and
// notes are those of golang.org/x/mod/sumdb/note, with Ed25519, so that others can check a note without this tool.

const ED25519 = 1;
const PRIVATE = 'PRIVATE+KEY+';
/** What precedes the 32 bytes of a key in DER: RFC 8410. */
const PKCS8 = /* @__PURE__ */ Buffer.of(
  0x30,
  0x2e,
  0x02,
  0x01,
  0x00,
  0x30,
  0x05,
  0x06,
  0x03,
  0x2b,
  0x65,
  0x70,
  0x04,
  0x22,
  0x04,
  0x20,
);
const SPKI = /* @__PURE__ */ Buffer.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00);
const MAX_SIGNATURES = 100;

function isName(name: string): boolean {
  return name !== '' && name.length <= 200 && !/[\s+]/u.test(name) && !hasUnsafeText(name);
}

/** The first 4 bytes of the hash that tells keys of one name apart. */
function keyHash(name: string, typed: Uint8Array): Buffer {
  return createHash('sha256').update(`${name}\n`).update(typed).digest().subarray(0, 4);
}

function base64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}

/** Name, hash and key of `name+hash+base64`; null for anything else. */
function parseKey(text: string): { name: string; hash: string; key: Buffer } | null {
  const [, name = '', hash = '', encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(text) ?? [];
  const typed = base64(encoded);
  return isName(name) && typed?.length === 33 && typed[0] === ED25519 ? { name, hash, key: typed.subarray(1) } : null;
}

/** A public key, with which anybody checks notes. */
export class NoteVerifier {
  readonly name: string;
  readonly #hash: Buffer;
  readonly #key: Uint8Array;

  private constructor(name: string, key: Uint8Array) {
    this.name = name;
    this.#key = key;
    this.#hash = keyHash(name, Buffer.from([ED25519, ...key]));
  }

  /** @internal */
  static of(name: string, key: Uint8Array): NoteVerifier {
    return new NoteVerifier(name, key);
  }

  /** Parses what {@link toString} gives. Throws `usage`. */
  static parse(text: string): NoteVerifier {
    const parsed = parseKey(text);
    const verifier = parsed && new NoteVerifier(parsed.name, parsed.key);
    if (verifier?.toString() === text) return verifier;
    throw new KeysError(
      'usage',
      `${text.startsWith(PRIVATE) ? 'a private key' : quoted(text)} is not a public key for signed notes`,
      'pass what unlockos-keys audit keygen printed: NAME+HASH+KEY',
    );
  }

  /** `name+hash+base64`, the form in which it is passed on. */
  toString(): string {
    return `${this.name}+${this.#hash.toString('hex')}+${Buffer.from([ED25519, ...this.#key]).toString('base64')}`;
  }

  /** The text of a note; null when it is not signed with this key, or was changed. Throws `usage` for a text that is not a note. */
  open(note: string): string | null {
    const { text, signatures } = parseNote(note);
    const key = createPublicKey({ key: Buffer.concat([SPKI, this.#key]), format: 'der', type: 'spki' });
    const ours = signatures.filter(({ name, hash }) => name === this.name && hash.equals(this.#hash));
    return ours.length > 0 && ours.every(({ bytes }) => verify(null, Buffer.from(text), key, bytes)) ? text : null;
  }
}

/** A private key, with which notes are signed. */
export class NoteSigner {
  readonly verifier: NoteVerifier;
  readonly #seed: Buffer;
  readonly #key: KeyObject;

  private constructor(name: string, seed: Buffer) {
    this.#seed = seed;
    this.#key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
    const spki = createPublicKey(this.#key).export({ format: 'der', type: 'spki' });
    this.verifier = NoteVerifier.of(name, spki.subarray(SPKI.length));
  }

  /** Makes a key. Throws `usage` for a name that is empty, or has spaces or a plus sign. */
  static generate(name: string, random: (size: number) => Uint8Array = randomBytes): NoteSigner {
    if (!isName(name))
      throw new KeysError('usage', `${quoted(name)} cannot be the name of a key`, 'use no spaces and no + in it');
    return new NoteSigner(name, Buffer.from(random(32)));
  }

  /** Parses a key file. Throws `usage` without repeating it. */
  static parse(text: string, source: string): NoteSigner {
    const line = text.trim();
    const parsed = line.startsWith(PRIVATE) ? parseKey(line.slice(PRIVATE.length)) : null;
    const signer = parsed && new NoteSigner(parsed.name, parsed.key);
    if (signer?.secret() === line) return signer;
    throw new KeysError('usage', `${source} is not a signing key`, 'make one: unlockos-keys audit keygen FILE');
  }

  /** The private key itself, as a key file holds it. */
  secret(): string {
    const [name, hash] = this.verifier.toString().split('+');
    return `${PRIVATE}${name}+${hash}+${Buffer.from([ED25519, ...this.#seed]).toString('base64')}`;
  }

  /** The note: the text, which must end with a line feed, and the signature. */
  sign(text: string): string {
    if (!text.endsWith('\n') || !isNoteText(text)) throw new Error('a note has whole lines without control characters');
    const hash = Buffer.from(this.verifier.toString().split('+')[1] ?? '', 'hex');
    const signature = Buffer.concat([hash, sign(null, Buffer.from(text), this.#key)]).toString('base64');
    return `${text}\n\u2014 ${this.verifier.name} ${signature}\n`;
  }

  /** The public key only, so that logging the object reveals nothing. */
  toJSON(): string {
    return this.verifier.toString();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `NoteSigner(${this.verifier.toString()})`;
  }
}

function isNoteText(text: string): boolean {
  return !/[\u0000-\u0009\u000b-\u001f]/.test(text);
}

interface Signature {
  readonly name: string;
  readonly hash: Buffer;
  readonly bytes: Buffer;
}

function parseNote(note: string): { text: string; signatures: Signature[] } {
  const broken = (why: string) =>
    new KeysError(
      'usage',
      `this is not a signed note: ${why}`,
      'pass what unlockos-keys audit sign wrote, byte for byte',
    );
  if (note.includes('\r')) throw broken('it has other line ends');
  if (!isNoteText(note)) throw broken('it has control characters');
  const split = note.lastIndexOf('\n\n');
  if (split < 0 || !note.endsWith('\n')) throw broken('it has no signature');
  const lines = note
    .slice(split + 2)
    .split('\n')
    .slice(0, -1);
  if (lines.length === 0 || lines.length > MAX_SIGNATURES) throw broken('it has no signature, or too many');
  const signatures = lines.map((line) => {
    const [, name = '', encoded = ''] = /^\u2014 (\S+) ([A-Za-z0-9+/]+=*)$/u.exec(line) ?? [];
    const bytes = base64(encoded);
    if (!isName(name) || bytes === null || bytes.length < 5) throw broken('a line after the text is not a signature');
    return { name, hash: bytes.subarray(0, 4), bytes: bytes.subarray(4) };
  });
  return { text: note.slice(0, split + 1), signatures };
}
