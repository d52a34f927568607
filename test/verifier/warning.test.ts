import { once } from 'node:events';
import { expect, test } from 'vitest';
import { KeysError } from '../../src/domain/errors.js';
import { emitWarning } from '../../src/verifier/warning.js';

async function warned(error: KeysError): Promise<Error & { code?: string; detail?: string }> {
  const warning = once(process, 'warning');
  emitWarning(error);
  return (await warning)[0];
}

test('a warning of the process says code, message and what to do, and nothing that a terminal obeys', async () => {
  expect(await warned(new KeysError('store_busy', 'no \u001b[2J lock', 'wait'))).toMatchObject({
    name: 'UnlockosKeysWarning',
    message: 'store_busy: no \\u{1b}[2J lock',
    code: 'USE_NOT_RECORDED',
    detail: 'wait. Pass onWarning to log this yourself.',
  });
  expect((await warned(new KeysError('internal', 'x'))).detail).toBeUndefined();
});
