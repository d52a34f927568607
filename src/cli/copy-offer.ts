import { KeysError } from '../domain/errors.js';
import type { Delivery } from './delivery.js';
import type { ExitCode } from './exit-code.js';
import type { Session } from './session.js';

/** Offers to copy a key string that is on the screen. The key is made and shown by now, so even Ctrl-C here loses nothing, and says so. */
export async function offerCopy(
  session: Session,
  delivery: Delivery,
  { id, keyString }: { readonly id: string; readonly keyString: string },
): Promise<ExitCode | undefined> {
  if (!delivery.offersCopy) return undefined;
  try {
    const offer =
      session.ctx.clipboard.route === 'local'
        ? 'Copy it to the clipboard (cleared after 45 s)?'
        : 'Send it to your terminal for its clipboard?';
    if (await (await session.prompts()).yesNo(offer, false)) await delivery.copy(keyString);
    return undefined;
  } catch (error) {
    if (!(error instanceof KeysError)) throw error;
    if (error.code !== 'cancelled') session.remark(`warning: ${error.message}`);
    else session.remark(`Not copied. The key ${id} was made, and is shown above.`);
    return error.code === 'cancelled' ? 130 : undefined;
  }
}
