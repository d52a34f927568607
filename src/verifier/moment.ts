/** A point in time, by two clocks in milliseconds. */
export interface Moment {
  /** The time of day: it may be set forward or back, and goes on while the machine sleeps. */
  readonly wall: number;
  /** A clock that is never set, and may stand still while the machine sleeps. */
  readonly real: number;
}

/** The time between two moments, by the clock by which it is longer. Negative only if `since` came later. */
export function age(since: Moment, at: Moment): number {
  return Math.max(at.wall - since.wall, at.real - since.real);
}
