import type { Keyring } from '../keyring/keyring.js';
import { nameWarnings } from '../keyring/lookalikes.js';
import type { Plan } from './plan.js';

/** The plan, with notes on the names of new keys that people could take for another. */
export async function withNameNotes(keyring: Keyring, plan: Plan): Promise<Plan> {
  const created = plan.steps.flatMap((step) => (step.action === 'create' ? [step.desired.name] : []));
  return { ...plan, notes: [...plan.notes, ...(await nameWarnings(keyring, created))] };
}
