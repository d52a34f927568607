// Starts the built tool as bin/unlockos-keys.js does, but hashes secrets at the lowest cost: a fourth of what a process that creates a key takes.
'use strict';
const path = require('node:path');

const bundle = path.join(__dirname, '../../dist/bundle');
const { prepare, load } = require(path.join(bundle, 'loader.cjs'));

prepare(process.argv.slice(2));
const { main, systemContext } = load('cli.cjs');

main(process.argv.slice(2), Object.assign(systemContext(), { hashCost: 4 })).then((code) => process.exit(code));
