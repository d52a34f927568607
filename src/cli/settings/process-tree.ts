import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { absolutePath } from '../../files/search-path.js';

/** A process as it was when it was looked up. Its id alone may belong to another one by the time a signal is sent. */
export interface Running {
  readonly pid: number;
  readonly parent: number;
  readonly started: string;
}

/** How long `ps` may take. */
const PS_MS = 2000;

/** From `/proc/PID/stat`: behind the name, which may hold anything, state, parent and, as the 22nd field of all, the start. */
function fromProc(pid: number): Running | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : { pid, parent: Number(fields[1]), started: fields[19] ?? '' };
  } catch {
    return null; // it has ended
  }
}

function fromPs(): Running[] {
  const env = { ...process.env, PATH: absolutePath(process.env.PATH) };
  const options = { encoding: 'utf8' as const, timeout: PS_MS, env };
  return execFileSync('ps', ['-A', '-o', 'pid=,ppid=,lstart='], options)
    .split('\n')
    .flatMap((line) => {
      const [, pid, parent, started = ''] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
      return pid === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), started }];
    });
}

function allProcesses(platform: NodeJS.Platform): Running[] {
  if (platform !== 'linux') return fromPs();
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => fromProc(Number(name)) ?? []);
}

/** A process and all that descend from it; empty once it has ended. */
export function processTree(root: number, platform: NodeJS.Platform): Running[] {
  const all = allProcesses(platform);
  const tree = all.filter(({ pid }) => pid === root);
  for (const { pid } of tree) tree.push(...all.filter(({ parent }) => parent === pid)); // grows while it is walked
  return tree;
}

/** Those that still run. */
export function stillRunning(known: readonly Running[], platform: NodeJS.Platform): Running[] {
  const now = new Map(allProcesses(platform).map((each) => [each.pid, each.started]));
  return known.filter(({ pid, started }) => now.get(pid) === started);
}
