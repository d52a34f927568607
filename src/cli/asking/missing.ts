import { KeysError } from '../../domain/errors.js';
import type { Session } from '../session.js';

/** Something that a command needs and was not given. */
export interface Missing {
  readonly what: string;
  /** The argument or the flags that give it. */
  readonly how: string;
}

/** Why this run does not prompt. */
function reason({ ctx, format }: Session): string {
  if (ctx.ci) return `this is a ${ctx.ci.name} run`;
  return format === 'table' ? 'no terminal, or --no-input' : `-o ${format} never prompts`;
}

/** Throws `missing_input` when anything is missing: it lists all of it at once, each with what would give it. */
export function refuseMissing(session: Session, missing: readonly Missing[], example: string): void {
  if (missing.length === 0) return;
  const lines = missing.map(({ what, how }) => `  ${what.padEnd(16)} ${how}`);
  throw new KeysError(
    'missing_input',
    `missing: ${missing.map(({ what }) => what).join(', ')} (not asking: ${reason(session)})\n${lines.join('\n')}`,
    `for example: ${example}`,
  );
}
