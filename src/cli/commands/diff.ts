import { examples, type Register } from '../command.js';
import { type ManifestFlags, planFor, readManifest } from '../manifest-file.js';
import { answer } from '../session.js';

interface DiffFlags extends ManifestFlags {
  readonly exitCode?: boolean;
}

export const registerDiff: Register = (program, run) => {
  program
    .command('diff')
    .summary('what apply would change; changes nothing')
    .description('Compare the store with a manifest and show what apply would do. Nothing is changed.')
    .option('-f, --file <file>', 'the manifest, YAML or JSON; - reads stdin')
    .option('--adopt', 'as apply --adopt would')
    .option('--prune', 'as apply --prune would')
    .option('--exit-code', 'exit 7 when there is something to change')
    .addHelpText(
      'after',
      examples('diff -f keys.yaml', 'diff -f keys.yaml --prune --exit-code', 'diff -f keys.yaml --json'),
    )
    .action(
      run(async (session, flags: DiffFlags) => {
        const manifest = await readManifest(session, flags);
        const plan = await planFor(session, await session.keyring(), manifest, flags);
        const { planView, summary } = await import('../output/plan-view.js');
        await session.print(
          plan.steps.map((step) => ({ step, key: null })),
          planView,
          { empty: `Nothing to change: the store is as ${manifest.source} says` },
        );
        session.note(plan.notes);
        if (plan.steps.length > 0) session.note(`apply would ${summary(plan.steps)}`);
        return flags.exitCode ? answer(plan.steps.length === 0) : 0;
      }),
    );
};
