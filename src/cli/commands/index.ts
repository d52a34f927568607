import type { Register } from '../command.js';
import { registerApply } from './apply.js';
import { registerAudit } from './audit.js';
import { registerCompletion } from './completion.js';
import { registerCreate } from './create.js';
import { registerDelete } from './delete.js';
import { registerDiff } from './diff.js';
import { registerDisable } from './disable.js';
import { registerDoctor } from './doctor.js';
import { registerEdit } from './edit.js';
import { registerEnable } from './enable.js';
import { registerExport } from './export.js';
import { registerIdentify } from './identify.js';
import { registerList } from './list.js';
import { registerProfile } from './profile.js';
import { registerPrune } from './prune.js';
import { registerRotate } from './rotate.js';
import { registerRun } from './run.js';
import { registerScan } from './scan.js';
import { registerScopes } from './scopes.js';
import { registerServe } from './serve.js';
import { registerShow } from './show.js';
import { registerStore } from './store.js';
import { registerVerify } from './verify.js';

/** Every command by the words that call it, under the heading and in the order of the help page. */
export const COMMANDS: readonly (readonly [
  heading: string,
  commands: readonly (readonly [words: readonly string[], register: Register])[],
])[] = [
  [
    'Keys:',
    [
      [['create'], registerCreate],
      [['list', 'ls'], registerList],
      [['show'], registerShow],
      [['edit'], registerEdit],
      [['enable'], registerEnable],
      [['disable'], registerDisable],
      [['delete', 'rm'], registerDelete],
      [['prune'], registerPrune],
      [['run'], registerRun],
      [['rotate'], registerRotate],
    ],
  ],
  [
    'Keys as code:',
    [
      [['apply'], registerApply],
      [['diff'], registerDiff],
      [['export'], registerExport],
    ],
  ],
  [
    'Key strings:',
    [
      [['verify'], registerVerify],
      [['identify'], registerIdentify],
      [['scan'], registerScan],
      [['serve'], registerServe],
    ],
  ],
  [
    'Store:',
    [
      [['scopes'], registerScopes],
      [['audit'], registerAudit],
      [['store'], registerStore],
      [['profile'], registerProfile],
      [['doctor'], registerDoctor],
      [['completion'], registerCompletion],
    ],
  ],
];
