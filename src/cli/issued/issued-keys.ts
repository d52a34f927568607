import path from 'node:path';
import { type ApiKey, FIELD_DEFAULTS } from '../../domain/api-key.js';
import { DEFAULT_RATE_LIMIT } from '../../domain/rate-limit.js';
import { elapsed } from '../../domain/real-time.js';
import {
  type Clock,
  findIdTokens,
  ID_TOKEN_VARIABLE,
  IssueClient,
  type IssuedKey,
  readIssueAddress,
} from '../../issue-client/index.js';
import { deliverNewKeys, type KeyMaker, type TakenBack } from '../../keyring/delivery.js';
import type { Keyring } from '../../keyring/keyring.js';
import type { PartlyKnownKey } from '../delivery/stdout.js';
import { checkedVariable } from '../delivery/variable.js';
import type { Session } from '../session.js';
import type { FromFlags } from './from-flags.js';

/** What a job asks a server for. */
export interface Wanted {
  readonly scopes: readonly string[];
  readonly ttl: string | undefined;
}

/** Keys of a server, for the job that runs this. No store is opened. */
export class IssuedKeys implements Pick<Keyring, 'deliver'> {
  readonly #client: IssueClient;
  readonly #session: Session;

  /** Finds the server and the ID token. Sends nothing. `asked`: see {@link IssueClientOptions}. Throws `usage` and `unauthorized`. */
  constructor(session: Session, flags: FromFlags & { readonly from: string }, asked?: () => void) {
    const { ctx, out } = session;
    const address = readIssueAddress(flags.from);
    const timeoutMs = session.settings.timeoutMs.value;
    const userAgent = `unlockos-keys/${ctx.version}`;
    const { idTokenEnv, idTokenFile, audience } = flags;
    const tokens = findIdTokens({
      variable: idTokenEnv && checkedVariable(idTokenEnv, '--id-token-env'),
      file: idTokenFile === undefined ? undefined : { shown: idTokenFile, path: path.resolve(ctx.cwd, idTokenFile) },
      audience,
      origin: address.origin,
      env: ctx.env,
      take: (name) => (name === ID_TOKEN_VARIABLE ? ctx.idToken : ctx.take(name)),
      timeoutMs,
      userAgent,
      clock,
    });
    out.debug(`keys from ${address.location}, as the ID token of ${tokens.source} says`);
    this.#session = session;
    this.#client = new IssueClient({
      address,
      tokens,
      audience: audience ?? address.origin,
      timeoutMs,
      userAgent,
      now: ctx.now,
      clock,
      note: (text) => out.note(text),
      warn: (text) => out.remark(`warning: ${text}`),
      asked,
    });
  }

  /** The URL of the server, as it may be printed. */
  get location(): string {
    return this.#client.location;
  }

  async make(wanted: Wanted, signal: AbortSignal): Promise<PartlyKnownKey> {
    const over = this.#session.waiting.begin(`Waiting for ${this.location} …`);
    try {
      return newKey(await this.#client.create(wanted, signal), this.#session.now);
    } finally {
      over();
    }
  }

  /** Deletes a key at the server. */
  async remove({ id }: Pick<ApiKey, 'id'>): Promise<void> {
    await this.#client.delete(id);
  }

  deliver: Keyring['deliver'] = (destination, make, { signal } = {}) => {
    const maker: KeyMaker = { takeBack: (key) => this.remove(key), takenBack: DELETED, settle: async (keys) => keys };
    return deliverNewKeys(destination, make, maker, signal);
  };
}

const DELETED: TakenBack = {
  state: 'deleted',
  next: () => 'run the command again for another key',
  failed: (keys) => `it expires by itself: ${keys.map(({ expiresAt }) => expiresAt?.toISOString()).join(', ')}`,
};

/** Real time, which keeps the process alive. */
const clock: Clock = {
  now: elapsed,
  wait: (ms, signal) =>
    new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop);
        resolve();
      }, ms);
      if (signal?.aborted) stop();
      else signal?.addEventListener('abort', stop, { once: true });
    }),
};

/** As the sinks and the output know keys. */
function newKey({ id, name, keyString, scopes, expiresAt }: IssuedKey, now: Date): PartlyKnownKey {
  const key: ApiKey = {
    id,
    name,
    description: null,
    mode: 'test',
    scopes,
    status: 'active',
    rateLimit: DEFAULT_RATE_LIMIT,
    expiresAt,
    createdAt: now,
    updatedAt: now,
    lastUsedAt: null,
    ...FIELD_DEFAULTS,
  };
  return { key, keyString, untold: ['description', 'rateLimit', 'createdAt', 'updatedAt', 'labels', 'allowFrom'] };
}
