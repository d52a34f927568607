import { networksText, parseNetworks } from '../../domain/addresses.js';
import type { ApiKey } from '../../domain/api-key.js';
import { KeysError } from '../../domain/errors.js';
import { assertNearer, parseExpiry } from '../../domain/expiry.js';
import { readDescription, readName } from '../../domain/key-name.js';
import { type Labels, normalizeLabels, parseLabels } from '../../domain/labels.js';
import { formatRateLimit, parseRateLimit } from '../../domain/rate-limit.js';
import { splitList } from '../../domain/scopes.js';
import type { EditInput } from '../../keyring/keyring.js';
import type { Session } from '../session.js';

/** Prompts for each field that an edit can change, with its current value filled in. */
export async function askForEdit(session: Session, key: ApiKey): Promise<EditInput> {
  const prompts = await session.prompts();
  const ask = async <T>(message: string, initial: string, read: (text: string) => T): Promise<T> =>
    read(await prompts.text(message, { initial, check: checked(read) }));
  const expiry = key.expiresAt?.toISOString() ?? 'never';
  const readNearer = (text: string) => {
    if (text === expiry) return undefined;
    const expiresAt = parseExpiry(text, session.now);
    assertNearer(key, expiresAt);
    return expiresAt;
  };
  const name = await ask('Name', key.name, readName);
  const description = await ask('Description (optional)', key.description ?? '', readDescription);
  const rateLimit = await ask('Rate limit', formatRateLimit(key.rateLimit), parseRateLimit);
  const expiresAt = await ask('Expires (an earlier time, or 30d)', expiry, readNearer);
  const allowFrom = await ask('Works from (10.0.0.0/8,192.0.2.7, or any)', networksText(key.allowFrom), parseNetworks);
  const labels = await ask('Labels (name=value, separated by commas)', labelText(key.labels), readLabels);
  return { name, description, rateLimit, allowFrom, labels, ...(expiresAt !== undefined && { expiresAt }) };
}

/** For a prompt: true, or why the text cannot be read. */
function checked(read: (text: string) => unknown): (text: string) => string | true {
  return (text) => {
    try {
      read(text);
      return true;
    } catch (error) {
      if (error instanceof KeysError) return error.message;
      throw error;
    }
  };
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}

/** Throws `usage` for a label that is malformed or given twice. */
function readLabels(text: string): Labels {
  return normalizeLabels(parseLabels(splitList([text])));
}
