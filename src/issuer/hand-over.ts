import type { ServerResponse } from 'node:http';

/** True when there is nobody left to answer. */
export function isGone(reply: ServerResponse): boolean {
  return reply.destroyed || reply.socket === null || !reply.socket.writable;
}

/** Has `write` answer. Resolves to whether the answer was handed to the system; false when the client is gone before that. */
export function handOver(reply: ServerResponse, write: () => void): Promise<boolean> {
  return new Promise((resolve) => {
    if (isGone(reply)) return resolve(false);
    reply.once('finish', () => resolve(true));
    reply.once('close', () => resolve(false)); // after `finish`, this says nothing any more
    write();
  });
}
