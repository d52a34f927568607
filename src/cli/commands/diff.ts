import { type ManifestFlags, planFor, readManifest } from '../apply/manifest-file.js';
import { examples, type Register } from '../command.js';
import { answerCode } from '../exit-code.js';

interface DiffFlags extends ManifestFlags {
  readonly exitCode?: boolean;
}

export const registerDiff: Register = (program, run) => {
  program
    .command('diff')
    .summary('show what apply would change')
    .description('Compare the store with a manifest and show what apply would do. Nothing is changed.')
    .option('-f, --file <file>', 'the manifest, YAML or JSON; - reads stdin')
    .option('--adopt', 'include what apply --adopt would do')
    .option('--adopt-from <manifest>', 'include what apply --adopt-from would do')
    .option('--prune', 'include what apply --prune would do')
    .option('--exit-code', 'exit with 7 when there is something to change')
    .addHelpText(
      'after',
      examples(
        'diff -f keys.yaml',
        'diff -f keys.yaml --prune --exit-code',
        'diff -f keys.yaml --json',
        'diff -f keys.yaml -o markdown > plan.md   # for the comment on a pull request',
      ),
    )
    .action(
      run(async (session, flags: DiffFlags) => {
        const manifest = await readManifest(session, flags);
        const plan = await planFor(session, await session.keyring(), manifest, flags);
        const { planView, summary } = await import('../output/plan-view.js');
        if (session.report === 'markdown') {
          const { planMarkdown } = await import('../output/plan-markdown.js');
          session.ctx.stdout.write(planMarkdown(plan.steps, manifest.source, plan.notes));
          return flags.exitCode ? answerCode(plan.steps.length === 0) : 0;
        }
        await session.out.print(
          plan.steps.map((step) => ({ step, key: null })),
          planView,
          { empty: `Nothing to change: the store matches ${manifest.source}` },
        );
        session.out.note(plan.notes);
        if (plan.steps.length > 0) session.out.note(`apply would ${summary(plan.steps)}`);
        return flags.exitCode ? answerCode(plan.steps.length === 0) : 0;
      }),
    );
};
