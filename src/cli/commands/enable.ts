import { statusAt } from '../../domain/api-key.js';
import { ALL_LABEL, examples, KEYS, operationOption, type Register } from '../command.js';
import { forEachTarget, readTargets } from '../targets/targets.js';

export const registerEnable: Register = (program, run) => {
  operationOption(program.command('enable'))
    .summary('enable disabled keys')
    .description('Enable disabled keys. An expired key stays expired.')
    .argument('[key...]', KEYS)
    .option(...ALL_LABEL)
    .addHelpText('after', examples('enable partner-checkin', 'enable 7k2m 9xw4 --json'))
    .action(
      run(async (session, flags: { label?: string[] }, refs: string[]) => {
        const targets = await readTargets(session, refs, flags);
        session.noteStore();
        return forEachTarget(
          session,
          targets,
          async (key, operationId) => {
            if (session.dryRun) return { key, changed: false, said: `Dry run: would enable ${key.name} (${key.id})` };
            const result = await (await session.keyring()).enable(key, { operationId });
            const expired = statusAt(result.key, session.now) === 'expired' ? ', but it has expired' : '';
            return {
              ...result,
              said: `${result.changed ? 'Enabled' : 'Already enabled:'} ${key.name} (${key.id})${expired}`,
            };
          },
          'disable',
        );
      }),
    );
};
