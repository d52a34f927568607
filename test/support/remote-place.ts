import { Place } from './built-tool.js';
import { type Sqld, type SqldOptions, startSqld } from './sqld.js';

/** A machine with one user, whose store is on a server; the token is in the environment. */
export class RemotePlace extends Place {
  readonly server: Sqld;

  constructor(server: Sqld, token: string | undefined = server.token) {
    super({
      UNLOCKOS_KEYS_STORE: server.url,
      ...(token !== undefined && { UNLOCKOS_KEYS_AUTH_TOKEN: token }),
    });
    this.server = server;
  }
}

/** The built tool on a real server with an empty database. */
export async function remotePlace(options: SqldOptions = {}): Promise<RemotePlace> {
  return new RemotePlace(await startSqld(options));
}
