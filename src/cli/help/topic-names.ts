/** The topics of `help TOPIC`, each with its title. Their pages are in `topic-pages.ts`. */
export const TOPICS = {
  flags: 'the options that every command takes',
  ci: 'keys in CI jobs and scripts: where a key string goes, which flags are required',
  manifest: 'the file that apply and diff read',
  output: 'formats; what goes to stdout and what to stderr',
  environment: 'the variables that are read, and those set for other programs',
  'exit-codes': 'what each exit code means, and what to do about it',
  security: 'what to do when a key leaked, and how keys stay secret',
} as const;

export type TopicName = keyof typeof TOPICS;
