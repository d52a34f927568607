// Preloaded into a measured process: tells its parent, on descriptor 3, how much memory it used at most.
const fs = require('node:fs');

process.on('exit', () => fs.writeSync(3, fs.readFileSync('/proc/self/status')));
