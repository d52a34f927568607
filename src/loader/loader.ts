import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { CompiledForms, identityOf } from './compiled-forms.js';
import { printKnown } from './pages.js';

// Loads the files of the bundle. The build makes this a CommonJS file beside them.

declare const require: (name: string) => Record<string, unknown>;
declare const __dirname: string;
/** Names what was built. Each file of the bundle ends with it. */
declare const BUILD: string;
/** The words that call a command. */
declare const COMMAND_WORDS: readonly string[];

/**
 * Modules of Node that are loaded when one of their properties is first read. Each costs a start 0.3 to 10 ms, and most commands use none of
 * them.
 */
const LATER: ReadonlySet<string> = new Set([
  'buffer',
  'child_process',
  'crypto',
  'diagnostics_channel',
  'net',
  'os',
  'perf_hooks',
  'timers/promises',
  'tty',
  'url',
  'util',
  'v8',
  'vm',
  'worker_threads',
  'zlib',
]);
/** The same for a file of the bundle: the build ends its name with this (`scripts/bundle.mjs`). */
const LATER_FILE = '#later';

type Exports = Record<string, unknown>;
/** A file of the bundle. It calls `exported`, or is a package and sets `module.exports`. */
type Wrapper = (
  require: (name: string) => Exports,
  importPart: (name: string) => Promise<Exports>,
  exported: (table: Exports) => void,
  module: { exports: Exports },
  ...where: string[]
) => void;

/** What was loaded, by the name of each file. */
export const modules = new Map<string, { exports: Exports }>();
const scripts = new Map<string, Script>();
let forms: CompiledForms | null = null;

/** Reads a file and its identity through one descriptor. `latin1` is the faster decoder; bundle-check.mjs holds the files to ASCII. */
function read(file: string): { source: string; identity: string } {
  const descriptor = openSync(file, 'r');
  try {
    const stats = fstatSync(descriptor);
    const bytes = Buffer.allocUnsafeSlow(stats.size);
    const length = readSync(descriptor, bytes, 0, stats.size, 0);
    return { source: bytes.toString('latin1', 0, length), identity: identityOf(stats) };
  } finally {
    closeSync(descriptor);
  }
}

/** A file of the bundle, by its name: what it exports, by the number of each part, and of the first file what its entry exports. */
export function load(name: string): Exports {
  const known = modules.get(name);
  if (known) return known.exports;
  const module: { exports: Exports } = { exports: {} };
  const file = join(__dirname, name);
  const { source, identity } = read(file);
  // a part of another build may have the same number, and be another one
  if (!source.endsWith(BUILD))
    throw new Error('the tool was replaced while it ran, perhaps by an upgrade. Check what it did, then run it again');
  const script = new Script(source, { filename: file, cachedData: forms?.of(name, identity) });
  scripts.set(`${name} ${identity}`, script);
  modules.set(name, module); // not before: a file that cannot be read is no empty one when it is asked for again
  const exported = (table: Exports) => {
    module.exports = table;
  };
  (script.runInThisContext() as Wrapper)(requireHere, importPart, exported, module, file, __dirname);
  return module.exports;
}

/** A file of the bundle, a part of one (`./cli.cjs#12`), or what Node finds by this name. */
function requireNow(name: string): Exports {
  if (!name.startsWith('./')) return require(name);
  const [file = '', part] = name.slice(2).split('#');
  return part === undefined ? load(file) : (load(file)[part] as Exports);
}

/** `import()` of a part. */
async function importPart(name: string): Promise<Exports> {
  return requireNow(name);
}

/** `node:module` has more, but loading it loads Node's loader of ES modules, too. Nothing in the bundle uses the rest. */
const NODE_MODULE: Exports = { createRequire: () => require };

function requireHere(name: string): Exports {
  if (name === 'node:module') return NODE_MODULE;
  if (!LATER.has(name.replace('node:', '')) && !name.endsWith(LATER_FILE)) return requireNow(name);
  let found: Exports | undefined;
  const get = (_: Exports, key: string) => {
    if (key === '__esModule') return undefined; // esbuild reads it of whatever it imports; none of these has it
    found ??= requireNow(name.replace(LATER_FILE, ''));
    return found[key];
  };
  return new Proxy<Exports>({}, { get });
}

/** The command that the words call, as far as this can say: compiled forms are kept for each. */
function commandOf(words: readonly string[]): string {
  return words.find((word) => COMMAND_WORDS.includes(word)) ?? 'none';
}

/** Has the files for these words loaded with the compiled form that was kept. */
export function prepare(words: readonly string[]): void {
  forms = CompiledForms.open(__dirname, commandOf(words), BUILD, process.env);
}

/** Runs the tool, and ends the process. */
export function start(): void {
  const words = process.argv.slice(2);
  if (printKnown(words, __dirname, process.env)) process.exit(0);
  prepare(words);
  const cli = load('cli.cjs') as { start(): Promise<number> };
  cli.start().then((code) => {
    if (code === 0) forms?.keep(scripts);
    process.exit(code); // everything was written by then, synchronously; waiting for Node to wind down would only cost time
  });
}
