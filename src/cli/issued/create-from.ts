import { KeysError } from '../../domain/errors.js';
import { quoted } from '../../domain/text.js';
import { type Missing, refuseMissing } from '../asking/missing.js';
import { Delivery, type DeliveryFlags } from '../delivery/delivery.js';
import type { Session } from '../session.js';
import type { ScopeFlags } from '../targets/scope-flags.js';
import { type FromFlags, jobTtl, scopesToAsk } from './from-flags.js';
import { IssuedKeys } from './issued-keys.js';

interface CreateFromFlags extends FromFlags, DeliveryFlags, ScopeFlags {
  readonly from: string;
  readonly expires?: string;
}

/** `create --from`: a key of a server for the later steps of a job. It ends by itself. */
export async function createFrom(session: Session, flags: CreateFromFlags, words: string[]): Promise<undefined> {
  const { args, program: command } = session.splitAtDashes(words, flags.pipe !== undefined);
  const [name] = args;
  if (name !== undefined)
    throw new KeysError(
      'usage',
      `the name ${quoted(name)} and --from do not go together`,
      'the server names the key; leave it out',
    );
  const wanted = { scopes: scopesToAsk(flags), ttl: jobTtl(flags.expires, '--expires') };
  const delivery = new Delivery(session, { ...flags, command }, { asList: false });
  const missing: Missing[] = [];
  if (wanted.scopes.length === 0) missing.push({ what: 'scopes', how: '--scope checkin:read' });
  if (delivery.missing !== null) missing.push({ what: 'a destination', how: delivery.missing });
  refuseMissing(
    session,
    missing,
    `unlockos-keys create --from ${flags.from} -s checkin:read --github-env UNLOCKOS_API_KEY`,
  );
  const keys = new IssuedKeys(session, flags);
  if (session.dryRun) {
    session.out.remark(`Dry run: would ask ${keys.location} for a TEST key with ${wanted.scopes.join(', ')}`);
    return undefined;
  }
  delivery.refuseNullDevice();
  await delivery.make(
    keys,
    (signal) => keys.make(wanted, signal),
    ({ key }) =>
      session.out.note([
        `Created TEST key ${quoted(key.name)} (${key.id}) at ${keys.location}`,
        `  Scopes      ${key.scopes.join(', ')}`,
        `  Expires     ${key.expiresAt?.toISOString()}`,
        '',
      ]),
  );
  return undefined;
}
