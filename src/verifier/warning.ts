import type { KeysError } from '../domain/errors.js';
import { safeText } from '../domain/text.js';

/** The default of `onWarning`: a warning of the process (`process.on('warning')`), which Node prints to stderr. */
export function emitWarning({ code, message, hint }: KeysError): void {
  process.emitWarning(safeText(`${code}: ${message}`), {
    type: 'UnlockosKeysWarning',
    code: 'USE_NOT_RECORDED',
    ...(hint !== undefined && { detail: `${hint}. Pass onWarning to log this yourself.` }),
  });
}
