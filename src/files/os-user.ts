import os from 'node:os';

/** The name of the OS user; null for a user id without a password entry, as in a container. */
export function osUserName(): string | null {
  try {
    return os.userInfo().username;
  } catch {
    return null;
  }
}

/** The OS user as the audit log records it: the name, or else the user id. */
export function osUser(): string {
  return osUserName() ?? `uid ${process.getuid?.() ?? 'unknown'}`;
}
