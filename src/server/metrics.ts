import { performance } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Counters } from '../verifier/verifier.js';

export type Endpoint = 'auth' | 'verify';

/** Seconds: a warm key takes microseconds, a round trip to a store milliseconds, a first bcrypt a tenth. */
const BUCKETS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

/** What the process says of itself. The package's own collection watches the garbage collector too, which costs a tenth of all requests. */
export interface Vitals {
  readonly rssBytes: () => number;
  readonly cpuSeconds: () => number;
}

/** What `/metrics` says, in Prometheus's text format. Nothing in it tells keys or paths apart. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #seconds: Readonly<Record<Endpoint, { observe(seconds: number): void }>>;
  /** Since the last collection, by endpoint and verdict: finding a counter by its labels takes longer than all the rest. */
  readonly #verdicts: Readonly<Record<Endpoint, Map<string, number>>> = { auth: new Map(), verify: new Map() };

  constructor(counters: () => Counters, connections: () => number, vitals: Vitals) {
    const registers = [this.#registry];
    const verdicts = this.#verdicts;
    new Counter({
      name: 'unlockos_keys_verdicts_total',
      help: 'Requests by what was answered',
      labelNames: ['endpoint', 'verdict'],
      registers,
      collect() {
        for (const [endpoint, counted] of Object.entries(verdicts)) {
          for (const [verdict, count] of counted) this.inc({ endpoint, verdict }, count);
          counted.clear();
        }
      },
    });
    const seconds = new Histogram({
      name: 'unlockos_keys_request_seconds',
      help: 'How long an answer took',
      labelNames: ['endpoint'],
      buckets: BUCKETS,
      registers,
    });
    this.#seconds = { auth: seconds.labels('auth'), verify: seconds.labels('verify') };
    const totals: [name: string, help: string, value: () => number][] = [
      ['unlockos_keys_bcrypt_comparisons_total', 'Keys proven by bcrypt', () => counters().bcrypt],
      ['unlockos_keys_hashes_moved_total', 'Keys moved to the hash scheme of the store', () => counters().moved],
      [
        'unlockos_keys_failed_flushes_total',
        'Writes of marks or moved hashes that failed',
        () => counters().failedFlushes,
      ],
      ['process_cpu_seconds_total', 'Time of processors used', vitals.cpuSeconds],
    ];
    for (const [name, help, value] of totals)
      new Counter({
        name,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(value());
        },
      });
    let before = performance.eventLoopUtilization();
    const busy = () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, before);
      before = now;
      return utilization;
    };
    const gauges: [name: string, help: string, value: () => number][] = [
      ['unlockos_keys_bcrypt_waiting', 'Keys that wait to be proven by bcrypt', () => counters().waiting],
      ['unlockos_keys_proofs_remembered', 'Keys whose proof is remembered', () => counters().proofs],
      ['unlockos_keys_open_connections', 'Connections that are open', connections],
      ['nodejs_eventloop_utilization', 'How busy the event loop was since it was last asked, 0 to 1', busy],
      ['process_resident_memory_bytes', 'Memory in use', vitals.rssBytes],
    ];
    for (const [name, help, value] of gauges)
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
  }

  answered(endpoint: Endpoint, verdict: string, seconds: number): void {
    const counted = this.#verdicts[endpoint];
    counted.set(verdict, (counted.get(verdict) ?? 0) + 1);
    this.#seconds[endpoint].observe(seconds);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
