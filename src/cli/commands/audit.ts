import { AUDIT_ACTIONS, formatHead, parseHead } from '../../domain/audit.js';
import { KeysError } from '../../domain/errors.js';
import { parseSince } from '../../domain/expiry.js';
import { quoted } from '../../domain/text.js';
import type { AuditCheck } from '../../keyring/audit-check.js';
import { examples, type Register } from '../command.js';
import type { View } from '../output/formats.js';
import { auditView } from '../output/views.js';
import { answer } from '../session.js';
import { readLimit } from './list.js';

interface AuditListFlags {
  readonly key?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly since?: string;
  readonly limit?: string;
}

const checkView: View<AuditCheck> = {
  fields: ['sound', 'events', 'head', 'problems'],
  valueField: 'sound',
  json: ({ sound, events, head, problems }) => ({ sound, events, head: formatHead(head), problems }),
  columns: [],
};

export const registerAudit: Register = (program, run) => {
  const audit = program
    .command('audit')
    .summary('who did what, when: list, verify, head')
    .description('The audit log: every change, who made it, and what was before and after. Never a secret.');

  audit
    .command('list', { isDefault: true })
    .allowExcessArguments()
    .summary('the changes, oldest first; -o jsonl for machines')
    .description('List changes, oldest first: time, OS user, claimed actor, action, key, before and after.')
    .option('--key <key>', 'only changes of this key: id (also of a deleted key), name, or the beginning of the id')
    .option('--actor <name>', 'only changes by this actor or OS user')
    .option('--action <action>', `only ${AUDIT_ACTIONS.join(', ')}`)
    .option('--since <when>', 'only from then on: 7d ago, a date or an instant')
    .option('--limit <n>', 'only the latest n')
    .addHelpText(
      'after',
      examples(
        'audit list --since 7d',
        'audit list --key partner-checkin -o jsonl',
        'audit list --actor alice@example.com --action key.delete',
      ),
    )
    .action(
      run(async (session, flags: AuditListFlags) => {
        const action = AUDIT_ACTIONS.find((each) => each === flags.action);
        if (flags.action !== undefined && !action)
          throw new KeysError(
            'usage',
            `--action ${quoted(flags.action)} is unknown`,
            `one of: ${AUDIT_ACTIONS.join(', ')}`,
          );
        const since = flags.since === undefined ? undefined : parseSince(flags.since, session.now);
        const keyring = await session.keyring();
        const events = await keyring.auditList({
          keyId: flags.key === undefined ? undefined : await keyring.auditKeyId(flags.key),
          actor: flags.actor,
          action,
          since,
          limit: readLimit(flags.limit),
        });
        await session.print(events, auditView, { empty: 'No change matches.' });
      }),
    );

  audit
    .command('verify')
    .summary('check the chain, and replay it against the keys')
    .description(
      'Check that no row of the log was changed, removed or reordered, and that the keys are what the log says. Exit 7 when not. An owner of the file can rebuild the whole log: note audit head elsewhere, and pass it as --anchor.',
    )
    .option('--anchor <seq:hash>', 'a head that was noted earlier: the log must still contain it')
    .addHelpText('after', examples('audit verify', 'audit verify --anchor "$(cat last-head.txt)"'))
    .action(
      run(async (session, flags: { anchor?: string }) => {
        const anchor = flags.anchor === undefined ? null : parseHead(flags.anchor);
        if (flags.anchor !== undefined && !anchor)
          throw new KeysError(
            'usage',
            `--anchor ${quoted(flags.anchor)} is not a head`,
            'pass seq:hash as audit head printed it',
          );
        const check = await (await session.keyring()).auditVerify(anchor);
        const text = check.sound
          ? `sound: ${check.events} events, head ${formatHead(check.head)}\n`
          : `NOT sound:\n${check.problems.map((problem) => `  ${problem}`).join('\n')}\n`;
        await session.print([check], checkView, { single: true, table: async () => text });
        return answer(check.sound);
      }),
    );

  audit
    .command('head')
    .summary('the end of the log as seq:hash, to note elsewhere')
    .description(
      'Print the end of the log as seq:hash. Kept where this machine cannot write, it shows later whether the log was cut or rebuilt.',
    )
    .addHelpText('after', examples('audit head', 'audit head > last-head.txt'))
    .action(
      run(async (session, _flags: object) => {
        const head = await (await session.keyring()).auditHead();
        const view: View<typeof head> = {
          fields: ['seq', 'hash', 'head'],
          valueField: 'head',
          json: (each) => ({ ...each, head: formatHead(each) }),
          columns: [],
        };
        await session.print([head], view, { single: true, table: async () => `${formatHead(head)}\n` });
      }),
    );
};
