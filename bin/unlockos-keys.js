#!/usr/bin/env node
const path = require('node:path');
const bundle = path.join(__dirname, '../dist/bundle');

require(path.join(bundle, 'loader.cjs'))
  .load(path.join(bundle, 'cli.cjs'))
  .start()
  .then((code) => {
    process.exitCode = code;
  });
