import { parseIssueRules } from '../../src/issuer/rules.js';
import { Tokens } from '../../src/issuer/tokens.js';
import { ruleFor } from './issue-servers.js';
import { OidcProvider } from './oidc-provider.js';

interface Verifying {
  readonly provider?: OidcProvider;
  readonly timeoutMs?: number;
}

/**
 * A provider, and what verifies its ID tokens. The time stands still unless the test moves it: a second that begins in the middle of a
 * test decides nothing.
 */
export async function verifying({ provider, timeoutMs = 20_000 }: Verifying = {}) {
  const clock = { now: Date.now(), monotonic: 0 };
  const at = provider ?? (await OidcProvider.start());
  const tokens = new Tokens(
    () => new Date(clock.now),
    { ca: at.ca, timeoutMs },
    () => clock.monotonic,
  );
  tokens.trust(parseIssueRules(JSON.stringify([ruleFor(at)]), 'issue.yaml'));
  const code = async (token: string) => {
    const found = await tokens.verify(token);
    return 'code' in found ? found.code : 'ok';
  };
  return { provider: at, tokens, clock, code };
}
