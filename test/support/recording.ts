import type { KeysError } from '../../src/domain/errors.js';
import type { KeyStore } from '../../src/domain/key-store.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { UseRecorder } from '../../src/verifier/use-recorder.js';
import { atEnd } from './lifetime.js';
import { START, storeOf } from './stores.js';

/** The part of a verifier that reports use, by itself. */
export function recording(store: KeyStore) {
  const warnings: KeysError[] = [];
  const onWarning = (warning: KeysError) => void warnings.push(warning);
  const recorder = new UseRecorder(store, { host: 'api-1', records: true, onWarning, now: () => START.getTime() });
  atEnd(() => recorder.stop());
  return { recorder, warnings };
}

/** The counts of a key: day, verdict, times and detail of each. */
export const daysOf = async (keyring: Keyring, id: string) =>
  (await storeOf(keyring).use.days([id], 0)).map(({ day, verdict, times, detail }) => [day, verdict, times, detail]);
