import { KeysError } from '../domain/errors.js';
import { safeText } from '../domain/text.js';
import { DAY_MS, isRecordedFrom, presentRecorders, type Recording, recordedSince } from '../domain/use.js';

// Nobody should end or delete a key as unused unless its use would have been recorded.

const MAX_HOSTS = 5;

function hostsOf(recorders: readonly { readonly host: string }[]): string {
  const hosts = [...new Set(recorders.map(({ host }) => safeText(host)))];
  return hosts.length > MAX_HOSTS
    ? `${hosts.slice(0, MAX_HOSTS).join(', ')} and ${hosts.length - MAX_HOSTS} more`
    : hosts.join(', ');
}

/** Why it is not known whether keys were used between `from` and `now`, in words that follow "is not known: ". */
function whyUnknown(recording: Recording, from: Date, now: Date): string {
  const { blind } = presentRecorders(recording, now);
  if (blind.length > 0) return `${hostsOf(blind)} checks keys without recording their use (--no-marks)`;
  const { recorded, unrecorded } = recording;
  const [last, lastBlind] = [recorded, unrecorded].map((spans) =>
    Math.max(0, ...spans.map(({ until }) => until.getTime())),
  );
  if (!last) return 'no server has recorded any use yet';
  if (lastBlind && lastBlind > from.getTime())
    return `a server checked keys without recording their use (--no-marks), last at ${new Date(lastBlind).toISOString()}`;
  const since = recordedSince(recording, now);
  if (since === null || since.getTime() <= from.getTime())
    return `no server has recorded use since ${new Date(last).toISOString()}, or for a time before`;
  return `use has been recorded since ${since.toISOString()} only, and not from ${from.toISOString()} on`;
}

/**
 * Throws `guarded` unless all use from `from` to `now` was recorded. `what` is what is not known then: "whether keys were used in this time"; `hint`
 * names the way to go on all the same.
 */
export function assertRecorded(recording: Recording, from: Date, now: Date, what: string, hint: string): void {
  if (isRecordedFrom(from, recording, now)) return;
  throw new KeysError('guarded', `${what} is not known: ${whyUnknown(recording, from, now)}`, hint);
}

/** When the whole of `windowMs` will have been recorded, if recording goes on; null where use is not recorded. */
export function knownFrom(recording: Recording, windowMs: number, now: Date): Date | null {
  const since = recordedSince(recording, now);
  return since && new Date(Math.ceil((since.getTime() + windowMs) / DAY_MS) * DAY_MS);
}
