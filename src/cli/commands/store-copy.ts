import { formatHead } from '../../domain/audit.js';
import { counted } from '../../domain/counted.js';
import { KeysError } from '../../domain/errors.js';
import { lookAtNamed } from '../../files/exists.js';
import { confirm } from '../asking/confirm.js';
import { examples, type Register } from '../command.js';
import { progressOf } from '../output/progress.js';
import { view } from '../output/view.js';
import type { Session } from '../session.js';
import { acceptHead } from '../settings/seen-head.js';
import { type Settings, settingsForStore } from '../settings/settings.js';
import { TOKEN_VARIABLE, tokenSource } from '../settings/token.js';

export const registerStoreCopy: Register = (store, run) => {
  store
    .command('copy')
    .summary('copy everything into another store; can be resumed')
    .description(
      'Copy a store into another, local or remote: keys, catalogue, last-used times and the audit log. When interrupted, run it again to continue; run it again later to copy what happened since. At the end both stores are verified. Until then the copy cannot be used.',
    )
    .argument('<from>', 'a path, a URL, or the name of a profile')
    .argument(
      '<to>',
      'a path, a URL, or the name of a profile: a store that does not exist yet, an empty database, or an earlier copy',
    )
    .addHelpText(
      'after',
      examples(
        'store copy keys.db libsql://keys-acme.turso.io',
        'store copy prod keys-of-prod.db',
        'store copy old new -n',
      ),
    )
    .action(run((session, _flags: object, from: string, to: string) => copy(session, from, to)));

  store
    .command('finish')
    .summary('make an unfinished copy usable as it is')
    .description(
      'Make an interrupted copy usable as it is, if its audit log verifies and agrees with its keys. It may end earlier than the source: keys that were disabled or deleted there since then still work here. Where the source still exists, run the same store copy again instead.',
    )
    .addHelpText('after', examples('store finish --store keys-of-prod.db', 'store finish --store keys-of-prod.db -n'))
    .action(run((session, _flags: object) => finish(session)));
};

async function finish(session: Session): Promise<void> {
  const keyring = await session.keyring({ receive: true });
  const { seq } = await keyring.auditHead();
  if (session.dryRun)
    return session.out.remark(`Dry run: would make ${session.store.value} usable, up to audit row ${seq}`);
  await confirm(session, {
    action: `make the copy ${session.store.value} usable, with what happened up to audit row ${seq}`,
  });
  const { finished, head } = await keyring.storeFinish();
  session.noteStore();
  session.out.note(
    finished
      ? `The copy is a store now; its log ends in ${formatHead(head)}`
      : 'This is not an unfinished copy: nothing to do',
  );
}

async function copy(session: Session, from: string, to: string): Promise<void> {
  const { ctx, flags, settings } = session;
  const [source, target] = [from, to].map((text) => settingsForStore(ctx, flags, settings.config, text)) as [
    Settings,
    Settings,
  ];
  if (source.store.value === target.store.value || isSameFile(source, target))
    throw new KeysError('usage', 'FROM and TO are the same store', 'unlockos-keys store copy FROM TO');
  const guard = [target.profile, settings.profile].find((profile) => profile?.value.testOnly);
  if (guard)
    throw new KeysError(
      'guarded',
      `profile ${guard.value.name} is for test keys only, and a copy contains live keys as well`,
      'name another store, or another profile',
    );
  refuseSharedToken(session, source, target);
  const keyring = await session.other(source, {});
  session.out.note(`From: ${source.store.value} (${source.store.source})`);
  session.out.note(`To: ${target.store.value} (${target.store.source})`);
  if (session.dryRun) {
    const { seq } = await keyring.auditHead();
    return session.out.remark(`Dry run: would copy ${seq} audit events and their keys`);
  }
  const receiver = await session.other(target, { create: true, receive: true });
  const { head, keys, copied } = await keyring.storeCopy(
    receiver,
    progressOf(session, { worthwhile: 1000, what: 'audit events copied' }),
  );
  await acceptHead(ctx, receiver);
  const result = { keys, events: head.seq, copied, head: formatHead(head) };
  await session.out.print([result], copyView, {
    single: true,
    table: async () =>
      `${counted(keys, 'key')}, ${copied} of ${counted(head.seq, 'audit event')} now; both logs end in ${formatHead(head)}\n`,
  });
}

/** A path can lead to the same file in many ways. That two URLs lead to one server is found out when the copy begins. */
function isSameFile(one: Settings, other: Settings): boolean {
  const look = ({ remote, store }: Settings) => (remote ? null : lookAtNamed(store.value));
  const [a, b] = [look(one), look(other)];
  return a !== null && a.dev === b?.dev && a.ino === b.ino;
}

/** Throws `usage` when both servers would get the token of the environment: one of them must not see it. */
function refuseSharedToken({ ctx }: Session, source: Settings, target: Settings): void {
  const both = [source, target].every((each) => each.remote && tokenSource(each, ctx) === TOKEN_VARIABLE);
  if (both)
    throw new KeysError(
      'usage',
      `${TOKEN_VARIABLE} is one token, and these are two servers`,
      'name at least one of them by a profile that has its own token: unlockos-keys profile add',
    );
}

interface Copied {
  readonly keys: number;
  readonly events: number;
  readonly copied: number;
  readonly head: string;
}

const copyView = view<Copied>('head', { keys: {}, events: {}, copied: {}, head: {} });
