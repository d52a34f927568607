import { type ApiKey, statusAt } from '../../domain/api-key.js';
import { counted } from '../../domain/counted.js';
import { type Mode, maskKey } from '../../domain/key-string.js';
import { statusText } from './key-view.js';
import { type View, view } from './view.js';

/** A key string that was found. It contains the secret and is never printed. */
export interface Found {
  readonly keyString: string;
  readonly checksum: 'good' | 'bad';
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly commit: string | null;
}

/** What is shown of it. */
export interface Finding extends Omit<Found, 'keyString'> {
  readonly id: string;
  readonly mode: Mode;
  readonly key: ApiKey | null;
  /** What `--disable` did; null where that was not asked for. */
  readonly disabled: boolean | null;
}

/** The result of a scan: how many files were searched, and what was passed over, by kind. */
export function tallyText(
  tally: { readonly files: number; readonly ignored: number; readonly links: number; readonly special: number },
  unreadable: number,
): string {
  const passedOver = [
    [tally.ignored, 'ignored by git'],
    [tally.links, tally.links === 1 ? 'link' : 'links'],
    [tally.special, tally.special === 1 ? 'pipe or device' : 'pipes and devices'],
    [unreadable, 'unreadable'],
  ].flatMap(([count, what]) => (count === 0 ? [] : [`${count} ${what}`]));
  const more = passedOver.length === 0 ? '' : `; skipped: ${passedOver.join(', ')}`;
  return `Scanned ${counted(tally.files, 'file')}${more}`;
}

/** The findings of a scan; never a secret. */
export function findingView(now: Date): View<Finding> {
  return view('id', {
    file: { column: { header: 'WHERE', text: ({ file, line, column }) => `${file}:${line}:${column}`, min: 20 } },
    line: {},
    column: {},
    commit: { column: { header: 'COMMIT', text: ({ commit }) => commit?.slice(0, 12) ?? '', drop: 1 } },
    maskedKey: {
      json: ({ mode, id }) => maskKey(mode, id),
      column: { header: 'KEY', text: ({ mode, id }) => maskKey(mode, id) },
    },
    id: {},
    mode: {},
    checksum: {},
    name: {
      json: ({ key }) => key?.name ?? null,
      column: { header: 'NAME', text: ({ key }) => key?.name ?? '(not in this store)', min: 10, isName: true },
    },
    status: {
      json: ({ key }) => (key === null ? null : statusAt(key, now)),
      column: {
        header: 'STATUS',
        text: ({ key, checksum }) =>
          checksum === 'bad' ? 'wrong checksum' : key === null ? '' : statusText(statusAt(key, now)),
        paint: (text, { key, checksum }, paint) =>
          key !== null && checksum === 'good' && statusAt(key, now) === 'active' ? paint.bad(text) : text,
      },
    },
    disabled: {},
  });
}
