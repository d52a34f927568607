import { type ApiKey, statusAt } from '../../domain/api-key.js';
import type { AuditEvent } from '../../domain/audit-side.js';
import { type Creator, whoText } from '../../domain/change.js';
import { relativeTime } from '../../domain/relative-time.js';
import { safeText } from '../../domain/text.js';
import type { Recording } from '../../domain/use.js';
import { warnOfShown } from '../asking/lookalikes.js';
import { examples, KEY, type Register } from '../command.js';
import { endsSoon, keyDetails, paintStatus } from '../output/key-columns.js';
import { keyUseView, knownUse } from '../output/key-use-view.js';
import type { Paint } from '../output/paint.js';
import { fieldsOf, view } from '../output/view.js';
import { eventView } from '../output/views.js';
import type { Session } from '../session.js';

const RECENT_EVENTS = 5;

interface KeyWithEvents {
  readonly key: ApiKey;
  readonly events: readonly AuditEvent[];
}

export const registerShow: Register = (program, run) => {
  program
    .command('show')
    .summary('show one key and its latest events; never the secret')
    .description('Show every field of one key, and its latest audit events. The key string cannot be shown again.')
    .argument('<key>', KEY)
    .addHelpText('after', examples('show partner-checkin', 'show 7k2m --json'))
    .action(
      run(async (session, _flags: object, ref: string) => showKey(session, await (await session.keyring()).show(ref))),
    );
};

/** Prints a key that was already looked up. */
export async function showKey(session: Session, key: ApiKey): Promise<void> {
  const keyring = await session.keyring();
  const [events, creators, known] = await Promise.all([
    keyring.auditList({ keyId: key.id, limit: RECENT_EVENTS }),
    keyring.creators([key.id]),
    knownUse(keyring, [key], { format: session.format, fields: session.flags.fields }),
  ]); // together: on a remote store each is a round trip
  const shown = view<KeyWithEvents>('id', {
    ...fieldsOf<ApiKey, KeyWithEvents>(keyUseView(session.now, known, creators), (item) => item.key),
    events: { json: (item) => item.events.map((event) => eventView.json(event)) },
  });
  await session.out.print([{ key, events }], shown, {
    single: true,
    table: () => text(session, key, events, { recording: known.recording, creator: creators.get(key.id) }),
  });
  if (session.format === 'table') await warnOfShown(session, [key]);
}

async function text(
  session: Session,
  key: ApiKey,
  events: readonly AuditEvent[],
  known: { readonly recording: Recording; readonly creator: Creator | undefined },
): Promise<string> {
  const paint = await session.out.paint('stdout');
  const lines = [
    ...keyDetails(key, session.now, known),
    ...(await useOf(session, key)),
    ...(await links(session, key)),
  ].map(([label, value]) => {
    const safe = safeText(value);
    return `${paint.dim(label.padEnd(12))} ${paintValue(label, safe, key, session.now, paint)}`;
  });
  const history = events.map((event) => {
    const who = whoText(event);
    const when = relativeTime(new Date(event.at), session.now);
    return `  ${safeText(event.action).padEnd(12)} ${when} by ${who}${event.reason ? `: ${safeText(event.reason)}` : ''}`;
  });
  return `${lines.join('\n')}\n${paint.dim('Events')}\n${history.join('\n')}\n`;
}

function paintValue(label: string, text: string, key: ApiKey, now: Date, paint: Paint): string {
  if (label === 'Status') return paintStatus(text, statusAt(key, now), paint);
  if (label === 'Mode' && key.mode === 'live') return paint.warn(text);
  return label === 'Expires' && endsSoon(key, now) ? paint.bad(text) : text;
}

async function useOf(session: Session, key: ApiKey): Promise<[string, string][]> {
  const { useLines } = await import('../output/usage-view.js');
  return useLines(await (await session.keyring()).usageByDay(key), session.now);
}

async function links(session: Session, key: ApiKey): Promise<[string, string][]> {
  if (key.rotatedFrom === null && key.rotatedTo === null) return [];
  const { linkLines } = await import('../output/rotation-view.js');
  return linkLines(key, await (await session.keyring()).rotations(key), session.now);
}
