import { Gauge, type Registry } from 'prom-client';
import { CENSUS_DAYS, type KeyCensus, type ModeCensus } from '../domain/key-query.js';
import { MODES } from '../domain/key-string.js';
import { Metrics } from '../http-server/metrics.js';
import type { Counters } from '../verifier/verifier.js';

/** `other`: no endpoint, or not even a request. */
export type Endpoint = 'auth' | 'verify' | 'other';

/** Seconds: a known key takes microseconds, a round trip to a store milliseconds, the first check of a bcrypt key a tenth of a second. */
const BUCKETS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

/** The metrics of `serve`. `census` answers null when the store did not: what it holds is then left out, rather than out of date. */
export function verifierMetrics(
  counters: () => Counters,
  connections: () => number,
  census: () => Promise<KeyCensus | null> = async () => null,
): Metrics<Endpoint> {
  const metrics = new Metrics<Endpoint>({
    endpoints: ['auth', 'verify', 'other'],
    timed: ['auth', 'verify'],
    answers: { name: 'unlockos_keys_verdicts_total', help: 'Requests, by endpoint and verdict', label: 'verdict' },
    seconds: { name: 'unlockos_keys_request_seconds', buckets: BUCKETS },
    totals: [
      ['unlockos_keys_bcrypt_comparisons_total', 'bcrypt comparisons', () => counters().bcrypt],
      ['unlockos_keys_hashes_moved_total', "Keys rehashed to the store's hash scheme", () => counters().moved],
      ['unlockos_keys_failed_flushes_total', 'Failed writes of use or of new hashes', () => counters().failedFlushes],
    ],
    gauges: [
      ['unlockos_keys_bcrypt_waiting', 'Keys that wait for bcrypt', () => counters().waiting],
      ['unlockos_keys_proofs_remembered', 'Keys whose proof is cached', () => counters().proofs],
    ],
    connections,
  });
  countKeys(metrics.registry, census);
  return metrics;
}

function countKeys(registry: Registry, census: () => Promise<KeyCensus | null>): void {
  const byMode = (name: string, help: string, label: string | null, of: (mode: ModeCensus) => [string, number][]) =>
    new Gauge({
      name,
      help,
      labelNames: label === null ? ['mode'] : ['mode', label],
      registers: [registry],
      async collect() {
        const found = await census();
        this.reset();
        for (const mode of found ? MODES : [])
          for (const [value, count] of of((found as KeyCensus)[mode]))
            this.set(label === null ? { mode } : { mode, [label]: value }, count);
      },
    });
  byMode('unlockos_keys_keys', 'Keys in the store, by mode and status', 'status', ({ keys }) => Object.entries(keys));
  byMode(
    'unlockos_keys_keys_expiring',
    'Active keys that expire within this time, by mode',
    'within',
    ({ expiringWithin }) => CENSUS_DAYS.map((days) => [`${days}d`, expiringWithin[days]]),
  );
  byMode(
    'unlockos_keys_next_expiry_timestamp_seconds',
    'When the next active key expires, by mode; missing when none does',
    null,
    ({ nextExpiry }) => (nextExpiry === null ? [] : [['', nextExpiry.getTime() / 1000]]),
  );
}
