import { safeText } from '../../domain/text.js';
import type { ReviewFinding } from '../../keyring/review.js';
import { examples, type Register } from '../command.js';
import { answerCode, type ExitCode } from '../exit-code.js';
import { listed } from '../output/listed.js';
import { view } from '../output/view.js';
import { wrap } from '../output/wrap.js';
import type { Session } from '../session.js';

export const registerReview: Register = (program, run) => {
  program
    .command('review')
    .summary('what to look at: keys that never expire, are unused, old, …')
    .description(
      'Show the state of the keys on one screen: how many are a risk and why, the worst of them, and the command that lists all of them.',
    )
    .option('--exit-code', 'exit with 7 when there is something to look at')
    .addHelpText('after', examples('review', 'review --json', 'review --exit-code -q'))
    .action(run((session, flags: { exitCode?: boolean }) => review(session, flags)));
};

async function review(session: Session, { exitCode }: { exitCode?: boolean }): Promise<ExitCode> {
  const findings = session.storeIsUnborn() ? [] : await (await session.keyring()).review();
  const found = findings.filter(({ count }) => count > 0);
  const shown = session.format === 'table' ? found : findings;
  const command = ({ list }: ReviewFinding) => session.followUp(...list);
  const reviewView = view<ReviewFinding>('check', {
    check: {},
    what: { column: { header: 'WHAT', text: ({ what }) => what, min: 24 }, place: 2 },
    count: { column: { header: 'KEYS', text: ({ count }) => String(count) }, place: 1 },
    worst: { json: ({ worst }) => worst.map(({ id, name }) => ({ id, name })) },
    list: { json: command },
  });
  const table = async () => {
    const columns = session.ctx.stdout.isTTY ? session.ctx.stdout.columns() : undefined;
    const width = String(Math.max(...found.map(({ count }) => count))).length;
    const lines = found.flatMap((finding) => [
      `${String(finding.count).padStart(width)} ${finding.what}: ${listed(finding.worst.map(({ name }) => name))}${finding.count > finding.worst.length ? ', …' : ''}`,
      `${' '.repeat(width)} ${command(finding)}`,
    ]);
    return `${wrap(lines.map(safeText).join('\n'), columns)}\n`;
  };
  await session.out.print(shown, reviewView, { empty: 'Nothing to look at.', table });
  return answerCode(!(exitCode && found.length > 0));
}
