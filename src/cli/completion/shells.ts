export const SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const;
export type Shell = (typeof SHELLS)[number];

/** What the scripts call. The line stands on stdin, where no other user sees it: a key string may have been typed. */
export const REQUEST = '__complete';
