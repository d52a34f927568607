import { examples, type Register } from '../command.js';
import { findingView } from '../output/views.js';
import { answer } from '../session.js';

export const registerDoctor: Register = (program, run) => {
  program
    .command('doctor')
    .summary('is everything in order: tool, store, permissions, audit')
    .description(
      'Check the tool, the store and their surroundings, and say what to do about what is wrong. Changes nothing. Exit 7 when something failed.',
    )
    .addHelpText('after', examples('doctor', 'doctor --store backup.db --json'))
    .action(
      run(async (session, _flags: object) => {
        const { diagnose } = await import('../health.js');
        const findings = await diagnose(session);
        await session.print(findings, findingView);
        for (const { check, hint } of findings) if (hint) session.note(`${check}: ${hint}`);
        return answer(findings.every(({ status }) => status !== 'failed'));
      }),
    );
};
