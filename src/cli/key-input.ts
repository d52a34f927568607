import { KeysError } from '../domain/errors.js';
import { readStdin } from './command.js';
import { readSecretFile } from './flags.js';
import type { Session } from './session.js';

export interface KeyInputFlags {
  readonly stdin?: boolean;
  readonly keyFile?: string;
}

/** Strips the one line end that `echo` and editors add; nothing else is trimmed from a key string. */
function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, '');
}

/** A key string from stdin, a file, or (on a terminal) a hidden prompt; never from an argument, which every process could read. */
export async function readKeyString(session: Session, flags: KeyInputFlags): Promise<string> {
  if (flags.stdin && flags.keyFile !== undefined)
    throw new KeysError('usage', '--stdin and --key-file contradict each other', 'pass one of them');
  if (flags.keyFile !== undefined) return withoutLineEnd(readSecretFile(flags.keyFile, session.ctx.cwd));
  if (flags.stdin) return withoutLineEnd(readStdin(session, 'a key string'));
  if (session.interactive) return (await session.prompts()).secret('Key string (not shown)');
  throw new KeysError(
    'missing_input',
    'no key string was given',
    'pipe it in with --stdin, or pass --key-file FILE; never as an argument',
  );
}
