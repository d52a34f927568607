import {
  createPrompt,
  isEnterKey,
  isTabKey,
  makeTheme,
  useEffect,
  useKeypress,
  usePrefix,
  useState,
} from '@inquirer/core';
import { theme as ours } from './theme.js';

interface Question {
  readonly message: string;
  /** Stands there to be changed. A field that was emptied is empty, unlike in the prompt of @inquirer, where it becomes this again. */
  readonly initial: string;
  /** True, or why the text is refused. */
  readonly check: (text: string) => string | true | Promise<string | true>;
}

const theme = makeTheme<object>(ours);

/** Asks for one line. */
export const textPrompt = createPrompt<string, Question>(({ message, initial, check }, done) => {
  const [status, setStatus] = useState<'idle' | 'loading' | 'done'>('idle');
  const [value, setValue] = useState('');
  const [refusal, setRefusal] = useState('');
  const prefix = usePrefix({ status, theme });

  useEffect((rl) => {
    if (initial === '') return;
    rl.write(initial);
    setValue(initial);
  }, []);

  useKeypress(async (key, rl) => {
    if (status !== 'idle') return;
    if (!isEnterKey(key)) {
      if (isTabKey(key)) {
        rl.clearLine(0);
        rl.write(value);
      }
      setValue(rl.line);
      setRefusal('');
      return;
    }
    setStatus('loading');
    const verdict = await check(value);
    if (verdict === true) {
      setStatus('done');
      done(value);
    } else {
      rl.write(value); // readline emptied its line at Enter
      setRefusal(verdict);
      setStatus('idle');
    }
  });

  const shown = status === 'done' ? theme.style.answer(value) : value;
  return [`${prefix} ${theme.style.message(message, status)} ${shown}`, refusal && theme.style.error(refusal)];
});
