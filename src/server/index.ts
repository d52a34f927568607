/** What `serve` is made of; loaded by that command alone. */
export { Log } from './log.js';
export { parseRules } from './rules.js';
export { AuthServer } from './server.js';
