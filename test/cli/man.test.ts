import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { manPage } from '../../scripts/man-page.js';
import { programForDocs } from '../../src/cli/program.js';
import { VERSION } from '../../src/version.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
let dir: string;
let page: string;

beforeAll(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'unlk-man-'));
  const file = path.join(dir, 'sub', 'unlockos-keys.1');
  execFileSync(process.execPath, [path.join(root, 'scripts/man.mjs'), file], { cwd: dir });
  page = readFileSync(file, 'utf8');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('the script writes the page of this very tree of commands', async () => {
  expect(page).toBe(manPage(await programForDocs(), VERSION));
});

test('it has every command with every flag, the flags of all, and the topics', async () => {
  const text = page.replaceAll('\\-', '-');
  const visit = (command: Command, words: string[]): void => {
    const path = [...words, [command.name(), ...command.aliases()].join('|')];
    if (command.commands.length === 0 && command.name() !== 'help') {
      expect(text).toContain(`.SS "unlockos-keys ${path.join(' ')}`);
      const own = text.slice(text.indexOf(`.SS "unlockos-keys ${path.join(' ')}`));
      for (const { flags, hidden } of command.options) if (!hidden) expect(own).toContain(`.B "${flags}"\n`);
    }
    for (const each of command.commands) visit(each, path);
  };
  const program = await programForDocs();
  for (const command of program.commands) visit(command, []);
  for (const { flags, hidden } of program.options) if (!hidden) expect(text).toContain(`.B "${flags}"\n`);
  const sections = [...page.matchAll(/^\.SH "(.*)"$/gm)].map(([, name]) => name);
  expect(sections).toEqual([
    'NAME',
    'SYNOPSIS',
    'COMMANDS',
    'FLAGS OF EVERY COMMAND',
    'CI',
    'MANIFEST',
    'OUTPUT',
    'ENVIRONMENT',
    'EXIT CODES',
    'SECURITY',
  ]);
  expect(text).toContain('.B "UNLOCKOS_KEYS_AUTH_TOKEN"\n');
  expect(text).toContain('.B "130"\n\\&cancelled\n');
});

test('hyphens can be copied: none is left that roff would make a dash of', () => {
  const bare = page.split('\n').filter((line) => !line.startsWith('.TH') && /(?<!\\)-/.test(line));
  expect(bare).toEqual([]);
});

test('nothing in a text is a request to roff', () => {
  const program = new Command('unlockos-keys').description('x\n.so /etc/passwd');
  program
    .command('evil')
    .description(".sy touch x\n'ig\nback\\slash \\*(x")
    .argument('[a]', '.ds x y')
    .option('--flag "quoted\\"', "'br\n.ex")
    .addHelpText('after', '\nExamples:\n  $ unlockos-keys .so x "y" \\n');
  const made = manPage(program, '1"\n.so x\\');
  const requests = made.split('\n').filter((line) => /^[.']/.test(line));
  const ours = new Set(['.TH', '.nh', '.ad', '.SH', '.SS', '.B', '.TP', '.PP', '.RS', '.RE', '.nf', '.fi']);
  expect(requests.filter((line) => !ours.has(line.split(' ')[0] ?? ''))).toEqual([]);
  expect(made).toContain('\\&.sy touch x \\(aqig');
});
