import { constants } from 'node:fs';

/** Opens a pipe without waiting for its other end. */
export const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** Fails on a symbolic link, in case one replaced the file after it was listed. */
export const READ_NO_LINK = READ | (constants.O_NOFOLLOW ?? 0);
