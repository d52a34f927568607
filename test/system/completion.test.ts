import { existsSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { Place, ROOT } from '../support/built-tool.js';
import { Screen } from '../support/screen.js';

type Shell = 'bash' | 'zsh' | 'fish';

const START: Record<Shell, { args: string[]; load: string }> = {
  bash: {
    args: ['--norc', '--noprofile', '-i'],
    load: "PS1='ready> '; bind 'set show-all-if-ambiguous on'; bind 'set enable-bracketed-paste off'; source <(unlockos-keys completion bash)",
  },
  zsh: {
    args: ['-f', '-i'],
    load: "PROMPT='ready> '; autoload -Uz compinit; compinit -u -D; source <(unlockos-keys completion zsh)",
  },
  fish: {
    args: ['--no-config', '-i'],
    load: 'function fish_prompt; echo -n "ready> "; end; set -g fish_autosuggestion_enabled 0; unlockos-keys completion fish | source',
  },
};

/** A shell at a terminal, with the tool on its PATH and the completion loaded as its first lines say. */
class Terminal {
  readonly screen: Screen;
  #lines = 0;

  private constructor(screen: Screen) {
    this.screen = screen;
  }

  static async open(place: Place, shell: Shell): Promise<Terminal> {
    const tool = `#!/bin/sh\nexec '${process.execPath}' '${ROOT}bin/unlockos-keys.js' "$@"\n`;
    place.write('bin/unlockos-keys', tool, 0o755);
    const { args, load } = START[shell];
    const env = place.env({ TERM: 'xterm-256color', RAN: place.file('ran') });
    const screen = new Screen(shell, args, { cols: 200, rows: 50, cwd: place.dir, env });
    onTestFinished(() => screen.kill());
    screen.type(`${load}\r`);
    await screen.shows(/^ready>/m);
    return new Terminal(screen);
  }

  /** Types this, and a line that says where it ended; hands back what the screen showed meanwhile. */
  async type(text: string): Promise<string> {
    const end = `end-${++this.#lines}`;
    this.screen.type(`${text}echo '${end.charAt(0)}'${end.slice(1)}\r`);
    await this.screen.shows(new RegExp(`^${end}$`, 'm'));
    const { text: shown } = this.screen;
    const before = shown.slice(0, shown.lastIndexOf(`\n${end}`));
    return before.slice(before.lastIndexOf('\nend-') + 1);
  }
}

/** What nobody may be able to make a shell run: a name for each, and each begins with a letter of its own. */
const NAMES = [
  'a plain name',
  'b$(touch "$RAN")',
  'c`touch "$RAN"`',
  'd; touch "$RAN"',
  'e"quoted"',
  "f'quoted'",
  'g\\back\\slash',
  'h:colon:colon',
  'i=equals',
  'j*?[a-z]',
  'k{a,b}~#',
  'l!bang !!',
  'm&|<>()',
  'nüß 漢字',
  'p%s%n\\n',
];

/** A pattern for just this text. */
function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

const SHELLS: Shell[] = ['bash', 'zsh', 'fish'];

test.each(
  SHELLS,
)('%s completes every name so that the tool gets just that name, and runs nothing in it', async (shell) => {
  const place = new Place();
  const made = await place.tool(['create', ...NAMES, '--test-mode', '-s', 'plan:read', '-o', 'value']);
  expect(made.exitCode, made.stderr).toBe(0);
  const terminal = await Terminal.open(place, shell);
  for (const name of NAMES) {
    const said = await terminal.type(`unlockos-keys -o value --fields mode,name show ${name.charAt(0)}\t\r`);
    expect(said).toMatch(new RegExp(`^test +${literally(name)}$`, 'm'));
  }
  expect(existsSync(place.file('ran'))).toBe(false);
});

test.each(SHELLS)('%s completes within quotes that are open', async (shell) => {
  const place = new Place();
  await place.key('two words');
  await place.key('it\'s $HOME; "so"');
  await place.key("both 'so'");
  const terminal = await Terminal.open(place, shell);
  for (const [typed, name] of [
    ['"two w', 'two words'],
    ["'two w", 'two words'],
    ['two\\ w', 'two words'],
    ['"it', 'it\'s $HOME; "so"'],
    ["'it", 'it\'s $HOME; "so"'],
    ['"bo', "both 'so'"],
    ["'bo", "both 'so'"],
  ] as const) {
    const said = await terminal.type(`unlockos-keys -o value --fields mode,name show ${typed}\t\r`);
    expect(said).toMatch(new RegExp(`^test +${literally(name)}$`, 'm'));
  }
});

test.each(SHELLS)('%s completes a scope once, whatever it makes of colons, commas and equals signs', async (shell) => {
  const place = new Place();
  await place.key('one', '--scope', 'plan:read');
  const terminal = await Terminal.open(place, shell);
  for (const typed of [
    '-s checkin:r',
    '-s "checkin:r',
    '--scope=checkin:r',
    '-s plan:read,checkin:r',
    "--scope='checkin:r",
  ]) {
    const said = await terminal.type(`unlockos-keys -o value --fields mode,scopes list ${typed}\t\r`);
    expect(said).toMatch(/^test +checkin:read plan:read$/m);
  }
});

test.each(SHELLS)('%s asks the store that the line names', async (shell) => {
  const place = new Place();
  await place.key('first');
  const others = { UNLOCKOS_KEYS_STORE: place.file("other's keys.db") };
  await place.tool(['create', 'found', '--test-mode', '-s', 'plan:read', '-o', 'value'], { env: others });
  await place.tool(['profile', 'add', 'elsewhere', '--store', place.file("other's keys.db")]);
  const terminal = await Terminal.open(place, shell);
  for (const typed of [
    '--store "other\'s keys.db" show f',
    '-p else\tshow f',
    '--profile=elsewhere show f',
    'show -p elsewhere f',
  ]) {
    const said = await terminal.type(`unlockos-keys -o value --fields mode,name ${typed}\t\r`);
    expect(said).toMatch(/^test +found$/m);
  }
});

test.each(SHELLS)('%s leaves file names to itself', async (shell) => {
  const place = new Place();
  place.write('partner key.txt', await place.key('partner'));
  const terminal = await Terminal.open(place, shell);
  for (const typed of ['--key-file part', '--key-file=part', '--key-file "part']) {
    const said = await terminal.type(`unlockos-keys -o value --fields verdict,name verify ${typed}\t\r`);
    expect(said).toMatch(/^valid +partner$/m);
  }
});

test.each([
  { shell: 'bash', shown: /^--status +--store +$/m },
  { shell: 'zsh', shown: /^--status +-- only active, inactive, expired\n--store +-- the store to use/m },
  { shell: 'fish', shown: /^--status +\(only active, inactive, expired\) +--store +\(the store to use/m },
] as const)('$shell lists flags, with descriptions where it shows any', async ({ shell, shown }) => {
  const { screen } = await Terminal.open(new Place(), shell);
  screen.type('unlockos-keys list --st\t\t');
  await screen.shows(shown);
});

/** Lines that stand before a TAB. RAN is the file that would be made (zsh has a MARK of its own). */
const HOSTILE = [
  'unlockos-keys show $(touch "$RAN")',
  'unlockos-keys show `touch $RAN`',
  'unlockos-keys verify --key-file "$(touch "$RAN")x',
  'unlockos-keys verify --key-file=`touch $RAN`',
  'unlockos-keys show $(touch "$RAN") ',
  'unlockos-keys show `touch "$RAN"` ',
  'unlockos-keys --store $(touch "$RAN") show ',
  'unlockos-keys --store="$(touch "$RAN")" show a',
  'unlockos-keys -p `touch $RAN` show a',
  'unlockos-keys -s "$(touch $RAN)=',
  'unlockos-keys list --scope "$(touch $RAN)',
  'unlockos-keys list --scope=`touch $RAN`=x',
  'unlockos-keys show \'; touch "$RAN"; \'',
  'unlockos-keys show "; touch $RAN; echo ',
  'unlockos-keys show <(touch "$RAN") ',
  'unlockos-keys show \'"$(touch "$RAN")"\' "',
  'unlockos-keys $(touch "$RAN")x ',
  'unlockos-keys show "a\n$(touch "$RAN")" ',
  'unlockos-keys show "a\n; touch $RAN\n',
];

/** The keys that put a line break into a line. */
const NEWLINE: Record<Shell, string> = { bash: '\u0016\n', zsh: '\u0016\n', fish: '\u001b\r' };
const CLEAR = '\u0015'.repeat(6); // in fish one for each line, and one for each line break

test.each(SHELLS)('%s runs nothing of a line when TAB is pressed', async (shell) => {
  const place = new Place();
  await place.key('a$(touch "$RAN")');
  const terminal = await Terminal.open(place, shell);
  // As zsh has it, TAB expands the word at the cursor first, whatever the command is: `true $(touch x)` makes x. This is about what we add.
  if (shell === 'zsh') await terminal.type("bindkey '^I' complete-word\r");
  for (const line of HOSTILE) {
    await terminal.type(`${line.replaceAll('\n', NEWLINE[shell])}\t\t${CLEAR}`);
    expect(existsSync(place.file('ran')), line).toBe(false);
  }
});

test('the bash script can be loaded twice', async () => {
  const terminal = await Terminal.open(new Place(), 'bash');
  await terminal.type('');
  const said = await terminal.type('source <(unlockos-keys completion bash)\r');
  expect(said.split('\n').filter((line) => !/^(ready>.*|end-1|)$/.test(line))).toEqual([]);
});
