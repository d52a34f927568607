import { performance } from 'node:perf_hooks';
import { Counter, Gauge, type Metric, Registry } from 'prom-client';

type Value = readonly [name: string, help: string, value: () => number];

/** What a server counts besides what every process has. */
export interface Counted<E extends string> {
  readonly endpoints: readonly E[];
  /** The endpoints whose answers are timed. */
  readonly timed: readonly E[];
  /** The counter of answers, by endpoint and `label`. */
  readonly answers: { readonly name: string; readonly help: string; readonly label: string };
  /** The name of the histogram of seconds, by endpoint, and its buckets. */
  readonly seconds: { readonly name: string; readonly buckets: number[] };
  readonly totals?: readonly Value[];
  readonly gauges?: readonly Value[];
  readonly connections: () => number;
}

// By hand, because `collectDefaultMetrics` of prom-client also observes the garbage collector, which makes requests a tenth slower.
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** The share of time in which the event loop was busy since the last call. */
function busyness(): () => number {
  let before = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    return utilization;
  };
}

/** The answers of one endpoint. */
interface Timed {
  /** How many took at most so long as each bound, and longer than the bound before; the last ones longer than all. */
  readonly counts: number[];
  sum: number;
}

/**
 * A histogram of seconds by endpoint, as a registry of prom-client takes one. Its own looks the labels up for each value, and that takes longer
 * than the rest of what is counted.
 */
class Seconds {
  readonly type = 'histogram';
  readonly aggregator = 'sum';
  readonly help = 'Time to answer a request';
  readonly name: string;
  readonly #bounds: readonly number[];
  readonly #timed: ReadonlyMap<string, Timed>;

  constructor(
    { name, buckets }: { readonly name: string; readonly buckets: readonly number[] },
    endpoints: readonly string[],
  ) {
    this.name = name;
    this.#bounds = buckets;
    this.#timed = new Map(endpoints.map((each) => [each, { counts: [...buckets, 0].fill(0), sum: 0 }]));
  }

  observe(endpoint: string, seconds: number): void {
    const timed = this.#timed.get(endpoint);
    if (timed === undefined) return;
    let at = 0;
    while (at < this.#bounds.length && seconds > (this.#bounds[at] as number)) at += 1;
    timed.counts[at] = (timed.counts[at] as number) + 1;
    timed.sum += seconds;
  }

  async get(): Promise<object> {
    const values = [...this.#timed].flatMap(([endpoint, { counts, sum }]) => {
      let count = 0;
      const buckets = [...this.#bounds, '+Inf'].map((le, i) => {
        count += counts[i] as number;
        return { metricName: `${this.name}_bucket`, labels: { le, endpoint }, value: count };
      });
      const whole = (what: string, value: number) => ({
        metricName: `${this.name}_${what}`,
        labels: { endpoint },
        value,
      });
      return [...buckets, whole('sum', sum), whole('count', count)];
    });
    return { name: this.name, help: this.help, type: this.type, aggregator: this.aggregator, values };
  }
}

/** The metrics of `/metrics`, in the text format of Prometheus. There are no labels per key or per path. */
export class Metrics<E extends string> {
  readonly registry = new Registry();
  readonly #seconds: Seconds;
  /** Since the last scrape. Looking up a counter by its labels would take longer than the rest of a request. */
  readonly #answers: Readonly<Record<E, Map<string, number>>>;

  constructor({ endpoints, timed, answers, seconds, totals = [], gauges = [], connections }: Counted<E>) {
    const registers = [this.registry];
    const counts = Object.fromEntries(endpoints.map((each) => [each, new Map<string, number>()]));
    this.#answers = counts as Record<E, Map<string, number>>;
    const { name, help, label } = answers;
    new Counter({
      name,
      help,
      labelNames: ['endpoint', label],
      registers,
      collect() {
        for (const [endpoint, counted] of Object.entries(counts)) {
          for (const [answer, count] of counted) this.inc({ endpoint, [label]: answer }, count);
          counted.clear();
        }
      },
    });
    this.#seconds = new Seconds(seconds, timed);
    this.registry.registerMetric(this.#seconds as unknown as Metric);
    for (const [name, help, value] of [
      ...totals,
      ['process_cpu_seconds_total', 'Total user and system CPU time', cpuSeconds] as const,
    ])
      new Counter({
        name,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(value());
        },
      });
    for (const [name, help, value] of [
      ...gauges,
      ['unlockos_keys_open_connections', 'Open connections', connections] as const,
      ['nodejs_eventloop_utilization', 'Event loop utilization since the last scrape, 0 to 1', busyness()] as const,
      ['process_resident_memory_bytes', 'Resident memory', () => process.memoryUsage.rss()] as const,
    ])
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
  }

  answered(endpoint: E, answer: string, seconds: number): void {
    const counted = this.#answers[endpoint];
    counted.set(answer, (counted.get(answer) ?? 0) + 1);
    this.#seconds.observe(endpoint, seconds);
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  text(): Promise<string> {
    return this.registry.metrics();
  }
}
