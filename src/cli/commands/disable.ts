import { readDescription } from '../../domain/key-name.js';
import { confirmProtected } from '../asking/confirm.js';
import { CONFIRM, examples, KEYS, operationOption, REASON, type Register } from '../command.js';
import { forEachTarget, readTargets, type TargetFlags, targetOptions } from '../targets/targets.js';

interface DisableFlags extends TargetFlags {
  readonly reason?: string;
  readonly confirm?: string[];
}

export const registerDisable: Register = (program, run) => {
  targetOptions(operationOption(program.command('disable')))
    .summary('disable keys at once; can be undone')
    .description('Disable keys: servers refuse them from the next request on. To undo it, enable them.')
    .argument('[key...]', KEYS)
    .option(...REASON)
    .option(...CONFIRM)
    .addHelpText(
      'after',
      examples(
        'disable partner-checkin --reason "left the programme"',
        'disable 7k2m 9xw4',
        'disable --label team=checkout',
        'list --unused-for 90d -o value | unlockos-keys disable -',
        'disable --stdin < leaked.txt',
      ),
    )
    .action(
      run(async (session, flags: DisableFlags, refs: string[]) => {
        const reason = readDescription(flags.reason ?? '');
        const targets = await readTargets(session, refs, flags);
        session.noteStore();
        const keys = targets.flatMap(({ key }) => (key?.status === 'active' ? [key] : []));
        if (!session.dryRun) await confirmProtected(session, keys, 'disable', flags.confirm);
        return forEachTarget(
          session,
          targets,
          async (key, operationId) => {
            if (session.dryRun) return { key, changed: false, said: `Dry run: would disable ${key.name} (${key.id})` };
            const result = await (await session.keyring()).disable(key, { operationId, reason });
            return { ...result, said: `${result.changed ? 'Disabled' : 'Already disabled:'} ${key.name} (${key.id})` };
          },
          'enable',
        );
      }),
    );
};
