import { examples, type Register } from '../command.js';
import { answerCode } from '../exit-code.js';
import { findingView } from '../output/views.js';

export const registerDoctor: Register = (program, run) => {
  program
    .command('doctor')
    .summary('check the installation, the store and its permissions')
    .description(
      'Check the installation, the configuration and the store, and say how to fix each problem. Changes nothing. Exits with 7 when a check fails.',
    )
    .addHelpText('after', examples('doctor', 'doctor --store backup.db --json'))
    .action(
      run(async (session, _flags: object) => {
        const { diagnose } = await import('../diagnose.js');
        const findings = await diagnose(session);
        await session.out.print(findings, findingView);
        for (const { check, hint } of findings) if (hint) session.out.note(`${check}: ${hint}`);
        return answerCode(findings.every(({ status }) => status !== 'failed'));
      }),
    );
};
