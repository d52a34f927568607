import { expect, onTestFinished, test } from 'vitest';
import { keyStrings, Place, ROOT } from '../support/built-tool.js';

/** A tmux server of its own, with the tool in its one window. What the window shows is asked for after each signal that it changed. */
class Tmux {
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
    onTestFinished(async () => {
      await this.#run('kill-server');
    });
  }

  async #run(...args: string[]): Promise<string> {
    const { stdout } = await this.#place.run('tmux', ['-f', '/dev/null', '-S', this.#place.file('tmux'), ...args]);
    return stdout;
  }

  async start(words: readonly string[]): Promise<void> {
    const line = words.map((word) => `'${word}'`).join(' ');
    const whenDone = `${line}; echo "ended with $?"; exec cat`;
    await this.#run('new-session', '-d', '-x', '90', '-y', '40', whenDone);
  }

  async send(...keys: string[]): Promise<void> {
    await this.#run('send-keys', ...keys);
  }

  screen(): Promise<string> {
    return this.#run('capture-pane', '-p');
  }

  /** Looks again and again; each look is a process of its own, and the test's own limit ends it. */
  async shows(pattern: RegExp): Promise<string> {
    for (;;) {
      const text = await this.screen();
      if (pattern.test(text)) return text;
    }
  }
}

async function createInTmux(place: Place): Promise<Tmux> {
  const tmux = new Tmux(place);
  await tmux.start([process.execPath, `${ROOT}/bin/unlockos-keys.js`, 'create']);
  await tmux.shows(/\? Name/);
  await tmux.send('partner', 'Enter');
  await tmux.shows(/\? Description/);
  await tmux.send('Enter');
  await tmux.shows(/\? Mode\n❯ Test/);
  await tmux.send('Down');
  await tmux.shows(/❯ Live/);
  await tmux.send('Enter');
  await tmux.shows(/\? Scopes[\s\S]*❯◯ checkin:read/);
  return tmux;
}

test('create in tmux: the screen of a person who makes a live key', async () => {
  const place = new Place();
  const tmux = await createInTmux(place);
  await tmux.send('Space');
  await tmux.shows(/❯◉ checkin:read/);
  await tmux.send('Enter');
  const summary = await tmux.shows(/\? Create this key\?/);
  expect(summary).toMatch(/Name +"partner"\n +Description —\n +Mode +LIVE\n +Scopes +checkin:read\n/);
  await tmux.send('Enter');
  await tmux.shows(/\? Copy it to the clipboard/);
  await tmux.send('Enter');
  const text = await tmux.shows(/ended with 0/);
  const [keyString = '', ...more] = keyStrings(text);
  expect(more).toEqual([]);
  expect(text).toContain('Created LIVE key "partner"');
  expect(text).toContain('it cannot be shown again');
  expect(await place.verdict(keyString)).toBe('valid');
});

test('Ctrl-C in tmux ends with 130, leaves nothing behind and a terminal that shows what is typed', async () => {
  const place = new Place();
  const tmux = await createInTmux(place);
  await tmux.send('C-c');
  await tmux.shows(/ended with 130/);
  await tmux.send('echoed');
  await tmux.shows(/ended with 130\nechoed/);
  expect(await place.keys()).toEqual([]);
});
