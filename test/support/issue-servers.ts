import { onTestFinished } from 'vitest';
import type { Limits } from '../../src/http-server/http-server.js';
import { Log } from '../../src/http-server/log.js';
import { parseIssueRules } from '../../src/issuer/rules.js';
import { IssueServer, type Logged } from '../../src/issuer/server.js';
import { Tokens } from '../../src/issuer/tokens.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { ask, JSON_TYPE } from './auth-servers.js';
import { freshKeyring } from './keyrings.js';
import { AUDIENCE, OidcProvider } from './oidc-provider.js';
import { DEFAULT_ENGINE } from './stores.js';

/** A rule for the jobs of `acme/app` at this provider. */
export function ruleFor(provider: OidcProvider, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    name: 'app',
    issuer: provider.issuer,
    audience: AUDIENCE,
    claims: { repository_id: '42' },
    scopes: ['checkin:read', 'plan:read'],
    ...more,
  };
}

export interface IssueScene {
  readonly keyring: Keyring;
  readonly provider: OidcProvider;
  readonly server: IssueServer;
  readonly address: string;
  readonly lines: () => Record<string, unknown>[];
  readonly clock: { now: () => Date; monotonic: () => number };
  /** Asks for a key; by default with a token of the provider. */
  readonly issue: (token?: string, body?: unknown) => ReturnType<typeof ask>;
  readonly end: (id: string, token: string) => ReturnType<typeof ask>;
}

interface SceneOptions {
  readonly keyring?: Keyring;
  readonly provider?: OidcProvider;
  readonly rules?: (provider: OidcProvider) => unknown;
  readonly limits?: Partial<Limits>;
  readonly logged?: Logged;
  /** Certificates to trust besides that of the provider. */
  readonly ca?: string;
}

/** An issuer in this process, and a provider. */
export async function issuing(options: SceneOptions = {}): Promise<IssueScene> {
  const provider = options.provider ?? (await OidcProvider.start());
  const clock = { now: () => new Date(), monotonic: () => performance.now() };
  const keyring =
    options.keyring ??
    (await freshKeyring(
      DEFAULT_ENGINE,
      liveClock(() => clock.now()),
    ));
  const written: string[] = [];
  const log = new Log(
    async (text) => {
      written.push(text);
    },
    () => clock.now(),
  );
  const rules = parseIssueRules(JSON.stringify(options.rules?.(provider) ?? [ruleFor(provider)]), 'issue.yaml');
  const tokens = new Tokens(
    () => clock.now(),
    { ca: `${provider.ca}${options.ca ?? ''}` },
    () => clock.monotonic(),
  );
  const server = new IssueServer({
    keyring,
    issuing: await keyring.issuing(),
    rules,
    tokens,
    log,
    logged: options.logged ?? 'all',
    limits: options.limits,
  });
  onTestFinished(() => server.stop());
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  return {
    keyring,
    provider,
    server,
    address,
    clock,
    lines: () =>
      written
        .join('')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
    issue: async (token, body = { scopes: ['checkin:read'] }) =>
      ask(address, '/keys', {
        method: 'POST',
        headers: {
          ...JSON_TYPE,
          ...(token !== '' && { authorization: `Bearer ${token ?? (await provider.token())}` }),
        },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    end: (id, token) =>
      ask(address, `/keys/${id}`, { method: 'DELETE', headers: { authorization: `Bearer ${token}` } }),
  };
}

/** A clock whose `now` is asked for each time. */
export function liveClock(now: () => Date = () => new Date()): { now: Date } {
  return {
    get now() {
      return now();
    },
    set now(_: Date) {},
  };
}
