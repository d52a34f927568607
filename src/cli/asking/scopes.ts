import { KeysError } from '../../domain/errors.js';
import type { ScopeChange } from '../../domain/scope-change.js';
import { scopeChangeLines } from '../output/new-key-lines.js';
import type { Session } from '../session.js';

interface Planned {
  readonly scopes: readonly string[];
  readonly scopeChange?: ScopeChange | null | undefined;
}

/** Shows what a new key gains and loses, before it is made. A person at a terminal is asked, unless `--yes` answers. */
export async function confirmScopes(session: Session, planned: Planned, question: string): Promise<void> {
  const { scopes, scopeChange } = planned;
  if (!scopeChange) return;
  const lines = [`  Scopes      ${scopes.join(', ')}`, ...scopeChangeLines(scopeChange)];
  if (!session.interactive || session.flags.yes) {
    session.out.note(lines);
    return;
  }
  session.out.remark(lines);
  if (!(await (await session.prompts()).yesNo(question, true)))
    throw new KeysError('confirmation_required', 'not confirmed; nothing was changed');
}
