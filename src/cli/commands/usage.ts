import { parseSince } from '../../domain/expiry.js';
import { DAY_MS, recordedSince } from '../../domain/use.js';
import { examples, KEY, type Register } from '../command.js';
import { dayView, usageView } from '../output/usage-view.js';
import type { Session } from '../session.js';

interface UsageFlags {
  readonly since: string;
}

/** What is beside the bars, in columns. */
const BESIDE = 62;
const WIDEST = 50;

export const registerUsage: Register = (program, run) => {
  program
    .command('usage')
    .summary('how often keys were used and refused, and why')
    .description(
      'Show how often keys were used and refused. With a KEY: day by day, with bars on a terminal; without one: every key that was used or refused, those with the most use first. Servers count, after the secret is proven, and keep it for 90 days; days are in UTC. -o csv and --json have all of it.',
    )
    .argument('[key...]', KEY)
    .option('--since <when>', 'a duration (30d, the default), a date or a time', '30d')
    .addHelpText('after', examples('usage', 'usage partner-checkin', 'usage partner-checkin --since 90d -o csv'))
    .action(run(usage));
};

/** The first day: `30d` are 30 days with today. */
function readSince(text: string, now: Date): Date {
  const since = parseSince(text, now);
  return /^\d+[dw]$/.test(text) ? new Date(since.getTime() + DAY_MS) : since;
}

function barWidth(session: Session): number {
  const { stdout } = session.ctx;
  if (!stdout.isTTY) return 0;
  return Math.min(WIDEST, Math.max(8, (stdout.columns() ?? 80) - BESIDE));
}

async function usage(session: Session, { since: text }: UsageFlags, refs: string[]): Promise<void> {
  const since = readSince(text, session.now);
  const empty = `No key was used or refused since ${since.toISOString().slice(0, 10)}.`;
  if (refs.length === 0 && session.storeIsUnborn()) return session.out.print([], usageView([], 0), { empty });
  const keyring = await session.keyring();
  const keys = [];
  for (const ref of refs) keys.push(await keyring.show(ref)); // look all of them up before one is printed
  if (keys.length > 0) {
    const days = [];
    for (const key of keys) days.push(...(await keyring.usageByDay(key, { since })));
    await session.out.print(days, dayView(days, barWidth(session)));
    return;
  }
  const uses = await keyring.usage({ since });
  await session.out.print(uses, usageView(uses, barWidth(session)), { empty });
  const recording = await keyring.recording();
  const from = recordedSince(recording, session.now);
  if (from === null)
    session.out.note('Not all use is recorded: no server records it now, or one does not (docs/api-server.md).');
  else if (from > since) session.out.note(`Use has been recorded without a gap since ${from.toISOString()}.`);
}
