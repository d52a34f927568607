import { KeysError } from '../../domain/errors.js';
import type { Context } from '../context.js';

/** The signals that end a process and can be caught. */
export const ENDING: readonly NodeJS.Signals[] = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR2',
  'SIGALRM',
  'SIGXCPU',
];

/** Why a signal of {@link interruptible} was aborted. Exit code 130. */
export class Interruption extends KeysError {
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super('cancelled', `interrupted by ${signal}`, 'no key is left behind by this run');
    this.signal = signal;
  }
}

/** Does something that must not end half-way: the signals that would end the process abort `signal` instead, until it is done. */
export async function interruptible<T>(ctx: Context, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const end = ctx.onSignals(ENDING, (name) => controller.abort(new Interruption(name)));
  try {
    return await work(controller.signal);
  } finally {
    end();
  }
}
