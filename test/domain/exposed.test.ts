import { expect, test } from 'vitest';
import { exposedKeyString } from '../../src/domain/exposed.js';
import { mintKeyString } from '../../src/domain/key-parts.js';

test.each([
  'live',
  'test',
] as const)('a %s key string on a command line is refused by its id, and not repeated', (mode) => {
  const { keyString: text, id, secret } = mintKeyString(mode);
  for (const given of [text, ` ${text.toUpperCase()}`, `--name=${text}`]) {
    const { code, message, hint } = exposedKeyString(given);
    expect(code).toBe('usage');
    expect(hint?.toLowerCase()).toContain(`unlockos-keys disable ${id}`);
    expect(hint).toContain('--stdin');
    expect(`${message}${hint}`.toLowerCase()).not.toContain(secret.toLowerCase());
  }
});
