import { canonicalAddress, networksText } from '../../domain/addresses.js';
import type { ApiKey } from '../../domain/api-key.js';
import { KeysError } from '../../domain/errors.js';
import { MODES, type Mode, maskKey } from '../../domain/key-string.js';
import { assertScopeForm, splitList } from '../../domain/scopes.js';
import { quoted } from '../../domain/text.js';
import type { Verdict } from '../../domain/verdict.js';
import { collect, examples, type Register } from '../command.js';
import { answerCode } from '../exit-code.js';
import { view } from '../output/view.js';
import { type KeyInputFlags, readKeyString } from '../targets/key-input.js';

interface VerifyFlags extends KeyInputFlags {
  readonly requireScope?: string[];
  readonly scope?: string[];
  readonly environment?: string;
  readonly address?: string;
}

export const registerVerify: Register = (program, run) => {
  program
    .command('verify')
    .summary('check whether an API server would accept a key string')
    .description(
      'Check whether an API server would accept a key string. Exits with 0 if so, with 7 if not. It does not count as a use.',
    )
    .option('--stdin', 'read the key string from stdin')
    .option('--key-file <file>', 'read the key string from a file')
    .option('--require-scope <scope>', 'a scope that the request needs; repeat for more', collect)
    .addOption(program.createOption('-s, --scope <scope>').argParser(collect).hideHelp())
    .option('--environment <mode>', "the server's environment: live or test (default: not checked)")
    .option('--address <ip>', 'the address that the request comes from')
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
        const address = readAddress(flags.address);
        const scopes = splitList([...(flags.requireScope ?? []), ...(flags.scope ?? [])]);
        scopes.forEach(assertScopeForm);
        const keyString = await readKeyString(session, flags);
        const verdict = await (await session.keyring()).verify(keyString, { environment, scopes, address });
        await session.out.print([verdict], verdictView, { single: true, table: async () => `${describe(verdict)}\n` });
        return answerCode(verdict.verdict === 'valid');
      }),
    );
};

function readEnvironment(text: string | undefined): Mode | undefined {
  const found = MODES.find((mode) => mode === text);
  if (text !== undefined && !found)
    throw new KeysError('usage', `--environment ${quoted(text)} is unknown`, 'one of: live, test');
  return found;
}

function readAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const address = canonicalAddress(text);
  if (address === null)
    throw new KeysError('usage', `--address ${quoted(text)} is not an IP address`, 'e.g. 192.0.2.7');
  return address;
}

/** The key of a verdict; null for `invalid`, which belongs to no key. */
function keyOf(verdict: Verdict): ApiKey | null {
  return verdict.verdict === 'invalid' ? null : verdict.key;
}

const verdictView = view<Verdict>('verdict', {
  verdict: {},
  keyId: { json: (verdict) => keyOf(verdict)?.id ?? null },
  name: { json: (verdict) => keyOf(verdict)?.name ?? null },
  mode: { json: (verdict) => keyOf(verdict)?.mode ?? null },
  scopes: { json: (verdict) => keyOf(verdict)?.scopes ?? null },
  environment: { json: (verdict) => (verdict.verdict === 'wrong_environment' ? verdict.environment : null) },
  missingScopes: { json: (verdict) => (verdict.verdict === 'missing_scope' ? verdict.missingScopes : null) },
  allowFrom: { json: (verdict) => keyOf(verdict)?.allowFrom ?? null },
  address: { json: (verdict) => (verdict.verdict === 'wrong_address' ? verdict.address : null) },
  expiresAt: { json: (verdict) => keyOf(verdict)?.expiresAt?.toISOString() ?? null },
});

function describe(verdict: Verdict): string {
  if (verdict.verdict === 'invalid') return 'invalid: no such key in this store, or the secret is wrong';
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
      return `wrong_environment: ${which} is a ${key.mode} key, but this is a ${verdict.environment} environment`;
    case 'rate_limited':
      return `rate_limited: ${which} may retry in ${Math.ceil(verdict.retryAfterMs / 1000)} s`;
    case 'missing_scope':
      return `missing_scope: ${which} does not have ${verdict.missingScopes.join(', ')}`;
    case 'wrong_address':
      return `wrong_address: ${which} works from ${networksText(key.allowFrom)} only${verdict.address === null ? '; say where the request comes from: --address' : `, not from ${verdict.address}`}`;
  }
}
