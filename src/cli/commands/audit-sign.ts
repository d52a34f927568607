import path from 'node:path';
import { formatHead } from '../../domain/audit.js';
import type { HeadNote } from '../../keyring/audit-sign.js';
import { examples, type Register } from '../command.js';
import { replaceFile } from '../output/to-file.js';
import { view } from '../output/view.js';
import type { Session } from '../session.js';

interface SignFlags {
  readonly signingKey?: string;
  readonly out?: string;
}

const noteView = view<HeadNote>('head', {
  head: { json: ({ head }) => formatHead(head) },
  birth: {},
  at: { json: ({ at }) => at.toISOString() },
  signer: {},
  note: {},
});

interface PublicKey {
  readonly name: string;
  readonly publicKey: string;
  readonly file: string;
  readonly created: boolean;
}

const keyView = view<PublicKey>('publicKey', { name: {}, publicKey: {}, file: {}, created: {} });

export const registerAuditSign: Register = (audit, run) => {
  audit
    .command('sign')
    .summary('sign the end of the log, so that others can hold you to it')
    .description(
      'Print the end of the log as a signed note: the log, number and hash of its last row, and the time, signed with Ed25519 (the format of the Go checksum database). Give the note to somebody else: with your public key and audit verify --signed-head, they see whether your log still contains that row.',
    )
    .option('--signing-key <file>', 'the private key from audit keygen (default: UNLOCKOS_KEYS_SIGNING_KEY_FILE)')
    .option('--out <file>', 'write the note to this file, and replace an earlier one')
    .addHelpText(
      'after',
      examples('audit sign --signing-key audit.key', 'audit sign --signing-key audit.key --out head.note'),
    )
    .action(run(sign));

  audit
    .command('keygen')
    .summary('create the key for audit sign, and print its public key')
    .description(
      'Create a signing key in a new file that only its owner can read, and print its public key. If the file exists, print its public key and change nothing. Publish the public key where those who check can trust it; keep the file as you keep peppers.',
    )
    .argument('<file>', 'the file of the private key')
    .option('--name <name>', 'who signs, without spaces and + (default: unlockos-keys/ and the name of this machine)')
    .addHelpText('after', examples('audit keygen audit.key', 'audit keygen audit.key --name example.com/unlockos-keys'))
    .action(run(keygen));
};

async function sign(session: Session, { signingKey: file, out }: SignFlags): Promise<void> {
  const { signingKey } = await import('../settings/signing-key.js');
  const signer = signingKey(session.ctx, file);
  const keyring = await session.keyring();
  const { checkSeenHead, TO_ACCEPT } = await import('../settings/seen-head.js');
  const { problem } = await checkSeenHead(session.ctx, keyring);
  if (problem !== null) session.out.remark(`warning: ${problem}; ${TO_ACCEPT}`);
  const signed = await keyring.auditSign(signer.secret());
  if (out === undefined) return session.out.print([signed], noteView, { single: true, table: async () => signed.note });
  const target = path.resolve(session.ctx.cwd, out);
  if (session.dryRun) return session.out.remark(`Dry run: would write ${formatHead(signed.head)} to ${target}`);
  replaceFile(target, out, signed.note);
  session.out.note(`Signed ${formatHead(signed.head)} as ${signed.signer}: ${target}`);
}

async function keygen(session: Session, { name }: { readonly name?: string }, file: string): Promise<void> {
  const target = path.resolve(session.ctx.cwd, file);
  if (session.dryRun) return session.out.remark(`Dry run: would create a signing key in ${target}`);
  const { makeSigningKey } = await import('../settings/signing-key.js');
  const { signer, created } = makeSigningKey(target, name, session.ctx);
  const publicKey = signer.verifier.toString();
  const made = { name: signer.verifier.name, publicKey, file: target, created };
  await session.out.print([made], keyView, { single: true, table: async () => `${publicKey}\n` });
  session.out.note(
    created
      ? `Made ${target}. Give the public key to those who check your notes; the file is a secret.`
      : `${target} exists; this is its public key, and nothing changed`,
  );
}
