import { createGunzip, createInflateRaw } from 'node:zlib';
import { Finder } from './finder.js';
import type { Finding } from './finding.js';

/** An archive is kept in memory up to this size. */
export const MAX_CONTAINER_BYTES = 64 << 20;
/** The limit for everything unpacked from one file, nested archives included. */
const MAX_UNPACKED_BYTES = 256 << 20;
/** How many times its size an archive may unpack to. Small archives may grow more: a page of zeros is not a bomb. */
const MAX_RATIO = 200;
const MIN_UNPACKED_BYTES = 16 << 20;
const MAX_DEPTH = 4;
const MAX_MEMBERS = 20_000;

/** Each member of a zip file starts with it. */
export const ZIP_HEADER = Buffer.of(0x50, 0x4b, 3, 4);
const ZIP_HEADER_TAIL = ZIP_HEADER.subarray(2);
const ZIP_HEADER_BYTES = 30;
const ZIP_SIZE = Buffer.of(0x50, 0x4b, 7, 8);
/** The record at the end of a zip file; after it comes a comment of at most 64 KiB. */
const ZIP_END = Buffer.of(0x50, 0x4b, 5, 6);
const ZIP_END_BYTES = 22 + 0xffff;
const TAR_BLOCK = 512;

type Kind = 'gzip' | 'zip' | 'tar';

/** What is left of the limits for one file. */
interface Budget {
  bytes: number;
  members: number;
}

/** The kind of archive that starts with these bytes; null for anything else. */
export function kindOf(start: Buffer): Kind | null {
  if (start[0] === 0x1f && start[1] === 0x8b && start[2] === 8) return 'gzip';
  if (start.subarray(0, 4).equals(ZIP_HEADER)) return 'zip';
  return start.toString('latin1', 257, 262) === 'ustar' ? 'tar' : null;
}

/** Where the header of a zip file starts in these bytes; negative without one. Its second half is rarer in text, so that is searched for. */
export function zipHeaderIn(bytes: Buffer): number {
  const from = ZIP_HEADER.length / 2;
  for (let at = bytes.indexOf(ZIP_HEADER_TAIL, from); at >= 0; at = bytes.indexOf(ZIP_HEADER_TAIL, at + 1))
    if (bytes[at - 2] === ZIP_HEADER[0] && bytes[at - 1] === ZIP_HEADER[1]) return at - from;
  return -1;
}

/** True when these bytes, which start with a {@link ZIP_HEADER}, end as a zip file does. */
export function isWholeZip(bytes: Buffer): boolean {
  return bytes.lastIndexOf(ZIP_END) >= Math.max(0, bytes.length - ZIP_END_BYTES);
}

/** Searches the members of an archive; its own bytes were searched before. Reports as unreadable what it does not search. */
export async function* unpacked(file: string, bytes: Buffer): AsyncGenerator<Finding> {
  const most = Math.min(MAX_UNPACKED_BYTES, Math.max(MIN_UNPACKED_BYTES, bytes.length * MAX_RATIO));
  yield* contentsOf(file, bytes, 1, { bytes: most, members: MAX_MEMBERS });
}

async function* contentsOf(file: string, bytes: Buffer, depth: number, budget: Budget): AsyncGenerator<Finding> {
  const kind = kindOf(bytes);
  if (kind === null) return;
  if (depth > MAX_DEPTH) return yield { kind: 'unreadable', file, why: `archives nested more than ${MAX_DEPTH} deep` };
  for (const member of membersOf(kind, file, bytes)) {
    budget.members -= 1;
    if (budget.members < 0 || budget.bytes < 0) return yield tooLarge(file);
    if (member.problem !== null) yield { kind: 'unreadable', file: member.file, why: member.problem };
    else if (kind === 'tar') yield* contentsOf(member.file, member.bytes, depth + 1, budget);
    else yield* inflated(member, depth, budget);
  }
}

interface Member {
  readonly file: string;
  readonly bytes: Buffer;
  readonly method: 'gzip' | 'deflate' | 'stored';
  readonly problem: string | null;
}

function* membersOf(kind: Kind, file: string, bytes: Buffer): Generator<Member> {
  if (kind === 'gzip') yield { file: `${file}!unpacked`, bytes, method: 'gzip', problem: null };
  else yield* kind === 'zip' ? zipMembers(file, bytes) : tarMembers(file, bytes);
}

/**
 * Every member of a zip file, found by its header, whether or not the directory at the end lists it. The data says where a member ends,
 * because the sizes in a header may be missing or wrong.
 */
function* zipMembers(file: string, bytes: Buffer): Generator<Member> {
  for (let at = 0; at >= 0; at = bytes.indexOf(ZIP_HEADER, at + 4)) {
    if (at + ZIP_HEADER_BYTES > bytes.length) return;
    const flags = bytes.readUInt16LE(at + 6);
    const method = bytes.readUInt16LE(at + 8);
    const size = bytes.readUInt32LE(at + 18);
    const nameEnd = at + ZIP_HEADER_BYTES + bytes.readUInt16LE(at + 26);
    const start = nameEnd + bytes.readUInt16LE(at + 28);
    const member = {
      file: `${file}!${bytes.toString('utf8', at + ZIP_HEADER_BYTES, nameEnd)}`,
      bytes: bytes.subarray(start),
    };
    if (start > bytes.length || member.file.endsWith('/')) continue;
    if (flags & 1) yield { ...member, method: 'stored', problem: 'encrypted' };
    else if (method === 8) yield { ...member, method: 'deflate', problem: null };
    else if (method === 0) {
      // A program that streams does not know the size yet, and writes it behind the data.
      const behind = size === 0 && flags & 8 ? bytes.indexOf(ZIP_SIZE, start) : start + size;
      const end = behind < 0 ? bytes.length : behind;
      yield { ...member, bytes: bytes.subarray(start, end), method: 'stored', problem: null };
    } else yield { ...member, method: 'stored', problem: `compressed by method ${method}` };
  }
}

/** The members of a tar file. Their bytes were searched with the tar file itself, so only archives among them are searched again. */
function* tarMembers(file: string, bytes: Buffer): Generator<Member> {
  for (let at = 0; at + TAR_BLOCK <= bytes.length; ) {
    if (bytes.toString('latin1', at + 257, at + 262) !== 'ustar') return;
    const name = bytes.toString('utf8', at, at + 100).replace(/\0.*/s, '');
    const size = Number.parseInt(bytes.toString('latin1', at + 124, at + 136).trim(), 8) || 0;
    const start = at + TAR_BLOCK;
    yield { file: `${file}!${name}`, bytes: bytes.subarray(start, start + size), method: 'stored', problem: null };
    at = start + Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
  }
}

/** Searches a member while it is unpacked. Keeps its bytes only when it is an archive. */
async function* inflated(member: Member, depth: number, budget: Budget): AsyncGenerator<Finding> {
  const { file } = member;
  const finder = new Finder();
  const kept: Buffer[] = [];
  let length = 0;
  let isContainer = false;
  try {
    for await (const piece of piecesOf(member)) {
      if (length === 0) isContainer = kindOf(piece) !== null;
      length += piece.length;
      budget.bytes -= piece.length;
      if (budget.bytes < 0) return yield tooLarge(file);
      if (isContainer && length <= MAX_CONTAINER_BYTES) kept.push(piece);
      // A stored member was found in the archive's own bytes.
      if (member.method !== 'stored') for (const hit of finder.feed(piece)) yield { kind: 'hit', file, hit };
    }
  } catch {
    yield { kind: 'unreadable', file, why: 'damaged archive' };
  }
  for (const hit of finder.end()) yield { kind: 'hit', file, hit };
  if (!isContainer) return;
  if (length > MAX_CONTAINER_BYTES) return yield tooLarge(file);
  yield* contentsOf(file, Buffer.concat(kept), depth + 1, budget);
}

function piecesOf({ bytes, method }: Member): AsyncIterable<Buffer> | Iterable<Buffer> {
  if (method === 'stored') return bytes.length > 0 ? [bytes] : [];
  const unpacking = method === 'gzip' ? createGunzip() : createInflateRaw();
  unpacking.end(bytes);
  return unpacking;
}

function tooLarge(file: string): Finding {
  return { kind: 'unreadable', file, why: 'too large when unpacked' };
}
