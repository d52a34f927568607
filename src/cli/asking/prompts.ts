import { checkbox, confirm, password, Separator, search, select } from '@inquirer/prompts';
import { KeysError } from '../../domain/errors.js';
import { safeText } from '../../domain/text.js';
import { type Choice, ESCAPE, type PromptLook, type Prompts } from '../context.js';
import { onTerminal, type Terminal } from './terminal.js';
import { checkboxTheme, theme } from './theme.js';

function shown<T>({ name, value, description }: Choice<T>) {
  return {
    name: safeText(name),
    short: safeText(name),
    value,
    ...(description !== undefined && { description: safeText(description) }),
  };
}

/** Waits for work; Ctrl-C, and Esc where it goes back, stop waiting. Other keys that are typed meanwhile are dropped. */
function orLeave<T>(work: Promise<T>, { input, signal }: Terminal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () =>
      reject(Object.assign(new Error('left', { cause: signal.reason }), { name: 'AbortPromptError' }));
    signal.addEventListener('abort', leave);
    input.on('data', (keys: Buffer) => keys.includes(CTRL_C) && leave());
    (input as NodeJS.ReadStream).setRawMode(true);
    work.then(resolve, reject);
  });
}

const CTRL_C = 0x03;
const ALTERNATE_SCREEN = { enter: '\u001b[?1049h\u001b[2J\u001b[H', leave: '\u001b[?1049l' };

/** Prompts on the real terminal. They are drawn on stderr: stdout is for results. */
export function terminalPrompts(look: PromptLook): Prompts {
  const ask = async <T>(question: (terminal: Terminal) => Promise<T>, screen: object = {}): Promise<T> => {
    try {
      return await onTerminal({ ...look, ...screen }, question);
    } catch (error) {
      if (!(error instanceof Error) || !['ExitPromptError', 'AbortPromptError'].includes(error.name)) throw error;
      const cause = error.cause === ESCAPE ? ESCAPE : undefined;
      throw new KeysError('cancelled', 'cancelled; nothing was changed', undefined, { cause });
    }
  };
  return {
    text: async (message, { initial = '', check = () => true as const } = {}) => {
      const { textPrompt } = await import('./text-prompt.js');
      return ask((terminal) => textPrompt({ message: safeText(message), initial: safeText(initial), check }, terminal));
    },
    secret: (message) =>
      ask((terminal) => password({ message: safeText(message), mask: false, toggleMask: false, theme }, terminal)),
    yesNo: (message, initial) =>
      ask((terminal) => confirm({ message: safeText(message), default: initial, theme }, terminal)),
    choose: (message, choices) =>
      ask((terminal) =>
        select({ message: safeText(message), choices: choices.map(shown), loop: false, theme }, terminal),
      ),
    find: (message, choices) =>
      ask((terminal) =>
        search(
          {
            message: safeText(message),
            pageSize: 12,
            theme,
            source: (term) =>
              choices.filter(({ name }) => name.toLowerCase().includes((term ?? '').toLowerCase())).map(shown),
          },
          terminal,
        ),
      ),
    pick: (message, groups) =>
      ask((terminal) =>
        checkbox(
          {
            message: safeText(message),
            required: true,
            loop: false,
            pageSize: 16,
            theme: checkboxTheme,
            choices: groups.flatMap(({ label, choices }) => [
              new Separator(` ${safeText(label)}`),
              ...choices.map(shown),
            ]),
          },
          terminal,
        ),
      ),
    manage: async (table) => {
      const { keyTable } = await import('./key-table.js');
      return keyTable(table, (question) => ask(question, { ...ALTERNATE_SCREEN, escape: false }));
    },
    wait: (work) => ask((terminal) => orLeave(work, terminal)),
    pause: async (message) => {
      const { pausePrompt } = await import('./pause.js');
      await ask((terminal) => pausePrompt({ message: safeText(message) }, terminal), { escape: false });
    },
  };
}
