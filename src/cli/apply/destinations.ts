import { KeysError } from '../../domain/errors.js';
import { quoted } from '../../domain/text.js';
import type { Destination, NewKey } from '../../keyring/delivery.js';
import type { Plan } from '../../manifest/plan.js';
import { type MakingStep, makesKey, nameOf } from '../../manifest/steps.js';
import { worldOf } from '../delivery/delivery.js';
import { maskInCi } from '../delivery/mask.js';
import type { ExpectedKey, Sink } from '../delivery/sink.js';
import { deliveredNote, openSinkOfApply, type SINKS_OF_APPLY, type SinkFlags } from '../delivery/sinks.js';
import type { Session } from '../session.js';

export type ApplySinkFlags = SinkFlags<typeof SINKS_OF_APPLY>;

function expectedKey(step: MakingStep): ExpectedKey {
  return { name: nameOf(step), isFirst: step.action === 'create' };
}

/** Where the key strings of a plan go. Throws before anything is done when one of them could not be delivered. */
export function destinationsFor(
  session: Session,
  flags: ApplySinkFlags,
  words: readonly string[],
  { steps }: Plan,
): (step: MakingStep) => Destination<NewKey> {
  const making = steps.filter(makesKey);
  const world = worldOf(session, words);
  const open = openSinkOfApply(flags, world, making.map(expectedKey));
  if (open) return (step) => destinationOf(session, open(expectedKey(step)));
  if (making.length > 0)
    throw new KeysError(
      'missing_input',
      `no destination for the key strings of ${making.map((step) => quoted(nameOf(step))).join(', ')}`,
      'nothing was changed; pass --key-dir DIR, or --pipe -- PROGRAM; to look first, pass --dry-run',
    );
  return () => {
    throw new KeysError('internal', 'a plan that makes no keys made one');
  };
}

function destinationOf(session: Session, sink: Sink): Destination<NewKey> {
  return {
    probe: () => sink.probe(),
    async deliver({ key, keyString }, signal) {
      if (keyString === null) throw new KeysError('internal', `no key string for ${key.id}`);
      maskInCi(session.ctx, keyString);
      await sink.deliver({ key, keyString }, signal);
      session.out.note(deliveredNote([sink]));
    },
    abandon: () => sink.abandon(),
  };
}
