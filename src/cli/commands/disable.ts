import { readDescription } from '../../domain/api-key.js';
import { forEachTarget, readTargets } from '../batch.js';
import { examples, type Register } from '../command.js';

interface DisableFlags {
  readonly reason?: string;
  readonly stdin?: boolean;
}

export const registerDisable: Register = (program, run) => {
  program
    .command('disable')
    .summary('stop keys from verifying, at once; can be undone')
    .description('Stop keys from verifying, from the next call on. The record stays, and enable undoes it.')
    .argument('[key...]', 'key id, exact name, or the beginning of the id')
    .option('--reason <text>', 'why, for the audit log')
    .option('--stdin', 'read whole leaked key strings from stdin, one a line')
    .addHelpText(
      'after',
      examples(
        'disable partner-checkin --reason "left the programme"',
        'disable 7k2m 9xw4',
        'disable --stdin < leaked.txt',
      ),
    )
    .action(
      run(async (session, flags: DisableFlags, refs: string[]) => {
        const reason = readDescription(flags.reason ?? '');
        const targets = await readTargets(session, refs, flags.stdin);
        await session.target();
        return forEachTarget(session, targets, async (key) => {
          if (session.dryRun) return { key, changed: false, said: `Dry run: would disable ${key.name} (${key.id})` };
          const result = await (await session.keyring()).disable(key.id, reason);
          return { ...result, said: `${result.changed ? 'Disabled' : 'Already inactive:'} ${key.name} (${key.id})` };
        });
      }),
    );
};
