import { createInterface } from 'node:readline';
import type { ApiKey } from '../../domain/api-key.js';
import { KeysError } from '../../domain/errors.js';
import { safeText } from '../../domain/text.js';
import type { Choice, KeyAction, KeyTable, Prompts, TableAnswer } from '../context.js';
import { filterKeys } from '../output/key-filter.js';

const cancelled = () => new KeysError('cancelled', 'cancelled; nothing was changed');

function say(lines: readonly string[]): void {
  process.stderr.write(lines.map((line) => `${safeText(line)}\n`).join(''));
}

/** One line from the terminal, as its own line editing gives it. Ctrl-C ends the process, as it does in any plain program. */
function readLine(question: string): Promise<string> {
  process.stderr.write(`${safeText(question)} `);
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: process.stdin, terminal: false });
    const gone = () => {
      process.stderr.write('\n'); // Ctrl-D leaves the cursor behind the question
      reject(cancelled());
    };
    lines.once('close', gone).once('line', (line) => {
      resolve(line);
      lines.off('close', gone).close();
    });
  });
}

/** A line that is not echoed: the terminal is in raw mode before the question appears, because a fast answer would be echoed otherwise. */
function readHidden(question: string): Promise<string> {
  const { stdin } = process;
  stdin.setRawMode(true);
  process.stderr.write(`${safeText(question)} `);
  return new Promise((resolve, reject) => {
    let typed = '';
    const end = (settle: () => void) => {
      stdin.off('data', take).off('end', gone).setRawMode(false).pause();
      process.stderr.write('\n');
      settle();
    };
    const gone = () => end(() => reject(cancelled()));
    const take = (bytes: Buffer) => {
      for (const character of bytes.toString('utf8')) {
        if (character === '\r' || character === '\n') return end(() => resolve(typed));
        if (character === '\u0003' || character === '\u0004') return gone();
        typed = character === '\u007f' || character === '\b' ? typed.slice(0, -1) : typed + character;
      }
    };
    stdin.on('data', take).on('end', gone).resume();
  });
}

/** The number of a choice, or its name. */
function numberOf<T>(line: string, choices: readonly Choice<T>[]): number {
  const typed = line.trim();
  const at = /^\d+$/.test(typed) ? Number(typed) - 1 : choices.findIndex(({ name }) => name === typed);
  return choices[at] ? at : -1;
}

async function chooseOne<T>(message: string, choices: readonly Choice<T>[]): Promise<T> {
  say([
    message,
    ...choices.map(({ name, description }, i) => `  ${i + 1} ${name}${description ? `: ${description}` : ''}`),
  ]);
  for (;;) {
    const choice = choices[numberOf(await readLine('Number:'), choices)];
    if (choice) return choice.value;
    say([`pass a number from 1 to ${choices.length}`]);
  }
}

const ACTIONS: readonly KeyAction[] = ['show', 'edit', 'disable', 'enable', 'rotate', 'delete'];

async function manage({ keys, message, place }: KeyTable): Promise<TableAnswer | null> {
  say(message);
  for (;;) {
    const typed = (
      await readLine('Key (part of its name, its id or a label; empty lists all; n creates one; q leaves):')
    ).trim();
    if (typed === 'q') return null;
    if (typed === 'n') return { action: 'create', keys: [], place };
    const found = filterKeys(keys, typed);
    const exact = found.filter(({ name }) => name === typed);
    const [key] = exact.length === 1 ? exact : found;
    if (!key) say(['no key fits']);
    else if (found.length > 1 && exact.length !== 1)
      say(found.map(({ name, id, mode, status }) => `  ${name}  ${id}  ${mode}  ${status}`));
    else {
      const action = await chooseAction(key);
      if (action !== null) return { action, keys: [key], place };
    }
  }
}

/** Null for back. */
async function chooseAction({ name, id, mode, status }: ApiKey): Promise<KeyAction | null> {
  for (;;) {
    const line = (await readLine(`${name} (${id}), ${mode}, ${status}: ${ACTIONS.join(', ')} or back?`)).trim();
    const action = ACTIONS.find((each) => each === line);
    if (action) return action;
    if (line === 'back' || line === '') return null;
    say([`one of: ${ACTIONS.join(', ')}, back`]);
  }
}

/** Prompts for terminals that know no cursor movement (TERM=dumb, such as an editor's shell): one line at a time, no colour. */
export function plainPrompts(): Prompts {
  return {
    async text(message, { initial, check } = {}) {
      const hint = initial === undefined || initial === '' ? '' : ` (Enter keeps ${safeText(initial)}; - empties it)`;
      for (;;) {
        const line = await readLine(`${message}${hint}:`);
        const value = hint === '' ? line : line === '' ? (initial ?? '') : line === '-' ? '' : line;
        const verdict = check ? await check(value) : true;
        if (verdict === true) return value;
        say([verdict]);
      }
    },
    secret: (message) => readHidden(`${message}:`),
    async yesNo(message, initial) {
      const line = (await readLine(`${message} (${initial ? 'Y/n' : 'y/N'})`)).trim().toLowerCase();
      return line === '' ? initial : line === 'y' || line === 'yes';
    },
    choose: chooseOne,
    find: chooseOne,
    async pick<T>(message: string, groups: Parameters<Prompts['pick']>[1]): Promise<T[]> {
      const choices = groups.flatMap((group) => group.choices) as readonly Choice<T>[];
      say([message, ...choices.map(({ name }, i) => `  ${i + 1} ${name}`)]);
      for (;;) {
        const words = (await readLine('Numbers, separated by spaces:')).split(/[\s,]+/).filter(Boolean);
        const picked = [...new Set(words.map((word) => numberOf(word, choices)))];
        if (picked.length > 0 && !picked.includes(-1))
          return picked.sort((a, b) => a - b).flatMap((at) => choices[at]?.value ?? []) as T[];
        say([`pass one or more numbers from 1 to ${choices.length}`]);
      }
    },
    manage,
    wait: (work) => work,
    pause: async () => {}, // nothing is drawn over it
  };
}
