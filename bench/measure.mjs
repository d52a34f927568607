// Measures in pairs, A B A B …: machines are shared and their speed drifts, so only ratios of neighbouring runs mean anything.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * NODE_EXTRA_CA_CERTS makes Node 20 read a bundle of certificates at every start, which would hide what the tool adds; and with CI the tool
 * keeps no compiled code.
 */
function environment() {
  const { NODE_EXTRA_CA_CERTS: _, CI: __, ...env } = process.env;
  return env;
}

/** Milliseconds of one process, from its start to its end, with its output read through a pipe. */
export function timeProcess(args, node = process.execPath) {
  const start = process.hrtime.bigint();
  const { status, stderr } = spawnSync(node, args, {
    env: environment(),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr}`);
  return Number(process.hrtime.bigint() - start) / 1e6;
}

/** The largest resident size of one process, in MiB (VmHWM): the child reports it when it exits. */
export function peakMemory(args, node = process.execPath) {
  const preload = fileURLToPath(new URL('./peak-memory.cjs', import.meta.url));
  const stdio = ['ignore', 'pipe', 'pipe', 'pipe'];
  const { output } = spawnSync(node, ['-r', preload, ...args], {
    env: environment(),
    encoding: 'utf8',
    stdio,
  });
  return Number(/VmHWM:\s+(\d+)/.exec(output[3])?.[1]) / 1024;
}

/** The ratios of the run times of two processes, pair by pair. */
export function processRatios(a, b, { pairs = 25, node = process.execPath } = {}) {
  timeProcess(a, node);
  timeProcess(b, node);
  return Array.from({ length: pairs }, () => timeProcess(a, node) / timeProcess(b, node));
}

/** The ratios of two asynchronous functions in this process, each timed over enough calls to take about 5 ms. */
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

/**
 * How fast each of these asynchronous functions is beside the first, by the fastest twentieth of many short runs in turn: for differences of a few
 * percent, which an interruption of a longer run would hide.
 */
export async function quietRatios(functions, rounds = 1500) {
  const times = functions.map(() => []);
  for (let round = 0; round < rounds; round++)
    for (const [i, each] of functions.entries()) {
      const start = performance.now();
      await each();
      times[i].push(performance.now() - start);
    }
  const [first, ...others] = times.map((all) => all.sort((a, b) => a - b)[Math.floor(rounds / 20)]);
  return others.map((each) => first / each);
}

const results = [];

/** Prints one line: the name, the median, the range, and the aim. `wanted`: whether the aim is the `most` or the `least`. */
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
