import { KeysError } from '../../domain/errors.js';
import type { Session } from '../session.js';
import { readSecretFile } from '../settings/global-flags.js';
import { readStdin } from './stdin.js';

export interface KeyInputFlags {
  readonly stdin?: boolean;
  readonly keyFile?: string;
}

/** Strips the one line break that `echo` and editors add. Nothing else is trimmed from a key string. */
function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, '');
}

/** Reads a key string from stdin, a file or, on a terminal, a hidden prompt. Never from an argument, which other processes can see. */
export async function readKeyString(session: Session, flags: KeyInputFlags): Promise<string> {
  if (flags.stdin && flags.keyFile !== undefined)
    throw new KeysError('usage', '--stdin and --key-file do not go together', 'pass one of them');
  if (flags.keyFile !== undefined) return withoutLineEnd(readSecretFile(flags.keyFile, session.ctx.cwd));
  if (flags.stdin) return withoutLineEnd(readStdin(session, 'a key string'));
  if (session.interactive) return (await session.prompts()).secret('Key string (hidden)');
  throw new KeysError(
    'missing_input',
    'no key string',
    'pipe it in with --stdin, or pass --key-file FILE; never as an argument',
  );
}
