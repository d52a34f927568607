import type { Register } from '../command.js';

/** Every command by the words that call it, under the heading and in the order of the help page. A run loads only the one that it calls. */
export const COMMANDS: readonly (readonly [
  heading: string,
  commands: readonly (readonly [words: readonly string[], load: () => Promise<Register>])[],
])[] = [
  [
    'Keys:',
    [
      [['create'], async () => (await import('./create.js')).registerCreate],
      [['list', 'ls'], async () => (await import('./list.js')).registerList],
      [['show'], async () => (await import('./show.js')).registerShow],
      [['usage'], async () => (await import('./usage.js')).registerUsage],
      [['edit'], async () => (await import('./edit.js')).registerEdit],
      [['enable'], async () => (await import('./enable.js')).registerEnable],
      [['disable'], async () => (await import('./disable.js')).registerDisable],
      [['delete', 'rm'], async () => (await import('./delete.js')).registerDelete],
      [['restore'], async () => (await import('./restore.js')).registerRestore],
      [['prune'], async () => (await import('./prune.js')).registerPrune],
      [['run'], async () => (await import('./run.js')).registerRun],
      [['rotate'], async () => (await import('./rotate.js')).registerRotate],
      [['review'], async () => (await import('./review.js')).registerReview],
    ],
  ],
  [
    'Keys as code:',
    [
      [['apply'], async () => (await import('./apply.js')).registerApply],
      [['diff'], async () => (await import('./diff.js')).registerDiff],
      [['export'], async () => (await import('./export.js')).registerExport],
    ],
  ],
  [
    'Key strings:',
    [
      [['verify'], async () => (await import('./verify.js')).registerVerify],
      [['identify'], async () => (await import('./identify.js')).registerIdentify],
      [['scan'], async () => (await import('./scan.js')).registerScan],
      [['serve'], async () => (await import('./serve.js')).registerServe],
      [['issue'], async () => (await import('./issue.js')).registerIssue],
    ],
  ],
  [
    'Store:',
    [
      [['scopes'], async () => (await import('./scopes.js')).registerScopes],
      [['audit'], async () => (await import('./audit.js')).registerAudit],
      [['store'], async () => (await import('./store.js')).registerStore],
      [['profile'], async () => (await import('./profile.js')).registerProfile],
      [['doctor'], async () => (await import('./doctor.js')).registerDoctor],
      [['completion'], async () => (await import('./completion.js')).registerCompletion],
    ],
  ],
];
