import { formatHead } from '../domain/audit.js';
import { counted } from '../domain/counted.js';
import { isKeysError } from '../domain/errors.js';
import type { Finding } from '../domain/key-store.js';
import { DEFAULT_RATE_LIMIT, formatRateLimit } from '../domain/rate-limit.js';
import { readStoreScheme } from '../domain/secret-hash.js';
import { quoted, safeText } from '../domain/text.js';
import type { HashReport } from '../keyring/hash-report.js';
import type { Keyring } from '../keyring/keyring.js';
import type { Context } from './context.js';
import { clipboardHint } from './context.js';
import { reportOf } from './exit-code.js';
import type { Session } from './session.js';
import { actorFlag } from './settings/actor.js';
import { pepperSource } from './settings/peppers.js';
import { checkSeenHead, TO_ACCEPT } from './settings/seen-head.js';
import { tokenSource } from './settings/token.js';

/** The store's own findings; then, if the schema and the file are sound enough to read, the key hashes and the audit log. */
export async function checkStore(ctx: Context, keyring: Keyring): Promise<Finding[]> {
  const findings = await keyring.storeCheck();
  const readable = findings.every(
    ({ check, status }) => (check !== 'schema' && check !== 'integrity') || status === 'ok',
  );
  if (!readable) return findings;
  return [
    ...findings,
    await orFailed('hashes', async () => hashFinding(await keyring.storeHash())),
    await orFailed('audit log', () => auditFinding(keyring)),
    await orFailed('audit log seen before', () => seenFinding(ctx, keyring)),
  ];
}

/** What a check finds; a check that the store does not allow is a finding as well, and stops none of the others. */
async function orFailed(check: string, look: () => Promise<Finding>): Promise<Finding> {
  try {
    return await look();
  } catch (error) {
    if (!isKeysError(error)) throw error;
    const { message, hint } = reportOf(error);
    return { check, status: 'failed', detail: message, hint: withoutDoctor(hint) };
  }
}

/** Keys that this process cannot verify, and keys that are not yet hashed with the store's scheme. */
function hashFinding({ scheme, hashes }: HashReport): Finding {
  if (readStoreScheme(scheme) === null)
    return {
      check: 'hashes',
      status: 'failed',
      detail: `the scheme of new hashes is ${quoted(scheme)}, which this version does not know`,
      hint: 'if no newer version set it: unlockos-keys store hash bcrypt',
    };
  const unreadable = hashes.filter(({ readable }) => !readable);
  const elsewhere = hashes.filter((each) => each.scheme !== scheme);
  const count = (some: HashReport['hashes']) => some.map((each) => `${each.keys} with ${each.scheme}`).join(', ');
  if (unreadable.length > 0)
    return {
      check: 'hashes',
      status: 'failed',
      detail: `${count(unreadable)}: these keys cannot be verified without their pepper`,
      hint: 'set UNLOCKOS_KEYS_PEPPER_FILE to the file that holds it, or pepperFile in the profile',
    };
  const peppered = scheme === 'bcrypt' ? '' : '; if the pepper is lost, so are its keys: keep a copy';
  return {
    check: 'hashes',
    status: elsewhere.length === 0 ? 'ok' : 'warning',
    detail: `${scheme}${elsewhere.length === 0 ? '' : `; still ${count(elsewhere)}`}${peppered}`,
    hint: elsewhere.length === 0 ? null : 'each is rehashed when an API server next verifies it',
  };
}

async function auditFinding(keyring: Keyring): Promise<Finding> {
  const { sound, events, head, problems } = await keyring.auditVerify();
  return {
    check: 'audit log',
    status: sound ? 'ok' : 'failed',
    detail: sound
      ? `${counted(events, 'event')}, head ${formatHead(head)}`
      : `${counted(problems.length, 'problem')}: ${problems.slice(0, 3).join('; ')}`,
    hint: sound ? null : 'to list them all: unlockos-keys audit verify',
  };
}

async function seenFinding(ctx: Context, keyring: Keyring): Promise<Finding> {
  const { problem, detail } = await checkSeenHead(ctx, keyring);
  const failed = problem !== null;
  return { check: 'audit log seen before', status: failed ? 'failed' : 'ok', detail, hint: failed ? TO_ACCEPT : null };
}

const UNBORN: Finding = {
  check: 'schema',
  status: 'warning',
  detail: 'the store does not exist yet',
  hint: 'unlockos-keys create creates it along with the first key',
};

/** Everything that `doctor` checks. Opens a store of any version, and reports as a finding whatever stops it. */
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
  let isUnborn = false;
  try {
    isUnborn = session.storeIsUnborn(); // names whoever owns the directory that does not let us look
    findings.push(...(await checkStore(ctx, await session.keyring({ inspect: true }))));
  } catch (error) {
    if (!isKeysError(error)) throw error;
    const { code, message, hint } = reportOf(error);
    const isMissing = isUnborn && code === 'store_missing';
    findings.push(isMissing ? UNBORN : { check: code, status: 'failed', detail: message, hint: withoutDoctor(hint) });
  }
  return [...findings, await clipboardFinding(session)];
}

/** A hint without the advice to run doctor. */
function withoutDoctor(hint: string | null): string | null {
  const rest = hint?.split('; ').filter((each) => !each.includes('unlockos-keys doctor'));
  return rest?.join('; ') || null;
}

/** Each setting of this run, and where it was set. */
function settingFindings(session: Session): Finding[] {
  const { ctx, flags, settings } = session;
  const { config, profile, store, format, timeoutMs, expires, rateLimit, remote } = settings;
  const guards = [profile?.value.protected ? 'protected' : '', profile?.value.testOnly ? 'test keys only' : ''];
  const actor = actorFlag(ctx, flags);
  const token = remote ? (tokenSource(settings, ctx) ?? 'none') : 'not needed for a local store';
  const lines: [check: string, detail: string][] = [
    ['config', `${config.file} (${counted(config.profiles.size, 'profile')})`],
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

async function clipboardFinding(session: Session): Promise<Finding> {
  const { clipboard } = session.ctx;
  const problem = await clipboard.problem();
  const works =
    clipboard.route === 'local'
      ? 'copies to the clipboard of this machine'
      : 'sends copies to the terminal (OSC 52), because this is an SSH session';
  return {
    check: 'clipboard',
    status: problem === null ? 'ok' : 'warning',
    detail: problem === null ? works : `--copy cannot work here: ${problem}`,
    hint: problem === null ? null : clipboardHint(problem),
  };
}
