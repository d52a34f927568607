import { KeysError } from '../../domain/errors.js';
import { clipboardHint } from '../context.js';
import type { ExitCode } from '../exit-code.js';
import type { Session } from '../session.js';
import type { KeyInHand, SinkKind, SinkWorld } from './sink.js';

/** Puts a key string on the clipboard of the person at this terminal, and says how far that can be relied on. */
async function copy({ ctx: { clipboard }, note }: Pick<SinkWorld, 'ctx' | 'note'>, keyString: string): Promise<void> {
  await clipboard.copy(keyString);
  note(
    clipboard.route === 'local'
      ? 'Copied. The clipboard is cleared in 45 s if it still holds the key string. Clipboard history tools may keep it.'
      : 'Sent to your terminal, which may ignore it (OSC 52): check the clipboard before you rely on it.',
  );
}

/** The clipboard. */
export const clipboardSink: SinkKind = {
  flag: '--copy',
  help: 'the clipboard, cleared after 45 s',
  isConvenience: true,
  open: (_, world) => ({
    label: 'the clipboard',
    async probe() {
      const problem = await world.ctx.clipboard.problem();
      if (problem !== null)
        throw new KeysError(
          'usage',
          `--copy cannot work here: ${problem}`,
          `no key was created; ${clipboardHint(problem)}`,
        );
    },
    deliver: ({ keyString }) => copy(world, keyString),
    abandon() {},
  }),
};

/** Offers to copy a key string that is on the screen. The key is made and shown by now, so even Ctrl-C here loses nothing, and says so. */
export async function offerCopy(session: Session, { key, keyString }: KeyInHand): Promise<ExitCode | undefined> {
  try {
    const offer =
      session.ctx.clipboard.route === 'local'
        ? 'Copy it to the clipboard (cleared after 45 s)?'
        : 'Send it to your terminal for its clipboard?';
    const note = (text: string) => session.out.note(text);
    if (await (await session.prompts()).yesNo(offer, false)) await copy({ ctx: session.ctx, note }, keyString);
    return undefined;
  } catch (error) {
    if (!(error instanceof KeysError)) throw error;
    if (error.code !== 'cancelled') session.out.remark(`warning: ${error.message}`);
    else session.out.remark(`Not copied. Key ${key.id} was created, and its key string is shown above.`);
    return error.code === 'cancelled' ? 130 : undefined;
  }
}
