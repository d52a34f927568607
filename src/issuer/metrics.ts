import { Metrics } from '../http-server/metrics.js';

/** `keys`: a key is asked for. `key`: one is ended. `other`: no endpoint, or not even a request. */
export type Endpoint = 'keys' | 'key' | 'other';

/** Seconds: a refusal takes milliseconds, hashing a secret with bcrypt a tenth of a second, a round trip to a provider more. */
const BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 5, 10];

/** What an issuer counts besides its answers. */
export interface IssueCounts {
  /** Keys that were taken back because the job was gone before the answer was written. */
  readonly undelivered: number;
  /** How often providers were asked for their keys, and how often that failed. */
  readonly asked: number;
  readonly failed: number;
}

/** The metrics of `issue`. */
export function issueMetrics(counts: () => IssueCounts, connections: () => number): Metrics<Endpoint> {
  return new Metrics<Endpoint>({
    endpoints: ['keys', 'key', 'other'],
    timed: ['keys', 'key'],
    answers: {
      name: 'unlockos_keys_issue_answers_total',
      help: 'Requests, by endpoint and answer: issued, ended, or the code of the refusal',
      label: 'answer',
    },
    seconds: { name: 'unlockos_keys_issue_seconds', buckets: BUCKETS },
    totals: [
      [
        'unlockos_keys_issue_undelivered_total',
        'Keys taken back because the job was gone before it had the answer',
        () => counts().undelivered,
      ],
      ['unlockos_keys_issue_provider_requests_total', 'Requests to providers for their keys', () => counts().asked],
      [
        'unlockos_keys_issue_provider_failures_total',
        'Requests to providers for their keys that failed',
        () => counts().failed,
      ],
    ],
    connections,
  });
}
