import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Counters } from '../verifier/verifier.js';

export type Endpoint = 'auth' | 'verify';

/** Seconds: a warm key takes microseconds, a round trip to a store milliseconds, a first bcrypt a tenth. */
const BUCKETS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

/** What `/metrics` says, in Prometheus's text format. Nothing in it tells keys or paths apart. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #verdicts: Counter<'endpoint' | 'verdict'>;
  readonly #seconds: Readonly<Record<Endpoint, { observe(seconds: number): void }>>;
  /** Looked up once: finding one by its labels takes longer than all the rest. */
  readonly #children = new Map<string, { inc(): void }>();

  constructor(counters: () => Counters, connections: () => number) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#verdicts = new Counter({
      name: 'unlockos_keys_verdicts_total',
      help: 'Requests by what was answered',
      labelNames: ['endpoint', 'verdict'],
      registers,
    });
    const seconds = new Histogram({
      name: 'unlockos_keys_request_seconds',
      help: 'How long an answer took',
      labelNames: ['endpoint'],
      buckets: BUCKETS,
      registers,
    });
    this.#seconds = { auth: seconds.labels('auth'), verify: seconds.labels('verify') };
    const gauges: [name: string, help: string, value: () => number][] = [
      ['bcrypt_comparisons', 'Keys proven by bcrypt since the start', () => counters().bcrypt],
      ['bcrypt_waiting', 'Keys that wait to be proven by bcrypt', () => counters().waiting],
      ['proofs_remembered', 'Keys whose proof is remembered', () => counters().proofs],
      ['hashes_moved', 'Keys moved to the hash scheme of the store since the start', () => counters().moved],
      [
        'failed_flushes',
        'Writes of last-used marks or moved hashes that failed since the start',
        () => counters().failedFlushes,
      ],
      ['open_connections', 'Connections that are open', connections],
    ];
    for (const [name, help, value] of gauges)
      new Gauge({
        name: `unlockos_keys_${name}`,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
  }

  answered(endpoint: Endpoint, verdict: string, seconds: number): void {
    const name = `${endpoint} ${verdict}`;
    let child = this.#children.get(name);
    if (!child) {
      child = this.#verdicts.labels(endpoint, verdict);
      this.#children.set(name, child);
    }
    child.inc();
    this.#seconds[endpoint].observe(seconds);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
