export { readIssueAddress } from './address.js';
export type { IssuedKey } from './answers.js';
export { IssueClient } from './client.js';
export { findIdTokens, ID_TOKEN_VARIABLE } from './id-token-search.js';
export type { Clock } from './persist.js';
