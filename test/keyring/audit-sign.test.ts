import { expect, test } from 'vitest';
import type { KeyStore } from '../../src/domain/key-store.js';
import { NoteSigner } from '../../src/domain/signed-note.js';
import { newSigningKey, openSignedHead } from '../../src/index.js';
import { signAuditHead } from '../../src/keyring/audit-sign.js';
import { receiver } from '../support/keyrings.js';
import { refused } from '../support/manifests.js';
import { change, DEFAULT_ENGINE, freshLocation, freshStore, newKey, START, storeOf } from '../support/stores.js';

const { privateKey, publicKey } = newSigningKey('example.com/keys');
const signer = NoteSigner.parse(privateKey, 'a test');

test('the end of a log is signed with its beginning, the time, and the name of the key', async () => {
  const store = await freshStore(DEFAULT_ENGINE);
  const [first] = await store.audit.rows(0, 1);
  for (const name of ['a', 'b']) {
    const head = await store.audit.head();
    const { note, ...signed } = await signAuditHead(store, signer, START);
    expect(signed).toEqual({ signer: 'example.com/keys', birth: first?.hash, head, at: START });
    expect(openSignedHead(note, publicKey)).toEqual(signed);
    await store.create([newKey(name)], change());
  }
});

test('an empty log, and one that is replaced meanwhile, are not signed', async () => {
  const empty = storeOf(await receiver(DEFAULT_ENGINE, await freshLocation(DEFAULT_ENGINE)));
  expect(await refused(signAuditHead(empty, signer, START))).toMatchObject({
    code: 'store_corrupt',
    message: 'the audit log is empty',
    hint: 'unlockos-keys audit verify',
  });
  const [before, after] = [await freshStore(DEFAULT_ENGINE), await freshStore(DEFAULT_ENGINE)];
  await before.create([newKey('a')], change());
  const audit = { head: () => before.audit.head(), rows: (seq: number, limit: number) => after.audit.rows(seq, limit) };
  const busy = { code: 'store_busy', message: 'the store was replaced meanwhile', hint: 'try again' };
  expect(await refused(signAuditHead({ audit } as KeyStore, signer, START))).toMatchObject(busy); // it is shorter
  await after.create([newKey('b')], change());
  expect(await refused(signAuditHead({ audit } as KeyStore, signer, START))).toMatchObject(busy); // it is another
});
