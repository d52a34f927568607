import { KeysError } from '../../domain/errors.js';
import { quoted } from '../../domain/text.js';
import { childEnv, type FedChild, feedChild, programStatus } from './child.js';
import { Interruption } from './interruption.js';
import type { SinkKind, SinkWorld } from './sink.js';

/** Throws `usage` for words that name no program that can be run. */
function assertRunnable({ ctx, words: [program = ''] }: SinkWorld): void {
  if (program === '')
    throw new KeysError('usage', '--pipe names no program', 'put it last: --pipe -- gh secret set UNLOCKOS_API_KEY');
  if (programStatus(program, ctx) !== 0)
    throw new KeysError(
      'usage',
      `cannot run ${quoted(program)}: it does not exist or is not executable`,
      'nothing was changed; the program is run without a shell',
    );
}

/**
 * The stdin of a program, which is run once for each key: the key string is in no argument and no environment. What the program prints
 * goes to our stderr.
 */
export const pipe: SinkKind = {
  flag: '--pipe',
  usage: '--pipe -- PROGRAM',
  help: 'the stdin of a program: --pipe -- gh secret set NAME',
  check: (_, world) => assertRunnable(world),
  open(_, world) {
    const { ctx, words } = world;
    const [program = ''] = words;
    let fed: FedChild | undefined;
    return {
      label: `the stdin of ${program}`,
      probe: () => assertRunnable(world),
      async deliver({ key: { name, id }, keyString }, signal) {
        const env = childEnv(ctx, { UNLOCKOS_KEYS_NAME: name, UNLOCKOS_KEYS_ID: id });
        fed = feedChild(words, ctx, env, keyString);
        const over = world.waits(`Waiting for ${quoted(program)}, which got the key string of ${quoted(name)} …`);
        const failure = await passingOn(signal, fed);
        over();
        if (failure !== null) throw new KeysError('delivery_failed', `${quoted(program)} ${failure}`, 'run it by hand');
      },
      abandon: () => fed?.end(), // what a program did cannot be undone
    };
  },
};

/** How the program failed, or null. A signal that interrupts us interrupts it, too. */
async function passingOn(signal: AbortSignal | undefined, child: FedChild): Promise<string | null> {
  const pass = () => signal?.reason instanceof Interruption && child.pass(signal.reason.signal);
  signal?.addEventListener('abort', pass);
  try {
    return await child.failure;
  } finally {
    signal?.removeEventListener('abort', pass);
  }
}
