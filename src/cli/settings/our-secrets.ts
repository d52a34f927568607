/** The variables that hold secrets of the tool itself. They are removed from the environment at the start, and no child process gets them. */
export const OUR_SECRETS = [
  'UNLOCKOS_KEYS_AUTH_TOKEN',
  'UNLOCKOS_KEYS_PEPPERS',
  'UNLOCKOS_KEYS_REDIS_PASSWORD',
  'UNLOCKOS_KEYS_ID_TOKEN',
] as const;
