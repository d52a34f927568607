import { planFor, readManifest } from '../apply/manifest-file.js';
import type { ApplyFlags } from '../apply/plan-guards.js';
import { collect, examples, operationOption, type Register } from '../command.js';
import { readOverlap } from '../delivery/rotation.js';
import { SINKS_OF_APPLY, sinkOptions } from '../delivery/sinks.js';
import type { Session } from '../session.js';

const FORM = `
A manifest; help manifest shows all of its properties:
  version: 1
  name: partner-team
  keys:
    - { name: partner-checkin, mode: live, scopes: [checkin:read] }`;

export const registerApply: Register = (program, run) => {
  const command = operationOption(program.command('apply'))
    .summary('change the store to match a manifest')
    .description(
      'Create, edit, rotate, disable and enable keys until the store matches a manifest. It shows the plan and asks; scripts pass --yes.',
    )
    .argument('[command...]')
    .option('-f, --file <file>', 'the manifest, YAML or JSON; - reads stdin')
    .option('--overlap <time>', 'how long a rotated key keeps working (default: 24h)')
    .option('--adopt', 'take over keys that no manifest created')
    .option('--adopt-from <manifest>', 'take them over from the manifest of this name')
    .option('--prune', 'disable what the manifest no longer names, delete what is inactive by then, and retire scopes')
    .option('--confirm <name>', 'in a protected profile: the name of a key; repeatable', collect);
  sinkOptions(command, SINKS_OF_APPLY)
    .addHelpText(
      'after',
      FORM +
        '\n' +
        examples(
          'apply -f keys.yaml --dry-run',
          'apply -f keys.yaml --key-dir ./new-keys',
          'apply -f keys.yaml --key-dir ./new-keys --prune --yes',
          'apply -f keys.yaml --yes --pipe -- ./store-secret',
        ),
    )
    .action(run((session, flags: ApplyFlags, words: string[]) => apply(session, flags, words)));
};

async function apply(session: Session, flags: ApplyFlags, operands: readonly string[]): Promise<void> {
  const { args, program: words } = session.splitAtDashes(operands, flags.pipe === true);
  const { confirmPlan, refuseFlags, refuseLive, said } = await import('../apply/plan-guards.js');
  refuseFlags(flags, args);
  const overlapMs = readOverlap(flags.overlap);
  const manifest = await readManifest(session, flags);
  const keyring = await session.keyring({ create: !session.dryRun });
  const plan = await planFor(session, keyring, manifest, flags);
  const { planLines, planView, summary } = await import('../output/plan-view.js');
  refuseLive(session, plan);
  if (session.dryRun || plan.steps.length === 0) {
    await session.out.print(
      plan.steps.map((step) => ({ step, key: null })),
      planView,
      { empty: `Nothing to change: the store matches ${manifest.source}` },
    );
    session.out.note(plan.notes);
    if (plan.steps.length > 0) session.out.remark(`Dry run: would ${summary(plan.steps)}; nothing was changed.`);
    return;
  }
  const { destinationsFor } = await import('../apply/destinations.js');
  const destinationOf = destinationsFor(session, flags, words, plan);
  const lines = [...planLines(plan.steps), ...plan.notes];
  if (session.interactive && !session.flags.yes) session.out.remark(lines);
  else session.out.note(lines);
  await confirmPlan(session, flags, plan);
  session.noteStore();
  const { applyPlan } = await import('../../manifest/apply.js');
  const { interruptible } = await import('../delivery/interruption.js');
  const done = await interruptible(session.ctx, (signal) =>
    applyPlan(keyring, plan, {
      operationId: session.operation.id,
      overlapMs,
      destinationOf,
      signal,
      onDone: (each) => session.out.note(said(each)),
    }),
  );
  if (session.format !== 'table') await session.out.print(done, planView);
}
