import type { Context } from '../context.js';

/** Tells the runner of GitHub Actions to mask the key string in the log, on stderr, so that stdout holds the key string alone. */
export function maskInCi(ctx: Context, keyString: string): void {
  if (ctx.env.GITHUB_ACTIONS === 'true') ctx.stderr.write(`::add-mask::${keyString}\n`);
}
