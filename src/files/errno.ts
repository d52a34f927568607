/** What an error of the file system means, in words that follow a colon. */
const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EDQUOT: 'the disk quota is used up',
  EEXIST: 'it already exists, and is never overwritten',
  EFTYPE: 'it is not a regular file',
  EISDIR: 'it is a directory',
  ELOOP: 'it is a symbolic link, or a loop of them',
  EMFILE: 'too many open files',
  EMLINK: 'it has another name (a hard link), which would keep the old content',
  ENAMETOOLONG: 'its name is too long',
  ENOENT: 'there is no such file',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of its path is not a directory',
  ENXIO: 'it is not a regular file',
  EOWNER: 'it belongs to another user or group, and a new file would not', // of ours: Node has no such code
  EPERM: 'permission denied',
  ERR_ACCESS_DENIED: "Node's permission model refuses it (--permission, perhaps in NODE_OPTIONS)",
  EROFS: 'the file system is read-only',
};

/** The `errno` name of an error, such as `ENOENT`; `unknown error` for anything else that was thrown. */
export function errnoOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | null)?.code ?? 'unknown error';
}

/** Why a file could not be read or, with `creating`, created. */
export function explainErrno(error: unknown, { creating = false } = {}): string {
  const code = errnoOf(error);
  return creating && code === 'ENOENT' ? 'its directory does not exist' : (WORDS[code] ?? code);
}
