/** The parts of `issue`. Only that command loads them. */

export { Log } from '../http-server/log.js';
export { parseIssueRules } from './rules.js';
export { IssueServer } from './server.js';
export { Tokens } from './tokens.js';
