import { createPrompt, isEnterKey, isSpaceKey, useKeypress } from '@inquirer/core';

/** Waits for Enter, Esc, space or q. */
export const pausePrompt = createPrompt<void, { message: string }>(({ message }, done) => {
  useKeypress((key, rl) => {
    rl.clearLine(0);
    if (isEnterKey(key) || isSpaceKey(key) || key.name === 'escape' || key.name === 'q') done();
  });
  return message;
});
