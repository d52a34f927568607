// Draws the picture in README, from a real run of the built tool in a real terminal: `node scripts/session-svg.mjs [FILE]`, by default
// docs/session.svg. Afterwards, key ids, secrets, times and paths are replaced by fixed ones, so that the picture holds no secret and is the
// same after each run.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawn } from '@lydell/node-pty';
import headless from '@xterm/headless';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const file = path.resolve(process.argv[2] ?? path.join(root, 'docs/session.svg'));

/** What is typed, and the answer to a question that the tool asks. */
const STEPS = [
  {
    words: ['create', 'partner-checkin', '--live', '--scope', 'checkin:read', '--expires', '90d'],
    question: /\(y\/N\) *$/,
    answer: 'n\r',
  },
  { words: ['list'] },
  { words: ['disable', 'partner-checkin', '--reason', 'left the programme'] },
];
const COLUMNS = 100;
/** The terminal is wider than the picture: a long path of a temporary directory must not break a line. */
const ROOM = 300;
const ROWS = 40;
const LIMIT_MS = 30_000;

const SAMPLE_ID = '7qpz9m3k4xwd';
/** As long as a secret and its checksum; the checksum is wrong, so that no scanner takes it for a key. */
const SAMPLE_SECRET = 'ThisIsNotARealSecretItIsASample0000000';
const SAMPLE_TIME = '2027-02-21T09:12:44.031Z';

const COLOURS = { 1: '#f47067', 2: '#7ee787', 3: '#e3b341', 4: '#79c0ff', 5: '#d2a8ff', 6: '#76e3ea', 8: '#8b949e' };
const TEXT = '#e6edf3';
const CELL = 8.4;
const LINE = 20;
const MARGIN = 20;

/** One character on the screen, with the look that it has there. */
function cellsOf(line) {
  const cells = [];
  for (let x = 0; x < line.length; x++) {
    const cell = line.getCell(x);
    if (!cell || cell.getWidth() === 0) continue;
    const colour = cell.isFgPalette() ? (COLOURS[cell.getFgColor() % 8 || cell.getFgColor()] ?? TEXT) : TEXT;
    cells.push({ text: cell.getChars() || ' ', colour, bold: cell.isBold() !== 0, dim: cell.isDim() !== 0 });
  }
  while (cells.length > 0 && cells.at(-1).text === ' ') cells.pop();
  return cells;
}

/** Replaces what a pattern finds; the new characters look like the first that they replace. */
function replaceIn(cells, pattern, replacement) {
  const found = pattern.exec(cells.map(({ text }) => text).join(''));
  if (!found) return cells;
  const [old] = found;
  const fresh = [...replacement(found)].map((text) => ({ ...cells[found.index], text }));
  const rest = replaceIn(cells.slice(found.index + old.length), pattern, replacement);
  return [...cells.slice(0, found.index), ...fresh, ...rest];
}

function normalised(cells, home) {
  const steps = [
    [/(unlk_live_)[0-9a-z]{12}_[0-9A-Za-z]{38}/, ([, prefix]) => `${prefix}${SAMPLE_ID}_${SAMPLE_SECRET}`],
    [/(unlk_live_)[0-9a-hjkmnp-tv-z]{12}_…/, ([, prefix]) => `${prefix}${SAMPLE_ID}_…`],
    [/\([0-9a-hjkmnp-tv-z]{12}\)/, () => `(${SAMPLE_ID})`],
    [/\d{4}-\d\d-\d\dT[\d:.]+Z/, () => SAMPLE_TIME],
    [/(?<=unlockos-keys enable )[0-9a-z]{12}/, () => SAMPLE_ID],
    [new RegExp(home.replaceAll('.', '\\.')), () => '/home/ops'],
  ];
  return steps.reduce((changed, [pattern, replacement]) => replaceIn(changed, pattern, replacement), cells);
}

/** Runs the tool to its end, and hands back the rows that are then on the screen. */
async function run({ words, question, answer }, home) {
  const terminal = new headless.Terminal({ cols: ROOM, rows: ROWS, allowProposedApi: true });
  const pty = spawn(process.execPath, [path.join(root, 'bin/unlockos-keys.js'), ...words], {
    name: 'xterm-256color',
    cols: ROOM,
    rows: ROWS,
    cwd: home,
    env: { PATH: process.env.PATH, HOME: home, TERM: 'xterm-256color', LANG: 'C.UTF-8', COLUMNS: `${COLUMNS}` },
  });
  let asked = question !== undefined;
  const rows = () => Array.from({ length: ROWS }, (_, y) => cellsOf(terminal.buffer.active.getLine(y)));
  terminal.onData((reply) => pty.write(reply));
  pty.onData((data) =>
    terminal.write(data, () => {
      const shown = rows()
        .map((cells) => cells.map(({ text }) => text).join(''))
        .join('\n')
        .trimEnd();
      if (!asked || !question.test(shown)) return;
      asked = false;
      pty.write(answer);
    }),
  );
  await new Promise((resolve, reject) => {
    const limit = setTimeout(() => {
      pty.kill('SIGKILL');
      reject(new Error(`${words.join(' ')} did not end`));
    }, LIMIT_MS);
    pty.onExit(({ exitCode }) => {
      clearTimeout(limit);
      if (exitCode === 0) terminal.write('', resolve);
      else reject(new Error(`${words.join(' ')} ended with ${exitCode}`));
    });
  });
  const all = rows();
  while (all.length > 0 && all.at(-1).length === 0) all.pop();
  return all;
}

function prompt(words) {
  const typed = words.map((word) => (/[^\w:,.-]/.test(word) ? `"${word}"` : word)).join(' ');
  const look = (text, colour) => [...text].map((each) => ({ text: each, colour, bold: true, dim: false }));
  return [...look('$ ', COLOURS[2]), ...look(`unlockos-keys ${typed}`, TEXT)];
}

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Pieces that look alike, each at its place, so that columns stay columns in any font. */
function drawRow(cells, y) {
  const pieces = [];
  for (let x = 0; x < cells.length; ) {
    const { colour, bold, dim } = cells[x];
    let end = x;
    while (end < cells.length && cells[end].colour === colour && cells[end].bold === bold && cells[end].dim === dim)
      end++;
    const text = cells.slice(x, end).map((cell) => cell.text);
    if (text.some((each) => each !== ' ')) {
      const attributes = [
        `x="${(MARGIN + x * CELL).toFixed(1)}"`,
        `y="${MARGIN + 14 + y * LINE}"`,
        `textLength="${((end - x) * CELL).toFixed(1)}"`,
        ...(colour === TEXT ? [] : [`fill="${colour}"`]),
        ...(bold ? ['font-weight="bold"'] : []),
        ...(dim ? ['opacity="0.65"'] : []),
      ];
      pieces.push(`<text ${attributes.join(' ')}>${escaped(text.join(''))}</text>`);
    }
    x = end;
  }
  return pieces;
}

function draw(rows) {
  const width = Math.ceil(COLUMNS * CELL + 2 * MARGIN);
  const height = rows.length * LINE + 2 * MARGIN;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    '<title>unlockos-keys in a terminal: a key is created, listed and disabled</title>',
    `<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>`,
    `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" fill="${TEXT}" xml:space="preserve">`,
    ...rows.flatMap(drawRow),
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

const home = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'unlk-')));
try {
  const rows = [];
  for (const step of STEPS) {
    if (rows.length > 0) rows.push([]);
    rows.push(prompt(step.words), ...(await run(step, home)).map((cells) => normalised(cells, home)));
  }
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, draw(rows));
} finally {
  rmSync(home, { recursive: true, force: true });
}
process.exit(0); // the pseudo-terminal keeps Node awake
