import { describe, expect, test } from 'vitest';
import { commandLine } from '../../src/cli/command-line.js';

describe('the command of a hint', () => {
  test.each([
    [['delete', 'ci'], ['--yes'], 'unlockos-keys delete ci --yes'],
    [['delete', 'my key'], ['--confirm', "Zoë's"], "unlockos-keys delete 'my key' --confirm 'Zoë'\\''s'"],
    [['create', 'a', '--pipe', '--', 'gh', '$X'], ['--yes'], "unlockos-keys create a --pipe --yes -- gh '$X'"],
    [['delete', ''], [], "unlockos-keys delete ''"],
    [['delete', 'a\u001b[31m\n'], [], "unlockos-keys delete 'a\\u{1b}[31m\\u{a}'"],
  ])('%j with %j', (words, flags, expected) => {
    expect(commandLine(words, flags)).toBe(expected);
  });
});
