import { statusAt } from '../../domain/api-key.js';
import { forEachTarget, readTargets } from '../batch.js';
import { collect, examples, operationOption, type Register } from '../command.js';

export const registerEnable: Register = (program, run) => {
  operationOption(program.command('enable'))
    .summary('let disabled keys verify again')
    .description('Let disabled keys verify again. An expired key stays expired.')
    .argument('[key...]', 'key id, exact name, or the beginning of the id; - reads them from stdin')
    .option('-l, --label <name=value>', 'all keys with this label; repeat for those that have several', collect)
    .addHelpText('after', examples('enable partner-checkin', 'enable 7k2m 9xw4 --json'))
    .action(
      run(async (session, flags: { label?: string[] }, refs: string[]) => {
        const targets = await readTargets(session, refs, flags);
        session.target();
        return forEachTarget(session, targets, async (key, operationId) => {
          if (session.dryRun) return { key, changed: false, said: `Dry run: would enable ${key.name} (${key.id})` };
          const result = await (await session.keyring()).enable(key, { operationId });
          const expired = statusAt(result.key, session.now) === 'expired' ? ', but it has expired' : '';
          return {
            ...result,
            said: `${result.changed ? 'Enabled' : 'Already active:'} ${key.name} (${key.id})${expired}`,
          };
        });
      }),
    );
};
