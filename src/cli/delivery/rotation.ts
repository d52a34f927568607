import { statusAt } from '../../domain/api-key.js';
import { isKeysError, KeysError } from '../../domain/errors.js';
import { parseDuration } from '../../domain/expiry.js';
import { quoted } from '../../domain/text.js';
import type { Keyring } from '../../keyring/keyring.js';
import type { RotatedKey, RotationPlan } from '../../keyring/rotation.js';
import { confirmProtected } from '../asking/confirm.js';
import type { ExitCode } from '../exit-code.js';
import { details } from '../output/new-key-lines.js';
import type { Session } from '../session.js';
import { offerCopy } from './copy.js';
import type { Delivery } from './delivery.js';

const DEFAULT_OVERLAP = '24h';

/** The value of `--overlap`, in milliseconds. Throws `usage`. */
export function readOverlap(text: string | undefined): number {
  return text === '0' ? 0 : parseDuration(text ?? DEFAULT_OVERLAP, '--overlap');
}

/** A rotation that was planned, and where its key string goes. */
export interface RotationToDo {
  readonly plan: RotationPlan;
  readonly delivery: Delivery;
  /** When it was planned. */
  readonly started: Date;
  readonly confirmed: readonly string[] | undefined;
}

/** Confirms a rotation where a profile asks for that, carries it out, and delivers the key string. */
export async function carryOutRotation(
  session: Session,
  keyring: Keyring,
  { plan, delivery, started, confirmed }: RotationToDo,
): Promise<ExitCode | undefined> {
  const { endText } = await import('../output/rotation-view.js');
  const oldKey = ({ retired }: RotatedKey) => `${quoted(retired.name)} ${endText(retired, session.now, started)}`;
  await confirmProtected(session, [plan.retirement.seen], 'rotate', confirmed);
  session.noteStore();
  let rotated: RotatedKey | undefined;
  const make = async () => {
    rotated = await keyring.makeRotation(plan, { operationId: session.operation.id, toDeliver: true });
    return rotated;
  };
  const {
    key: made,
    keyString,
    retired,
  } = await delivery
    .make(keyring, make, (each) => announce(session, each, oldKey(each)))
    .catch((error: unknown) => {
      throw rotated ? undelivered(error, rotated, oldKey(rotated)) : error;
    });
  session.out.note([
    '',
    'Keep it safe: it cannot be shown again.',
    ...(statusAt(retired, session.now) === 'active'
      ? [`When every program has the new key: unlockos-keys rotate --finish ${made.id}`]
      : []),
  ]);
  return delivery.offersCopy ? offerCopy(session, { key: made, keyString }) : undefined;
}

function announce(session: Session, { key, retired, undelivered, scopeChange }: RotatedKey, oldKey: string): void {
  const mode = key.mode === 'live' ? 'LIVE' : 'TEST';
  if (undelivered)
    session.out.note(
      `Replaced key ${undelivered.id}, which an earlier run created and did not deliver: it no longer works`,
    );
  session.out.note([
    `Rotated ${mode} key ${quoted(key.name)}: ${retired.id} is replaced by ${key.id}`,
    ...details({ ...key, scopeChange }),
    `  Old key     ${oldKey}`,
    '',
  ]);
}

/** The new key is disabled and the old one still expires: the error says so, and how to continue. */
function undelivered(error: unknown, { key, retired }: RotatedKey, oldKey: string): unknown {
  if (!isKeysError(error, 'delivery_failed')) return error;
  return new KeysError(
    'delivery_failed',
    `${error.message}\nThe rotation stands: old key ${retired.id}, ${oldKey}, and NOTHING replaces it yet`,
    `run the same command again: it creates another key in place of ${key.id}`,
    { cause: error },
  );
}
