import { type AuditHead, formatHead } from '../../domain/audit.js';
import { examples, type Register } from '../command.js';
import { view } from '../output/view.js';
import { registerAuditList } from './audit-list.js';
import { registerAuditSign } from './audit-sign.js';
import { registerAuditVerify } from './audit-verify.js';

const headView = view<AuditHead>('head', { seq: {}, hash: {}, head: { json: formatHead } });

export const registerAudit: Register = (program, run) => {
  const audit = program
    .command('audit')
    .summary('who did what, when: list, verify, head, sign')
    .description('The audit log: every change, who made it, and the values before and after. It never holds a secret.');

  registerAuditList(audit, run);
  registerAuditVerify(audit, run);

  audit
    .command('head')
    .summary('print the end of the log as seq:hash')
    .description(
      'Print the end of the log as seq:hash. Keep it where this machine cannot write: audit verify --anchor then detects a log that was cut or rebuilt.',
    )
    .addHelpText('after', examples('audit head', 'audit head > last-head.txt'))
    .action(
      run(async (session, _flags: object) => {
        const head = await (await session.keyring()).auditHead();
        await session.out.print([head], headView, { single: true, table: async () => `${formatHead(head)}\n` });
      }),
    );

  registerAuditSign(audit, run);
};
