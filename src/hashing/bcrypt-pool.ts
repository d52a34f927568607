import { availableParallelism } from 'node:os';
import { hashSecret } from '../domain/secret-hash.js';
import { BcryptThread } from './bcrypt-thread.js';

/** For fewer secrets, starting threads takes longer than it saves. */
const MIN_FOR_THREADS = 4;

/**
 * Hashes secrets with bcrypt on every core. The hashes come in the order of the secrets. `onHashed` receives the number of finished hashes
 * after each one. Rejects when a secret cannot be hashed.
 */
export async function hashSecrets(
  secrets: readonly string[],
  cost: number,
  onHashed: (count: number) => void = () => {},
): Promise<string[]> {
  let finished = 0;
  const counted = async (hashing: Promise<string>): Promise<string> => {
    const hash = await hashing;
    onHashed(++finished);
    return hash;
  };
  if (secrets.length < MIN_FOR_THREADS) return Promise.all(secrets.map((secret) => counted(hashSecret(secret, cost))));
  const threadCount = Math.min(availableParallelism(), secrets.length);
  const threads = Array.from({ length: threadCount }, () => new BcryptThread());
  try {
    return await Promise.all(
      secrets.map((secret, index) => counted((threads[index % threadCount] as BcryptThread).hash(secret, cost))),
    );
  } finally {
    await Promise.all(threads.map((thread) => thread.close()));
  }
}
