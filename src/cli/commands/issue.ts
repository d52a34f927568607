import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { examples, type Register } from '../command.js';
import type { Session } from '../session.js';
import { oneOf } from '../settings/global-flags.js';
import { LOGGED, listenAddress, rulesFile, sayRegress, untilTold } from '../settings/listening.js';
import { checkSeenHead, TO_ACCEPT } from '../settings/seen-head.js';
import { assertScopesExist } from '../targets/known-scopes.js';

interface IssueFlags {
  readonly rules?: string;
  readonly listen: string;
  readonly log: string;
}

export const registerIssue: Register = (program, run) => {
  program
    .command('issue')
    .summary('an HTTP endpoint where CI jobs get test keys for minutes')
    .description(
      'Give test keys to CI jobs that hold no secret, over HTTP, until SIGTERM or Ctrl-C. POST /keys takes the job\'s own ID token (OpenID Connect) as bearer and {"scopes", "ttl"}; DELETE /keys/ID ends a key of the same job; /healthz and /metrics (Prometheus) are for monitoring. Rules say which jobs may ask for what. Every key is a test key and expires within a day. Put TLS in front, because tokens and key strings are sent in clear text.',
    )
    .option('--rules <file>', 'a file of rules that say which jobs may ask for which keys (required)')
    .option('--listen <address>', 'HOST:PORT (port 0: any free port), or unix:PATH', '127.0.0.1:8788')
    .option('--log <which>', `which requests to log: ${LOGGED.join(', ')}`, 'all')
    .addHelpText(
      'after',
      `
Rules are a YAML or JSON list; the first one that matches a token decides:
  - name: app-tests
    issuer: https://token.actions.githubusercontent.com
    audience: https://keys.acme.example
    claims: { repository_id: '42', ref: refs/heads/main }   # exactly these
    scopes: [checkin:read]
    maxTtl: 30m

Send SIGHUP to reload the rules.
${examples(
  'issue --rules issue.yaml',
  'issue --rules issue.yaml --listen unix:/run/unlockos/issue.sock --log refused -p staging',
)}`,
    )
    .action(run(issue));
};

async function issue(session: Session, flags: IssueFlags): Promise<void> {
  const { ctx } = session;
  if (flags.rules === undefined)
    throw new KeysError(
      'missing_input',
      'missing: --rules',
      'name the file that says which jobs may ask: --rules FILE',
    );
  const where = listenAddress(flags.listen, session.flags.allowHttp === true);
  const logged = oneOf('--log', flags.log, LOGGED);
  const file = path.resolve(ctx.cwd, flags.rules);
  const { IssueServer, Log, parseIssueRules, Tokens } = await import('../../issuer/index.js');
  const text = rulesFile(file, '--rules');
  const read = () => parseIssueRules(text(), file);
  const rules = read();
  const keyring = await session.keyring({ follow: true });
  await assertScopesExist(
    keyring,
    rules.flatMap(({ scopes }) => scopes),
  );
  await keyring.storeUpgrade();
  const issuing = await keyring.issuing();
  const log = new Log((text) => ctx.log(text), ctx.now);
  const line = log.line.bind(log);
  const server = new IssueServer({ keyring, issuing, rules, tokens: new Tokens(ctx.now), log, logged });
  await sayRegress(line, () => checkSeenHead(ctx, keyring), TO_ACCEPT); // before it listens: a signal after that must find its handler
  const address = await server.listen(where);
  line('info', 'listening', { address, store: session.store.value, rules: file });
  await untilTold(ctx, line, async () => {
    const next = read();
    await assertScopesExist(
      keyring,
      next.flatMap(({ scopes }) => scopes),
    );
    server.require(next);
  });
  await server.stop();
  line('info', 'stopped');
  await log.flush();
}
