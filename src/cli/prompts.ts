import { checkbox, confirm, input, password, Separator, search, select } from '@inquirer/prompts';
import { KeysError } from '../domain/errors.js';
import { safeText } from '../domain/text.js';

export interface Choice<T> {
  readonly name: string;
  readonly value: T;
  readonly description?: string;
}

export interface ChoiceGroup<T> {
  readonly label: string;
  readonly choices: readonly Choice<T>[];
}

/** The questions that commands may ask. Each throws `cancelled` on Ctrl-C; none ever answers itself. */
export interface Prompts {
  text(
    message: string,
    options?: { initial?: string; check?: (value: string) => string | true | Promise<string | true> },
  ): Promise<string>;
  secret(message: string): Promise<string>;
  yesNo(message: string, initial: boolean): Promise<boolean>;
  choose<T>(message: string, choices: readonly Choice<T>[]): Promise<T>;
  /** A list to pick from by arrows or by typing a part of a name. */
  find<T>(message: string, choices: readonly Choice<T>[]): Promise<T>;
  /** Nothing is preselected; at least one must be picked. */
  pick<T>(message: string, groups: readonly ChoiceGroup<T>[]): Promise<T[]>;
}

async function answered<T>(question: Promise<T>): Promise<T> {
  try {
    return await question;
  } catch (error) {
    if (error instanceof Error && (error.name === 'ExitPromptError' || error.name === 'AbortPromptError')) {
      throw new KeysError('cancelled', 'cancelled; nothing was changed');
    }
    throw error;
  }
}

function shown<T>({ name, value, description }: Choice<T>) {
  return {
    name: safeText(name),
    short: safeText(name),
    value,
    ...(description !== undefined && { description: safeText(description) }),
  };
}

/** Prompts on the real terminal, drawn on stderr: stdout belongs to the answer. */
export function terminalPrompts(): Prompts {
  const screen = { output: process.stderr, input: process.stdin };
  return {
    text: (message, { initial, check } = {}) =>
      answered(
        input(
          {
            message: safeText(message),
            ...(initial !== undefined && { default: safeText(initial), prefill: 'editable' as const }),
            ...(check && { validate: check }),
          },
          screen,
        ),
      ),
    secret: (message) => answered(password({ message: safeText(message), mask: false }, screen)),
    yesNo: (message, initial) => answered(confirm({ message: safeText(message), default: initial }, screen)),
    choose: (message, choices) =>
      answered(select({ message: safeText(message), choices: choices.map(shown), loop: false }, screen)),
    find: (message, choices) =>
      answered(
        search(
          {
            message: safeText(message),
            pageSize: 12,
            source: (term) =>
              choices.filter(({ name }) => name.toLowerCase().includes((term ?? '').toLowerCase())).map(shown),
          },
          screen,
        ),
      ),
    pick: (message, groups) =>
      answered(
        checkbox(
          {
            message: safeText(message),
            required: true,
            loop: false,
            pageSize: 16,
            choices: groups.flatMap(({ label, choices }) => [
              new Separator(` ${safeText(label)}`),
              ...choices.map(shown),
            ]),
          },
          screen,
        ),
      ),
  };
}
