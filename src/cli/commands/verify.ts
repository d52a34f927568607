import { KeysError } from '../../domain/errors.js';
import { MODES, type Mode, maskKey } from '../../domain/key-string.js';
import { assertScopeForm, splitList } from '../../domain/scopes.js';
import { quoted } from '../../domain/text.js';
import type { Verdict } from '../../domain/verdict.js';
import { collect, examples, type Register } from '../command.js';
import { type KeyInputFlags, readKeyString } from '../key-input.js';
import type { View } from '../output/formats.js';
import { answer } from '../session.js';

interface VerifyFlags extends KeyInputFlags {
  readonly requireScope?: string[];
  readonly environment?: string;
}

export const registerVerify: Register = (program, run) => {
  program
    .command('verify')
    .summary('would an API server accept this key string?')
    .description(
      'Say whether an API server would accept a key string: exit 0 when it would, 7 when not. Does not count as use.',
    )
    .option('--stdin', 'read the key string from stdin')
    .option('--key-file <file>', 'read the key string from a file')
    .option('--require-scope <scope>', 'a scope that the request would need; repeat for several', collect)
    .option('--environment <mode>', "the server's environment, live or test (default: not checked)")
    .addHelpText(
      'after',
      examples(
        'verify --key-file partner.key --environment live',
        'verify --stdin --require-scope plan:read --json < partner.key',
      ),
    )
    .action(
      run(async (session, flags: VerifyFlags) => {
        const environment = readEnvironment(flags.environment);
        const scopes = splitList(flags.requireScope ?? []);
        scopes.forEach(assertScopeForm);
        const keyString = await readKeyString(session, flags);
        const verdict = await (await session.keyring()).verify(keyString, { environment, scopes });
        await session.print([verdict], verdictView, { single: true, table: async () => `${describe(verdict)}\n` });
        return answer(verdict.verdict === 'valid');
      }),
    );
};

function readEnvironment(text: string | undefined): Mode | undefined {
  const found = MODES.find((mode) => mode === text);
  if (text !== undefined && !found)
    throw new KeysError('usage', `--environment ${quoted(text)} is unknown`, 'one of: live, test');
  return found;
}

const verdictView: View<Verdict> = {
  fields: ['verdict', 'keyId', 'name', 'mode', 'scopes', 'environment', 'missingScopes', 'expiresAt'],
  valueField: 'verdict',
  json: (verdict) => {
    const key = verdict.verdict === 'invalid' ? null : verdict.key;
    return {
      verdict: verdict.verdict,
      keyId: key?.id ?? null,
      name: key?.name ?? null,
      mode: key?.mode ?? null,
      scopes: key?.scopes ?? null,
      environment: verdict.verdict === 'wrong_environment' ? verdict.environment : null,
      missingScopes: verdict.verdict === 'missing_scope' ? verdict.missingScopes : null,
      expiresAt: key?.expiresAt?.toISOString() ?? null,
    };
  },
  columns: [],
};

function describe(verdict: Verdict): string {
  if (verdict.verdict === 'invalid') return 'invalid: not a key of this store, or not its secret';
  const { key } = verdict;
  const which = `${quoted(key.name)} (${maskKey(key.mode, key.id)})`;
  switch (verdict.verdict) {
    case 'valid':
      return `valid: ${which} may ${key.scopes.join(', ')}`;
    case 'inactive':
      return `inactive: ${which} is disabled`;
    case 'expired':
      return `expired: ${which} ended ${key.expiresAt?.toISOString()}`;
    case 'wrong_environment':
      return `wrong_environment: ${which} is a ${key.mode} key, this would be a ${verdict.environment} server`;
    case 'rate_limited':
      return `rate_limited: ${which} may go on in ${Math.ceil(verdict.retryAfterMs / 1000)} s`;
    case 'missing_scope':
      return `missing_scope: ${which} does not hold ${verdict.missingScopes.join(', ')}`;
  }
}
