import { formatHead } from '../domain/audit.js';
import { isKeysError } from '../domain/errors.js';
import type { Finding } from '../domain/key-store.js';
import { DEFAULT_RATE_LIMIT, formatRateLimit } from '../domain/rate-limit.js';
import { safeText } from '../domain/text.js';
import type { HashReport, Keyring } from '../keyring/keyring.js';
import { reportOf } from './exit-code.js';
import { actorFlag } from './flags.js';
import { pepperSource } from './peppers.js';
import type { Session } from './session.js';
import { tokenSource } from './token.js';

/** The store's own findings, and the audit chain where the schema is ours and the file sound enough to read. */
export async function checkStore(keyring: Keyring): Promise<Finding[]> {
  const findings = await keyring.storeCheck();
  const readable = findings.every(
    ({ check, status }) => (check !== 'schema' && check !== 'integrity') || status === 'ok',
  );
  return readable ? [...findings, hashFinding(await keyring.storeHash()), await auditFinding(keyring)] : findings;
}

/** Keys that this process could not verify, and keys that have yet to move to the store's scheme. */
function hashFinding({ scheme, hashes }: HashReport): Finding {
  const unreadable = hashes.filter(({ readable }) => !readable);
  const elsewhere = hashes.filter((each) => each.scheme !== scheme);
  const count = (some: HashReport['hashes']) => some.map((each) => `${each.keys} by ${each.scheme}`).join(', ');
  if (unreadable.length > 0)
    return {
      check: 'hashes',
      status: 'failed',
      detail: `${count(unreadable)}: without their pepper these keys cannot be verified`,
      hint: 'name the file that holds it: UNLOCKOS_KEYS_PEPPER_FILE, or pepperFile in the profile',
    };
  const peppered = scheme === 'bcrypt' ? '' : '; losing the pepper loses every key: is there a copy?';
  return {
    check: 'hashes',
    status: elsewhere.length === 0 ? 'ok' : 'warning',
    detail: `${scheme}${elsewhere.length === 0 ? '' : `; still ${count(elsewhere)}`}${peppered}`,
    hint: elsewhere.length === 0 ? null : 'they move over when an API server next verifies them',
  };
}

async function auditFinding(keyring: Keyring): Promise<Finding> {
  const { sound, events, head, problems } = await keyring.auditVerify();
  return {
    check: 'audit log',
    status: sound ? 'ok' : 'failed',
    detail: sound
      ? `${events} events, head ${formatHead(head)}`
      : `${problems.length} problems: ${problems.slice(0, 3).join('; ')}`,
    hint: sound ? null : 'unlockos-keys audit verify lists them all',
  };
}

/** Everything `doctor` looks at. It opens any version of a store, and turns what stops it into findings. */
export async function diagnose(session: Session): Promise<Finding[]> {
  const { ctx } = session;
  const findings: Finding[] = [
    {
      check: 'tool',
      status: 'ok',
      detail: `unlockos-keys ${ctx.version} on Node ${ctx.nodeVersion}, ${ctx.platform}`,
      hint: null,
    },
  ];
  findings.push(...settingFindings(session));
  try {
    if (session.storeIsUnborn()) {
      return [
        ...findings,
        {
          check: 'schema',
          status: 'warning',
          detail: 'the store was never made',
          hint: 'unlockos-keys create makes it, with its first key',
        },
        clipboardFinding(session),
      ];
    }
    findings.push(...(await checkStore(await session.keyring({ inspect: true }))));
  } catch (error) {
    if (!isKeysError(error)) throw error;
    const { code, message, hint } = reportOf(error);
    findings.push({ check: code, status: 'failed', detail: message, hint });
  }
  return [...findings, clipboardFinding(session)];
}

/** Each value that this run works with, and who said so. */
function settingFindings(session: Session): Finding[] {
  const { ctx, flags, settings } = session;
  const { config, profile, store, format, timeoutMs, expires, rateLimit, remote } = settings;
  const guards = [profile?.value.protected ? 'protected' : '', profile?.value.testOnly ? 'test keys only' : ''];
  const actor = actorFlag(ctx, flags);
  const token = remote ? (tokenSource(settings, ctx) ?? 'none') : 'not needed for a local store';
  const lines: [check: string, detail: string][] = [
    ['config', `${config.file} (${config.profiles.size === 1 ? '1 profile' : `${config.profiles.size} profiles`})`],
    ['profile', profile ? [`${profile.value.name} (${profile.source})`, ...guards.filter(Boolean)].join(', ') : 'none'],
    ['store', `${store.value} (${store.source})`],
    ['token from', token],
    ['peppers from', peppersFrom(session)],
    ['output', `${format.value} (${format.source})`],
    ['timeout', `${timeoutMs.value / 1000} s (${timeoutMs.source})`],
    ['expiry', expires ? `${expires.value} (${expires.source})` : 'never (default)'],
    [
      'rate limit',
      rateLimit ? `${rateLimit.value} (${rateLimit.source})` : `${formatRateLimit(DEFAULT_RATE_LIMIT)} (default)`,
    ],
    ['actor', actor === null ? 'none claimed' : `${safeText(actor.value)} (${actor.source})`],
  ];
  return lines.map(([check, detail]) => ({ check, status: 'ok', detail, hint: null }));
}

function peppersFrom({ settings, ctx }: Session): string {
  const found = pepperSource(settings, ctx);
  if (found === null) return 'none';
  return found.kind === 'file' ? `${found.file} (${found.source})` : found.source;
}

function clipboardFinding(session: Session): Finding {
  const { route } = session.ctx.clipboard;
  return {
    check: 'clipboard',
    status: 'ok',
    detail:
      route === 'local'
        ? 'copies go to this machine'
        : 'copies are sent to the terminal (OSC 52), because this is an SSH session',
    hint: null,
  };
}
