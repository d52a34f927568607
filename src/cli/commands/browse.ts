import type { ApiKey } from '../../domain/api-key.js';
import { isKeysError, KeysError } from '../../domain/errors.js';
import type { KeyPage, ListQuery } from '../../domain/key-query.js';
import { NOTHING_RECORDED } from '../../domain/use.js';
import { ESCAPE, type KeyAction, type TablePlace } from '../context.js';
import { type ExitCode, reportOf } from '../exit-code.js';
import type { Session } from '../session.js';
import { actOnKeys, type Said } from './browse-actions.js';

/**
 * `list --interactive`: a table of keys, from which they are shown, edited, disabled, enabled, rotated, deleted and created, until the
 * person leaves. What was done stays on the screen that was there before. Null when there are no keys to begin with.
 */
export async function browse(session: Session, query: Omit<ListQuery, 'now'>): Promise<ExitCode | null> {
  const keyring = await session.keyring();
  const prompts = await session.prompts();
  let place: TablePlace = { filter: '', current: null, row: 0, marked: [] };
  let keys: readonly ApiKey[] | null = null;
  let message: readonly string[] = [];
  let recording = NOTHING_RECORDED;
  const done: string[] = [];
  session.escapes = true;
  try {
    for (;;) {
      const read = await readKeys(session, async () => {
        recording = await keyring.recording();
        return keyring.list(query);
      });
      if (read === null && keys === null) return 0;
      if (keys === null && read?.length === 0) return null;
      if (read === null) message = [...message, 'the list may be out of date: the store has not answered'];
      keys = read ?? keys ?? [];
      const title = `in ${session.store.value}`;
      const answer = await prompts.manage({ title, keys, now: session.now, recording, place, message });
      if (answer === null) return 0;
      place = answer.place;
      session.nextOperation();
      const said = await carryOut(session, answer.action, answer.keys);
      message = said.lines;
      if (said.changed) {
        done.push(...said.lines.slice(0, 1));
        place = { ...place, marked: [] };
      }
    }
  } catch (error) {
    if (!isKeysError(error, 'cancelled') || done.length === 0) throw error;
    throw new KeysError('cancelled', ['cancelled; done before that:', ...done.map((line) => `  ${line}`)].join('\n'));
  } finally {
    session.escapes = false;
  }
}

/** The keys; null when the person does not wait for a slow store any longer. */
async function readKeys(session: Session, list: () => Promise<KeyPage>): Promise<readonly ApiKey[] | null> {
  session.leavable = true;
  try {
    return (await (await session.prompts()).wait(list())).keys;
  } catch (error) {
    if (isKeysError(error, 'cancelled') && error.cause === ESCAPE) return null;
    throw error;
  } finally {
    session.waiting.dismiss();
    session.leavable = false;
  }
}

/** An error is a message below the table, and Esc at a question leads back to it. Only Ctrl-C ends the program. */
async function carryOut(session: Session, action: KeyAction, keys: readonly ApiKey[]): Promise<Said> {
  try {
    return await actOnKeys(session, action, keys);
  } catch (error) {
    if (!isKeysError(error)) throw error;
    if (error.code === 'cancelled') {
      if (error.cause === ESCAPE) return { lines: [], changed: false };
      throw error;
    }
    const { message, hint } = reportOf(error);
    const lines = [...`error: ${message}`.split('\n'), ...(hint === null ? [] : [`hint: ${hint}`])];
    session.out.remark(lines);
    return { lines, changed: false };
  }
}
