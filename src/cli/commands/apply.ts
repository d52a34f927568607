import { parseDuration } from '../../domain/expiry.js';
import type { ApplyFlags } from '../apply-guards.js';
import { collect, examples, operationOption, type Register } from '../command.js';
import { planFor, readManifest } from '../manifest-file.js';
import type { Session } from '../session.js';

const FORM = `
A manifest is YAML or JSON. What it does not say of a key, apply leaves as it is:
  version: 1
  name: partner-team             # whose keys these are: apply touches no others
  scopes:                        # optional: missing ones are added to the catalogue
    - plan:delete
    - { scope: report:read, label: Reports }
  keys:
    - name: partner-checkin      # who it is: another name is another key
      mode: live                 # live or test; never changes
      scopes: [checkin:read]     # others: the key is rotated
      description: For the partner app
      rateLimit: 600/m
      expires: 90d               # only of a key that is made now; expiresAt: 2027-01-31 is compared, too
      labels: { team: partner }
      disabled: false            # true disables it, false enables it`;

export const registerApply: Register = (program, run) => {
  operationOption(program.command('apply'))
    .summary('bring the store to what a manifest says')
    .description(
      'Make, edit, rotate, disable and enable keys until the store is as a manifest says. Shows what it would do and asks; scripts pass --yes. Applied twice, it changes nothing.',
    )
    .argument('[command...]', 'after --: the program of --pipe and its arguments')
    .option('-f, --file <file>', 'the manifest, YAML or JSON; - reads stdin')
    .option('--key-dir <dir>', 'where new key strings go: one new file each, mode 0600')
    .option('--pipe', 'run the program after -- for each new key, with the key string on its stdin')
    .option('--overlap <time>', 'how long a key goes on working once it is rotated: 24h (the default), 0')
    .option('--adopt', 'take in keys of these names that no manifest made')
    .option(
      '--prune',
      'disable keys that left the manifest, and delete those that are inactive; retire scopes likewise',
    )
    .option('--confirm <name>', 'in a protected profile: the name of a key, typed ahead; repeat for several', collect)
    .addHelpText(
      'after',
      FORM +
        '\n' +
        examples(
          'apply -f keys.yaml --dry-run',
          'apply -f keys.yaml --key-dir ./new-keys',
          'apply -f keys.yaml --key-dir ./new-keys --prune --yes',
          'apply -f keys.yaml --yes --pipe -- ./store-secret   # UNLOCKOS_KEYS_NAME says which key it is',
        ),
    )
    .action(run((session, flags: ApplyFlags, words: string[]) => apply(session, flags, words)));
};

async function apply(session: Session, flags: ApplyFlags, words: readonly string[]): Promise<void> {
  const { confirmPlan, handoutFor, refuseFlags, refuseLive, said } = await import('../apply-guards.js');
  refuseFlags(flags, words);
  const overlapMs = readOverlap(flags.overlap);
  const manifest = await readManifest(session, flags);
  const keyring = await session.keyring({ create: !session.dryRun });
  const plan = await planFor(session, keyring, manifest, flags);
  const { planLines, planView, summary } = await import('../output/plan-view.js');
  refuseLive(session, plan);
  if (session.dryRun || plan.steps.length === 0) {
    await session.print(
      plan.steps.map((step) => ({ step, key: null })),
      planView,
      { empty: `Nothing to change: the store is as ${manifest.source} says` },
    );
    session.note(plan.notes);
    if (plan.steps.length > 0) session.remark(`Dry run: would ${summary(plan.steps)}; nothing was changed.`);
    return;
  }
  const handout = handoutFor(session, flags, words, plan);
  const say = session.interactive && !session.flags.yes ? session.remark : session.note;
  say.call(session, [...planLines(plan.steps), ...plan.notes]);
  await confirmPlan(session, flags, plan);
  session.target();
  const { applyPlan } = await import('../../manifest/apply.js');
  const done = await applyPlan(keyring, plan, {
    operationId: session.operationId,
    overlapMs,
    handout,
    onDone: (each) => session.note(said(each)),
  });
  if (session.format !== 'table') await session.print(done, planView);
}

function readOverlap(text: string | undefined): number {
  return text === '0' ? 0 : parseDuration(text ?? '24h', '--overlap');
}
