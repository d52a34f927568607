import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import tty from 'node:tty';
import type { Claim } from '../../keyring/claim.js';

/** What the system says of a process, from its state on: empty where it does not say. (proc_pid_stat(5)) */
function statusOf(pid: number | 'self'): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

/** When a process was started, in ticks since boot: the number of a process is used again. */
function startOf(pid: number): string {
  return statusOf(pid)[19] ?? '';
}

/** Our process group is in the foreground of a terminal. */
export function isForeground(): boolean {
  const [, , group, , terminal, foreground] = statusOf('self');
  if (group === undefined) return tty.isatty(0) || tty.isatty(1) || tty.isatty(2); // not on Linux
  return terminal !== '0' && group === foreground;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** This process, in a word that another on the same machine can look up. Of a process on another machine nothing can be known: it is not live. */
export function processClaim(): Claim {
  const host = () => createHash('sha256').update(os.hostname()).digest('hex').slice(0, 12);
  return {
    get word() {
      return `${host()}.${process.pid}.${startOf(process.pid)}`;
    },
    isLive(word) {
      const [where, pid = '', start] = word.split('.');
      return where === host() && /^\d{1,10}$/.test(pid) && isRunning(Number(pid)) && startOf(Number(pid)) === start;
    },
  };
}
