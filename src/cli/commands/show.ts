import { type ApiKey, statusAt } from '../../domain/api-key.js';
import type { AuditEvent } from '../../domain/key-store.js';
import { safeText } from '../../domain/text.js';
import { examples, type Register } from '../command.js';
import type { View } from '../output/formats.js';
import { relativeTime } from '../output/time.js';
import { auditView, KEY_FIELDS, keyDetails, keyJson, paintStatus } from '../output/views.js';
import type { Session } from '../session.js';

const RECENT_EVENTS = 5;

interface KeyWithEvents {
  readonly key: ApiKey;
  readonly events: readonly AuditEvent[];
}

export const registerShow: Register = (program, run) => {
  program
    .command('show')
    .summary('one key in full, with its latest events; never the secret')
    .description('Show one key: every field, and its latest audit events. The key string cannot be shown again.')
    .argument('<key>', 'key id, exact name, or the beginning of the id')
    .addHelpText('after', examples('show partner-checkin', 'show 7k2m --json'))
    .action(
      run(async (session, _flags: object, ref: string) => showKey(session, await (await session.keyring()).show(ref))),
    );
};

/** Prints a key that is known already. */
export async function showKey(session: Session, key: ApiKey): Promise<void> {
  const events = await (await session.keyring()).auditList({ keyId: key.id, limit: RECENT_EVENTS });
  const view: View<KeyWithEvents> = {
    fields: [...KEY_FIELDS, 'events'],
    valueField: 'id',
    json: (item) => ({ ...keyJson(item.key, session.now), events: item.events.map((event) => auditView.json(event)) }),
    columns: [],
  };
  await session.print([{ key, events }], view, { single: true, table: () => text(session, key, events) });
}

async function text(session: Session, key: ApiKey, events: readonly AuditEvent[]): Promise<string> {
  const paint = await session.paint('stdout');
  const status = statusAt(key, session.now);
  const lines = [...keyDetails(key, session.now), ...(await links(session, key))].map(([label, value]) => {
    const safe = safeText(value);
    return `${paint.dim(label.padEnd(12))} ${label === 'Status' ? paintStatus(safe, status, paint) : safe}`;
  });
  const history = events.map((event) => {
    const who = event.actor ? `${event.actor} (${event.osUser})` : event.osUser;
    const when = relativeTime(new Date(event.at), session.now);
    return `  ${safeText(event.action).padEnd(12)} ${when} by ${safeText(who)}${event.reason ? `: ${safeText(event.reason)}` : ''}`;
  });
  return `${lines.join('\n')}\n${paint.dim('Events')}\n${history.join('\n')}\n`;
}

async function links(session: Session, key: ApiKey): Promise<[string, string][]> {
  if (key.rotatedFrom === null && key.rotatedTo === null) return [];
  const { linkLines } = await import('../output/rotation-view.js');
  return linkLines(key, await (await session.keyring()).rotations(key), session.now);
}
