/** What `scan` is made of; loaded by that command alone. */
export { type FileFinding, scanPath, type Tally } from './files.js';
export { Finder, type Hit } from './finder.js';
export { type GitFinding, scanHistory, scanStaged } from './git.js';
export { RULES } from './rules.js';
