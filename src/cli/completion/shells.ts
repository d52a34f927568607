export const SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const;
export type Shell = (typeof SHELLS)[number];

/** The hidden command that the scripts call. The line is passed on stdin, where other users cannot see it: it may contain a key string. */
export const REQUEST = '__complete';
