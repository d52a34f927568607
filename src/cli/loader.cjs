// Loads a file of the bundle with V8's compiled form of it (`scripts/warm-up.cjs` makes those), which lies beside it under the name of
// the one Node that it is for. V8's own check is not enough: Node 20.17 takes what 20.20 wrote, and crashes in it. With any
// other Node the file is compiled as usual. It is code, so it lies in the package and nowhere else.
'use strict';
const { readFileSync } = require('node:fs');
const { createRequire, isBuiltin } = require('node:module');
const path = require('node:path');
const vm = require('node:vm');

const scripts = new Map();
const modules = new Map();

function compiledName(file) {
  return `${file}.${process.version}-${process.platform}-${process.arch}.v8`;
}

function compiledForm(file) {
  try {
    return readFileSync(compiledName(file));
  } catch {
    return undefined;
  }
}

/**
 * Some modules cost milliseconds each, and most commands use none of them: these are loaded when a property of theirs is first read.
 * (ci-info asks for some eighty environment variables.)
 */
const LAZY = new Set(['child_process', 'crypto', 'os', 'tty', 'worker_threads', 'zlib', './ci.cjs']);

function load(file) {
  const known = modules.get(file);
  if (known) return known.exports;
  const module = { exports: {} };
  modules.set(file, module);
  const source = readFileSync(file, 'latin1'); // the bundler writes ASCII only
  const script = new vm.Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, {
    filename: file,
    cachedData: compiledForm(file),
  });
  scripts.set(file, script);
  const directory = path.dirname(file);
  let outside;
  const requireNow = (name) => {
    if (name.startsWith('./') && name.endsWith('.cjs')) return load(path.join(directory, name));
    if (isBuiltin(name)) return require(name);
    outside ??= createRequire(file);
    return outside(name);
  };
  const requireHere = (name) =>
    LAZY.has(name.replace('node:', '')) ? new Proxy({}, { get: (_, key) => requireNow(name)[key] }) : requireNow(name);
  script.runInThisContext()(module.exports, requireHere, module, file, directory);
  return module.exports;
}

module.exports = { load, scripts, compiledName };
