// Measuring in pairs, A B A B …: machines are shared and their speed drifts, so only ratios taken in turn mean anything.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** NODE_EXTRA_CA_CERTS makes Node 20 read a bundle of certificates at every start, which would hide what we add to it. */
function environment() {
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  return env;
}

/** One run of a whole process, its output read through a pipe: milliseconds. */
function timeProcess(args) {
  const start = process.hrtime.bigint();
  const { status, stderr } = spawnSync(process.execPath, args, {
    env: environment(),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr}`);
  return Number(process.hrtime.bigint() - start) / 1e6;
}

/** The largest resident size of one run, in MiB, as the kernel counted it (VmHWM): the child tells when it exits. */
export function peakMemory(args) {
  const preload = fileURLToPath(new URL('./peak-memory.cjs', import.meta.url));
  const stdio = ['ignore', 'pipe', 'pipe', 'pipe'];
  const { output } = spawnSync(process.execPath, ['-r', preload, ...args], {
    env: environment(),
    encoding: 'utf8',
    stdio,
  });
  return Number(/VmHWM:\s+(\d+)/.exec(output[3])?.[1]) / 1024;
}

/** The ratios of two whole processes, pair by pair. */
export function processRatios(a, b, pairs = 25) {
  timeProcess(a);
  timeProcess(b);
  return Array.from({ length: pairs }, () => timeProcess(a) / timeProcess(b));
}

/** The ratios of two asynchronous functions in this process, each timed over enough calls to take some milliseconds. */
export async function functionRatios(a, b, pairs = 25) {
  const calls = async (f) => {
    const start = performance.now();
    await f();
    return Math.max(1, Math.min(200, Math.ceil(5 / Math.max(0.005, performance.now() - start))));
  };
  const time = async (f, n) => {
    const start = performance.now();
    for (let i = 0; i < n; i++) await f();
    return (performance.now() - start) / n;
  };
  await a();
  await b();
  const [na, nb] = [await calls(a), await calls(b)];
  const ratios = [];
  for (let i = 0; i < pairs; i++) ratios.push((await time(a, na)) / (await time(b, nb)));
  return ratios;
}

const results = [];

/** Prints a line: what, the median and the range, and what is aimed at, at most or at least. */
export function report(name, values, aim, unit = 'x', wanted = 'most') {
  const [middle, low, high] = [median(values), Math.min(...values), Math.max(...values)];
  results.push({ name, median: middle, min: low, max: high, unit, aim });
  const figure = (value) => value.toFixed(2);
  const met = wanted === 'most' ? middle <= aim : middle >= aim;
  const verdict = aim === null ? '' : `aim ${aim}  ${met ? 'ok' : wanted === 'most' ? 'OVER' : 'UNDER'}`;
  console.log(
    `${name.padEnd(58)} ${figure(middle).padStart(8)} ${unit.padEnd(4)} (${figure(low)} to ${figure(high)})  ${verdict}`,
  );
}

export function allResults() {
  return {
    node: process.version,
    cpu: /model name\s*:\s*(.+)/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1],
    results,
  };
}
