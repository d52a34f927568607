import { lstatSync, readFileSync, realpathSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';
import { safeText } from '../../domain/text.js';
import { osUserName } from '../../files/os-user.js';

// Who else can make, rename or delete files on the way to a store. SQLite plays back a file that it finds beside the store under the
// right name, so whoever can make files there can write into the store.

/** What others can do in a directory, or null when nobody but root and this user can write to it. */
export interface Exposure {
  /** The directory, safe to print. */
  readonly directory: string;
  readonly why: string;
  readonly hint: string;
}

/** How the directory of a store is: `shared` when others can make files there, but not touch ours (the sticky bit, as in /tmp). */
export interface Surroundings {
  readonly exposed: Exposure | null;
  readonly shared: boolean;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** True when only this user is in the group, as far as the local files say; false for a group that they do not know. */
function isPrivateGroup(gid: number): boolean {
  const fields = (file: string) =>
    textOf(file)
      .split('\n')
      .map((line) => line.split(':'));
  const group = fields('/etc/group').find((entry) => entry[2] === String(gid));
  if (!group) return false;
  const others = (group[3] ?? '').split(',').filter((name) => name !== '' && name !== osUserName());
  const alsoPrimary = fields('/etc/passwd').filter(
    (entry) => entry[3] === String(gid) && entry[2] !== String(process.getuid?.()),
  );
  return others.length === 0 && alsoPrimary.length === 0;
}

const OVERFLOW_UID = 65_534;

/** In a user namespace that maps few users, such as a sandbox, the files of root outside seem to belong to the user `nobody`. */
function standsForRoot(uid: number): boolean {
  if (uid !== OVERFLOW_UID) return false;
  const map = textOf('/proc/self/uid_map').trim().split(/\s+/);
  return map.length >= 3 && !(map.length === 3 && map[0] === '0' && map[1] === '0' && Number(map[2]) > OVERFLOW_UID);
}

function isTrusted(uid: number): boolean {
  return uid === 0 || uid === process.getuid?.() || standsForRoot(uid);
}

/** True when users other than the owner can write to the directory. An access control list shows in the bits of the group. */
function isOpen(stats: Stats): boolean {
  return (stats.mode & 0o002) !== 0 || ((stats.mode & 0o020) !== 0 && !isPrivateGroup(stats.gid));
}

function exposureOf(directory: string, stats: Stats): Exposure | null {
  const name = safeText(directory);
  if (!isTrusted(stats.uid))
    return {
      directory: name,
      why: `${name} belongs to another user (uid ${stats.uid}), who could replace files in it`,
      hint: 'use a directory of your own',
    };
  if ((stats.mode & 0o1000) !== 0 || !isOpen(stats)) return null;
  const everyone = (stats.mode & 0o002) !== 0;
  return {
    directory: name,
    why: everyone ? `everyone can write to ${name}` : `the group (gid ${stats.gid}) can write to ${name}`,
    hint: `chmod ${everyone ? 'o' : 'g'}-w ${name}, or choose another directory`,
  };
}

function ancestorsOf(directory: string): string[] {
  const above = path.dirname(directory);
  return above === directory ? [directory] : [...ancestorsOf(above), directory];
}

/** A symbolic link of another user could lead elsewhere a moment later. */
function foreignLink(directory: string): Exposure | null {
  const stats = lstatSync(directory);
  if (!stats.isSymbolicLink() || isTrusted(stats.uid)) return null;
  const name = safeText(directory);
  return {
    directory: name,
    why: `${name} is a symbolic link of another user (uid ${stats.uid})`,
    hint: 'pass the real path',
  };
}

/**
 * Looks at a directory and at all directories above it, along the path as it is written and along the real one. Throws what the file
 * system says of a directory that cannot be looked at.
 */
export function surroundingsOf(directory: string): Surroundings {
  const own = statSync(directory);
  if (process.platform === 'win32') return { exposed: null, shared: false };
  const all = new Set([...ancestorsOf(directory), ...ancestorsOf(realpathSync(directory))]);
  const exposed = [...all]
    .map((each) => foreignLink(each) ?? exposureOf(each, statSync(each)))
    .find((found) => found !== null);
  return { exposed: exposed ?? null, shared: (own.mode & 0o1000) !== 0 && isOpen(own) };
}
