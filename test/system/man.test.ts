import { expect, test } from 'vitest';
import { Place, ROOT } from '../support/built-tool.js';

test('man shows the page without a warning', async () => {
  const place = new Place();
  const page = place.file('unlockos-keys.1');
  expect((await place.run(process.execPath, [`${ROOT}scripts/man.mjs`, page])).exitCode).toBe(0);
  const env = { MANWIDTH: '80', MANROFFSEQ: '' };
  const checked = await place.run('man', ['--warnings', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', page], { env });
  expect({ exitCode: checked.exitCode, stderr: checked.stderr }).toEqual({ exitCode: 0, stderr: '' });
  const { stdout } = await place.run('man', ['-E', 'UTF-8', '-P', 'cat', '-l', page], { env });
  const text = stdout.replace(/.\u0008/g, '');
  expect(text).toMatch(/^NAME\n +unlockos-keys - Create and manage the API keys/m);
  expect(text).toMatch(/^ +-s, --scope <scope>$/m);
  expect(text).toContain('$ unlockos-keys disable --stdin --reason "found in a public repository" < found.txt');
});
