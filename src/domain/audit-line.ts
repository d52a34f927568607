import { AUDIT_ACTIONS, type AuditRow, canonicalJson, chainHash } from './audit.js';
import type { AuditEvent, ChainedEvent } from './audit-side.js';

// A row of the audit log as one line of JSON: with the fields for people and programs, and all that its hash covers.

type Recorded = Omit<AuditEvent, 'seq' | 'op'>;

const isText = (value: unknown) => typeof value === 'string';
const isTextOrNull = (value: unknown) => value === null || value === undefined || isText(value);
const isRecordOrNull = (value: unknown) =>
  value === null || value === undefined || (typeof value === 'object' && !Array.isArray(value));

const UNREADABLE: Recorded = {
  action: 'damaged',
  at: '',
  osUser: '',
  host: '',
  tool: '',
  actor: null,
  keyId: null,
  keyName: null,
  reason: null,
  before: null,
  after: null,
};

/** What the text of a row says; the action is `damaged` for a text that cannot be read. */
export function eventOf(text: unknown): Recorded {
  let body: Partial<AuditEvent> | null;
  try {
    body = isText(text) ? JSON.parse(text as string) : null;
  } catch {
    return UNREADABLE;
  }
  if (typeof body !== 'object' || body === null) return UNREADABLE;
  const { at, action, osUser, host, tool, actor, keyId, keyName, reason, before, after, proven } = body;
  if (![at, action, osUser, host, tool].every(isText) || ![actor, keyId, keyName, reason].every(isTextOrNull))
    return UNREADABLE;
  return [before, after, proven].every(isRecordOrNull) ? (body as AuditEvent) : UNREADABLE;
}

/** The fields of a line that the text of a row holds as well, as JSON. Most texts have no `proven`, and so have their lines. */
function recorded({ at, action, keyId, keyName, actor, osUser, host, reason, before, after, tool, proven }: Recorded) {
  const all = { at, action, keyId, keyName, actor, osUser, host, reason, before, after, tool };
  return proven === undefined ? all : { ...all, proven };
}

/** A row with its fields read. */
export function chainedEvent({ seq, op, body, prev, hash }: AuditRow): ChainedEvent {
  const fields = recorded(eventOf(body));
  const isGiven = body === canonicalJson({ ...fields, op }) || body === canonicalJson(fields);
  return { ...fields, seq, op, prev, hash, body: isGiven ? null : body };
}

/** A line that was read: the row, the operation id that its text holds, and whether it is an event that this version knows. */
export interface ReadLine {
  readonly row: AuditRow;
  readonly written: unknown;
  readonly known: boolean;
}

/** Why a line is not a row. `cut`: it may be the beginning of one. */
export interface Unread {
  readonly why: string;
  readonly cut?: true;
}

const HASH = /^[0-9a-f]{64}$/;
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce((sum: number, inner) => sum + countMembers(inner), own);
}

/**
 * True when every reader takes `json` for the same value: no name occurs twice in an object, and every number is written as this tool writes
 * it. Else an edited line could say one thing to this check and another to the program that reads it.
 */
function isPlain(json: string, value: unknown): boolean {
  let members = 0;
  let inString = false;
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (inString) {
      if (code === 0x5c) at += 1;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x3a) members += 1;
    else if (code === 0x2d || (code >= 0x30 && code <= 0x39)) {
      NUMBER.lastIndex = at;
      const written = NUMBER.exec(json)?.[0] ?? '';
      if (String(Number(written)) !== written) return false;
      at += written.length - 1;
    }
  }
  return members === countMembers(value);
}

/** Reads a line that `audit list -o jsonl` wrote, whoever passed it on since; why not, for any other. Checks no hash. */
export function readLine(json: string): ReadLine | Unread {
  try {
    const line: unknown = JSON.parse(json);
    if (typeof line !== 'object' || line === null || Array.isArray(line)) return { why: 'it is not a JSON object' };
    if (!isPlain(json, line)) return { why: 'it has a name twice, or a number in another form' };
    return lineFrom(line as Record<string, unknown>);
  } catch (error) {
    if (error instanceof SyntaxError) return { why: 'it is not JSON', cut: true };
    if (error instanceof RangeError) return { why: 'it is nested too deeply' };
    throw error;
  }
}

function lineFrom({ seq, prev, hash, body = null, ...fields }: Record<string, unknown>): ReadLine | Unread {
  const { op, ...bare } = fields;
  if (!Number.isSafeInteger(seq) || (seq as number) < 1) return { why: 'it has no seq of a row' };
  for (const [name, value] of Object.entries({ prev, hash }))
    if (!isText(value) || !HASH.test(value as string)) return { why: `it has no ${name} of a row` };
  if (!isText(op)) return { why: 'it has no op of a row' };
  if (!isTextOrNull(body)) return { why: 'its body is not a string' };
  const own = { seq, op, prev, hash } as AuditRow;
  const known = AUDIT_ACTIONS.some((action) => action === bare.action);
  if (body !== null) {
    const text = body as string;
    if (canonicalJson(recorded(eventOf(text))) !== canonicalJson(bare))
      return { why: 'its fields are not those in its body' };
    return { row: { ...own, body: text }, written: writtenIn(text), known };
  }
  // The text of a row of 0.1.0 does not hold the operation id.
  const [text, old] = [canonicalJson(fields), canonicalJson(bare)];
  const isOld = chainHash(own.prev, text) !== own.hash && chainHash(own.prev, old) === own.hash;
  return { row: { ...own, body: isOld ? old : text }, written: isOld ? undefined : op, known };
}

function writtenIn(text: string): unknown {
  try {
    return JSON.parse(text)?.op;
  } catch {
    return undefined;
  }
}
