import { Place } from './built-tool.js';
import { type Sqld, type SqldOptions, startSqld } from './sqld.js';

/** One person on one machine, whose store is a server's; the token stands in the environment. */
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
