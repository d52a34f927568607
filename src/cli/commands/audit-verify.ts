import { type AuditHead, formatHead } from '../../domain/audit.js';
import { counted } from '../../domain/counted.js';
import { KeysError } from '../../domain/errors.js';
import { safeText } from '../../domain/text.js';
import type { AuditCheck } from '../../keyring/audit-check.js';
import type { Keyring } from '../../keyring/keyring.js';
import { collect, examples, type Register } from '../command.js';
import { answerCode, type ExitCode } from '../exit-code.js';
import { view } from '../output/view.js';
import type { Session } from '../session.js';
import { readHead } from '../targets/audit-row.js';

interface AuditVerifyFlags {
  readonly anchor?: string;
  readonly forget?: boolean;
  readonly file?: string[];
  readonly after?: string;
  readonly signedHead?: string;
  readonly publicKey?: string;
}

export const registerAuditVerify: Register = (audit, run) => {
  audit
    .command('verify')
    .summary('check the log, and compare it with the keys')
    .description(
      'Check that no row of the log was changed, removed or reordered, and that the keys match the log. Exits with 7 if not. Whoever can write to the store can rebuild the whole log: the end that you saw last is remembered on this machine, and the log must still contain it. For more safety, keep the output of audit head elsewhere, and pass it as --anchor. With --file, lines of audit list -o jsonl are checked instead, without the store.',
    )
    .option('--anchor <seq:hash>', 'an earlier output of audit head: the log must still contain it')
    .option('--forget', 'accept the present end of the log, after you put a backup in place yourself')
    .option(
      '--file <file>',
      'check these lines of audit list -o jsonl; repeat for more files, the oldest first',
      collect,
    )
    .option(
      '--after <seq:hash>',
      'with --file: the row before the first line, up to which the log was checked before, or its line',
    )
    .option('--signed-head <file>', 'a note of audit sign: the log must still contain the row that was signed')
    .option('--public-key <key>', 'with --signed-head: what audit keygen printed, or a file that holds it')
    .addHelpText(
      'after',
      examples(
        'audit verify',
        'audit verify --anchor "$(cat last-head.txt)"',
        'audit verify --signed-head head.note --public-key audit.pub',
        'audit verify --file audit.jsonl.1 --file audit.jsonl',
        'audit verify --file - < audit.jsonl',
      ),
    )
    .action(run(verify));
};

/** What the log lacks of what was seen here before; null when nothing. `forget`: its present end counts from now on. */
async function seenProblem(session: Session, keyring: Keyring, forget = false): Promise<string | null> {
  const { acceptHead, checkSeenHead, TO_ACCEPT } = await import('../settings/seen-head.js');
  if (forget) {
    const seen = await acceptHead(session.ctx, keyring);
    session.out.note(seen ? `Forgotten: the log of ${seen.at}, up to row ${seen.head.seq}` : 'Nothing was remembered');
    return null;
  }
  const { problem } = await checkSeenHead(session.ctx, keyring);
  return problem === null ? null : `${problem}; ${TO_ACCEPT}`;
}

function withProblem(check: AuditCheck, problem: string | null): AuditCheck {
  return problem === null ? check : { ...check, sound: false, problems: [problem, ...check.problems] };
}

const checkView = view<AuditCheck>('sound', {
  sound: {},
  events: {},
  head: { json: ({ head }) => formatHead(head) },
  problems: {},
});

async function verify(session: Session, flags: AuditVerifyFlags): Promise<ExitCode> {
  const signed = await readSignedHead(session, flags);
  const anchor = signed?.head ?? readHead('--anchor', flags.anchor);
  const after = readHead('--after', flags.after);
  if (flags.after !== undefined && !flags.file)
    throw new KeysError('usage', '--after works with --file only', 'to check the whole store: --anchor SEQ:HASH');
  if (flags.forget && flags.file)
    throw new KeysError('usage', '--forget and --file do not go together', 'pass one of them');
  const found = flags.file
    ? await checkFiles(session, flags.file, after, anchor)
    : await checkStore(session, anchor, flags.forget);
  const check = withProblem(found, signed?.problem ?? null);
  const text = check.sound
    ? `sound: ${counted(check.events, 'event')}, head ${formatHead(check.head)}\n`
    : `NOT sound:\n${check.problems.map((problem) => `  ${safeText(problem)}`).join('\n')}\n`;
  await session.out.print([check], checkView, { single: true, table: async () => text });
  if (check.sound && signed) session.out.note(signed.said);
  return answerCode(check.sound);
}

/** What a signed note says; null when no note is named. Throws `usage` for a file that is not a signed note. */
async function readSignedHead(session: Session, { signedHead, publicKey, anchor }: AuditVerifyFlags) {
  if (signedHead === undefined && publicKey === undefined) return null;
  if (signedHead === undefined || publicKey === undefined)
    throw new KeysError(
      'missing_input',
      `missing: ${signedHead === undefined ? '--signed-head' : '--public-key'}`,
      'a note is checked with the public key of its signer: --signed-head FILE --public-key KEY',
    );
  if (anchor !== undefined)
    throw new KeysError('usage', '--anchor and --signed-head do not go together', 'check them one after the other');
  const { openNoteFile } = await import('../settings/signed-head-file.js');
  return openNoteFile(signedHead, publicKey, session.ctx.cwd);
}

async function checkStore(session: Session, anchor: AuditHead | null, forget?: boolean): Promise<AuditCheck> {
  const keyring = await session.keyring();
  return withProblem(await keyring.auditVerify(anchor), await seenProblem(session, keyring, forget));
}

async function checkFiles(
  session: Session,
  files: readonly string[],
  after: AuditHead | null,
  anchor: AuditHead | null,
): Promise<AuditCheck> {
  const { checkLineFiles } = await import('../targets/audit-files.js');
  return checkLineFiles(session, files, after, anchor);
}
