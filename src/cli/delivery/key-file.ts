import path from 'node:path';
import { cannotWrite, createPrivateFile, type NewFile } from '../../files/private-file.js';
import { NOTHING_CREATED, type SinkKind } from './sink.js';

/** A new file. The probe creates it, and so finds out all that could go wrong; delivery fills it. */
export const keyFile: SinkKind = {
  flag: '--key-file <file>',
  help: 'a new file, mode 0600',
  open(value, { ctx }) {
    const file = path.resolve(ctx.cwd, value);
    let created: NewFile | undefined;
    return {
      label: file,
      file,
      probe() {
        try {
          created = createPrivateFile(file);
        } catch (error) {
          throw cannotWrite(error, '--key-file', value, NOTHING_CREATED);
        }
      },
      deliver({ keyString }) {
        if (created === undefined) throw new Error('deliver before probe');
        created.fill(`${keyString}\n`);
      },
      abandon() {
        created?.discard();
      },
    };
  },
};
