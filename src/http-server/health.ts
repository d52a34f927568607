/** With the store's own looks at its file, a store that was moved away is noticed within a second. */
const MAX_AGE_MS = 500;

/** Whether the store answers. At most two checks a second, however often it is requested. */
export class HealthCheck {
  readonly #ping: () => Promise<void>;
  readonly #now: () => number;
  #last: { readonly at: number; readonly result: Promise<boolean> } | undefined;

  /** `ping` rejects when the store does not answer. `now` is a monotonic clock in milliseconds. */
  constructor(ping: () => Promise<void>, now = () => performance.now()) {
    this.#ping = ping;
    this.#now = now;
  }

  /** Never rejects. */
  storeAnswers(): Promise<boolean> {
    const now = this.#now();
    if (this.#last === undefined || now - this.#last.at > MAX_AGE_MS) {
      const result = this.#ping().then(
        () => true,
        () => false,
      );
      this.#last = { at: now, result };
    }
    return this.#last.result;
  }
}
