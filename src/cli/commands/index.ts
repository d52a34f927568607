import type { Register } from '../command.js';

/** Every command by the words that call it, under the heading and in the order of the help page. A run loads only the one that it calls. */
export const COMMANDS: readonly (readonly [heading: string, commands: readonly (readonly string[])[]])[] = [
  [
    'Keys:',
    [
      ['create'],
      ['list', 'ls'],
      ['show'],
      ['usage'],
      ['edit'],
      ['enable'],
      ['disable'],
      ['delete', 'rm'],
      ['restore'],
      ['prune'],
      ['run'],
      ['rotate'],
      ['review'],
    ],
  ],
  ['Keys as code:', [['apply'], ['diff'], ['export']]],
  ['Key strings:', [['verify'], ['identify'], ['scan'], ['serve'], ['issue']]],
  ['Store:', [['scopes'], ['audit'], ['store'], ['profile'], ['doctor'], ['completion']]],
];

/** Loads the command of this name, its first word. One function: a start makes every function of a file that it loads. */
export async function loadCommand(name: string): Promise<Register> {
  switch (name) {
    case 'create':
      return (await import('./create.js')).registerCreate;
    case 'list':
      return (await import('./list.js')).registerList;
    case 'show':
      return (await import('./show.js')).registerShow;
    case 'usage':
      return (await import('./usage.js')).registerUsage;
    case 'edit':
      return (await import('./edit.js')).registerEdit;
    case 'enable':
      return (await import('./enable.js')).registerEnable;
    case 'disable':
      return (await import('./disable.js')).registerDisable;
    case 'delete':
      return (await import('./delete.js')).registerDelete;
    case 'restore':
      return (await import('./restore.js')).registerRestore;
    case 'prune':
      return (await import('./prune.js')).registerPrune;
    case 'run':
      return (await import('./run.js')).registerRun;
    case 'rotate':
      return (await import('./rotate.js')).registerRotate;
    case 'review':
      return (await import('./review.js')).registerReview;
    case 'apply':
      return (await import('./apply.js')).registerApply;
    case 'diff':
      return (await import('./diff.js')).registerDiff;
    case 'export':
      return (await import('./export.js')).registerExport;
    case 'verify':
      return (await import('./verify.js')).registerVerify;
    case 'identify':
      return (await import('./identify.js')).registerIdentify;
    case 'scan':
      return (await import('./scan.js')).registerScan;
    case 'serve':
      return (await import('./serve.js')).registerServe;
    case 'issue':
      return (await import('./issue.js')).registerIssue;
    case 'scopes':
      return (await import('./scopes.js')).registerScopes;
    case 'audit':
      return (await import('./audit.js')).registerAudit;
    case 'store':
      return (await import('./store.js')).registerStore;
    case 'profile':
      return (await import('./profile.js')).registerProfile;
    case 'doctor':
      return (await import('./doctor.js')).registerDoctor;
    case 'completion':
      return (await import('./completion.js')).registerCompletion;
    default:
      throw new RangeError(`${name} is no command`);
  }
}
