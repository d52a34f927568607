#!/usr/bin/env node
const path = require('node:path');
const bundle = path.join(__dirname, '../dist/bundle');

require(path.join(bundle, 'loader.cjs'))
  .load(path.join(bundle, 'cli.cjs'))
  .start()
  // Everything was written by then, synchronously; waiting for Node to wind down would only cost time.
  .then((code) => process.exit(code));
