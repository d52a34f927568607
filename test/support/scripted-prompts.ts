import type { Choice, KeyAction, Prompts } from '../../src/cli/context.js';
import { KeysError } from '../../src/domain/errors.js';

/** An answer: the user presses Ctrl-C at this question. */
export const CTRL_C = Symbol('Ctrl-C');
/** Text, yes or no, the beginning of a choice's name, the scopes to pick; in a table an action with names (`['disable', 'ci']`), or `quit`. */
export type Answer = string | boolean | readonly string[] | typeof CTRL_C;

export interface Question {
  readonly kind: keyof Prompts;
  readonly message: string;
  readonly choices: readonly string[];
  readonly initial: string | boolean | undefined;
}

export interface Script {
  /** Returns the answer to a question; undefined if no answer is left. */
  answer(question: Question): Answer | undefined;
  /** The prompt's validation rejected an answer with this message. */
  refused(why: string): void;
  /** The script does not match the questions: the test fails. */
  problem(what: string): void;
}

/** Prompts that a script answers. The validation of each prompt still runs. */
export function scriptedPrompts(script: Script): Prompts {
  const ask = (
    kind: Question['kind'],
    message: string,
    initial?: string | boolean,
    choices: readonly string[] = [],
  ): Exclude<Answer, typeof CTRL_C> => {
    const answer = script.answer({ kind, message, initial, choices });
    if (answer === undefined) script.problem(`no answer to: ${message}`);
    if (answer === undefined || answer === CTRL_C) throw new KeysError('cancelled', 'cancelled; nothing was changed');
    return answer;
  };
  const one = <T>(kind: 'choose' | 'find', message: string, choices: readonly Choice<T>[]): T => {
    const names = choices.map(({ name }) => name);
    const answer = String(ask(kind, message, undefined, names));
    const found = choices.find(({ name }) => name.startsWith(answer));
    if (!found) script.problem(`${answer} is not among ${names.join(', ')}`);
    return (found as Choice<T>).value;
  };
  return {
    text: async (message, { initial, check } = {}) => {
      for (;;) {
        const answer = String(ask('text', message, initial));
        const verdict = check ? await check(answer) : true;
        if (verdict === true) return answer;
        script.refused(verdict);
      }
    },
    secret: async (message) => String(ask('secret', message)),
    yesNo: async (message, initial) => ask('yesNo', message, initial) === true,
    choose: async (message, choices) => one('choose', message, choices),
    find: async (message, choices) => one('find', message, choices),
    pick: async (message, groups) => {
      const choices = groups.flatMap((group) => group.choices);
      const names = choices.map(({ name }) => name);
      const answer = ask('pick', message, undefined, names) as readonly string[];
      for (const name of answer) if (!names.includes(name)) script.problem(`${name} is not offered`);
      return choices.filter(({ name }) => answer.includes(name)).map(({ value }) => value);
    },
    manage: async ({ keys, message, place }) => {
      const names = keys.map(({ name }) => name);
      const answer = ask('manage', message.join('\n'), undefined, names);
      if (!Array.isArray(answer)) return null;
      const [action, ...wanted] = answer as readonly string[];
      for (const name of wanted) if (!names.includes(name)) script.problem(`${name} is not in the table`);
      return { action: action as KeyAction, keys: keys.filter(({ name }) => wanted.includes(name)), place };
    },
    wait: (work) => work,
    pause: async () => {},
  };
}
