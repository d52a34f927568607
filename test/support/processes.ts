import { readFileSync } from 'node:fs';

/** True for a process that runs: one that has ended may be kept until somebody asks for its exit code. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
