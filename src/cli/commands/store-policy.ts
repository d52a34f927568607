import { KeysError } from '../../domain/errors.js';
import { MODES, type Mode } from '../../domain/key-string.js';
import type { PolicyInput, StorePolicy } from '../../domain/policy.js';
import { examples, operationOption, type Register } from '../command.js';
import type { View } from '../output/view.js';
import type { Session } from '../session.js';
import { oneOf } from '../settings/global-flags.js';

interface PolicyFlags {
  readonly maxLifetime?: string;
  readonly mode?: string;
  readonly keepDeleted?: string;
}

const policyView: View<StorePolicy> = {
  fields: ['maxLifetime', 'keepDeleted'],
  valueField: 'maxLifetime',
  json: (policy) => ({ ...policy }),
  columns: [],
};

export const registerStorePolicy: Register = (store, run) => {
  operationOption(
    store
      .command('policy')
      .summary('show or set how long new keys may live and deleted keys are kept')
      .description(
        'Show or set what holds for this store, whoever uses it. --max-lifetime is the longest that a new key may live: a longer --expires is refused, and a key that is created without --expires lives that long. Existing keys keep their expiry. --keep-deleted is how long a key that is deleted from then on can be restored.',
      )
      .option('--max-lifetime <time>', 'the longest life of a new key, e.g. 365d; none for no limit')
      .option('--mode <mode>', 'with --max-lifetime: only for live or test keys')
      .option('--keep-deleted <time>', 'how long deleted keys can be restored, up to 365d; 0 for not at all')
      .addHelpText(
        'after',
        examples('store policy', 'store policy --max-lifetime 365d --mode live', 'store policy --keep-deleted 30d'),
      ),
  ).action(run((session, flags: PolicyFlags) => policy(session, flags)));
};

async function policy(session: Session, flags: PolicyFlags): Promise<void> {
  const input = readInput(flags);
  const keyring = await session.keyring();
  if (Object.keys(input).length === 0) return show(session, await keyring.storePolicy());
  if (session.dryRun) {
    const planned = await keyring.plannedStorePolicy(input);
    session.out.remark('Dry run: the policy was not changed; it would be');
    return show(session, planned);
  }
  session.noteStore();
  const { policy, changed } = await keyring.setStorePolicy(input, { operationId: session.operation.id });
  session.out.note(changed ? 'Changed the policy of the store; keys that exist stay as they are' : 'Nothing changed');
  await show(session, policy);
}

function readInput({ maxLifetime, mode, keepDeleted }: PolicyFlags): PolicyInput {
  const only = oneOf<Mode>('--mode', mode, MODES);
  if (only !== undefined && maxLifetime === undefined)
    throw new KeysError('usage', '--mode goes with --max-lifetime', 'store policy --max-lifetime 365d --mode live');
  const text = maxLifetime === 'none' ? null : maxLifetime;
  const modes = only === undefined ? MODES : [only];
  return {
    ...(keepDeleted !== undefined && { keepDeleted }),
    ...(text !== undefined && { maxLifetime: Object.fromEntries(modes.map((each) => [each, text])) }),
  };
}

function show(session: Session, policy: StorePolicy): Promise<void> {
  const { live, test } = policy.maxLifetime;
  return session.out.print([policy], policyView, {
    single: true,
    table: async () =>
      [
        `New live keys  ${life(live)}`,
        `New test keys  ${life(test)}`,
        `Deleted keys   ${policy.keepDeleted === '0' ? 'are gone at once' : `can be restored for ${policy.keepDeleted}`}`,
      ]
        .map((line) => `${line}\n`)
        .join(''),
  });
}

function life(longest: string | null): string {
  return longest === null ? 'live as long as you choose' : `live ${longest} at most`;
}
