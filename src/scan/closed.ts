/**
 * Content that a scan passes over: `archive` is compressed in a way that is not unpacked, `pointer` is what Git LFS stores in place of a
 * file.
 */
export type Closed = 'archive' | 'pointer';

const ARCHIVES = [
  '425a68', // bzip2
  'fd377a585a00', // xz
  '28b52ffd', // zstd
  '04224d18', // lz4
  '4c5a4950', // lzip
  '1f9d', // compress
  '377abcaf271c', // 7z
  '526172211a07', // rar
].map((start) => Buffer.from(start, 'hex'));
const FIRST_BYTES = new Set(ARCHIVES.map(([first]) => first));
/** The whole of a pointer is less than 1024 bytes (the specification of Git LFS). */
const POINTER = /^version https:\/\/git-lfs\.github\.com\/spec\/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n/;

/** The kind of content that starts with these bytes; null for what is searched. */
export function closedKind(start: Buffer): Closed | null {
  if (pointerOid(start) !== null) return 'pointer';
  if (!FIRST_BYTES.has(start[0])) return null;
  return ARCHIVES.some((magic) => start.subarray(0, magic.length).equals(magic)) ? 'archive' : null;
}

/** The object of Git LFS that a pointer names; null for anything else. */
export function pointerOid(start: Buffer): string | null {
  if (start[0] !== 0x76) return null;
  return POINTER.exec(start.toString('latin1', 0, 1024))?.[1] ?? null;
}
