// Loads a file of the bundle beside V8's compiled form of it (`scripts/warm-up.cjs` makes those). On another version of V8 the
// compiled form is rejected and the file compiled as usual. It is code, so it lies in the package and nowhere else.
'use strict';
const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');
const vm = require('node:vm');

const scripts = new Map();
const modules = new Map();

function compiledForm(file) {
  try {
    return readFileSync(`${file}.v8`);
  } catch {
    return undefined;
  }
}

function load(file) {
  const known = modules.get(file);
  if (known) return known.exports;
  const module = { exports: {} };
  modules.set(file, module);
  const source = readFileSync(file, 'utf8');
  const script = new vm.Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, {
    filename: file,
    cachedData: compiledForm(file),
  });
  scripts.set(file, script);
  const directory = path.dirname(file);
  let outside;
  const requireHere = (name) => {
    if (name.startsWith('./') && name.endsWith('.cjs')) return load(path.join(directory, name));
    if (name.startsWith('node:')) return require(name);
    outside ??= createRequire(file);
    return outside(name);
  };
  script.runInThisContext()(module.exports, requireHere, module, file, directory);
  return module.exports;
}

module.exports = { load, scripts };
