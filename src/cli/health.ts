import { formatHead } from '../domain/audit.js';
import { isKeysError } from '../domain/errors.js';
import type { Finding } from '../domain/key-store.js';
import { DEFAULT_RATE_LIMIT, formatRateLimit } from '../domain/rate-limit.js';
import { safeText } from '../domain/text.js';
import type { Keyring } from '../keyring/keyring.js';
import { reportOf } from './exit-code.js';
import { actorFlag } from './flags.js';
import type { Session } from './session.js';
import { tokenSource } from './token.js';

/** The store's own findings, and the audit chain where the schema is ours and the file sound enough to read. */
export async function checkStore(keyring: Keyring): Promise<Finding[]> {
  const findings = await keyring.storeCheck();
  const readable = findings.every(
    ({ check, status }) => (check !== 'schema' && check !== 'integrity') || status === 'ok',
  );
  return readable ? [...findings, await auditFinding(keyring)] : findings;
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
function settingFindings({ ctx, flags, settings }: Session): Finding[] {
  const { config, profile, store, format, timeoutMs, expires, rateLimit, remote } = settings;
  const guards = [profile?.value.protected ? 'protected' : '', profile?.value.testOnly ? 'test keys only' : ''];
  const actor = actorFlag(ctx, flags);
  const token = remote ? (tokenSource(settings, ctx) ?? 'none') : 'not needed for a local store';
  const lines: [check: string, detail: string][] = [
    ['config', `${config.file} (${config.profiles.size === 1 ? '1 profile' : `${config.profiles.size} profiles`})`],
    ['profile', profile ? [`${profile.value.name} (${profile.source})`, ...guards.filter(Boolean)].join(', ') : 'none'],
    ['store', `${store.value} (${store.source})`],
    ['token from', token],
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
