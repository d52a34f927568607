import { type ApiKey, statusAt } from '../../domain/api-key.js';
import { counted } from '../../domain/counted.js';
import { type Mode, maskKey, redactKeyStrings } from '../../domain/key-string.js';
import { safeText } from '../../domain/text.js';
import { statusText } from './key-columns.js';
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

/** How many of each kind were passed over. */
export type PassedOver = {
  readonly [kind in
    | 'ignored'
    | 'links'
    | 'special'
    | 'archive'
    | 'pointer'
    | 'absent'
    | 'bare'
    | 'unreadable']?: number;
};

/** The result of a scan: how many files were searched, and what was passed over, by kind. */
export function tallyText(tally: PassedOver & { readonly files: number }, unreadable: number): string {
  const passedOver = passedOverText({ ...tally, unreadable });
  return `Scanned ${counted(tally.files, 'file')}${passedOver === '' ? '' : `; skipped: ${passedOver}`}`;
}

/** What a scan passed over, by kind; empty where it read everything. */
export function passedOverText(passed: PassedOver): string {
  const kinds: [count: number | undefined, one: string, several: string][] = [
    [passed.ignored, 'ignored by git', 'ignored by git'],
    [passed.links, 'link', 'links'],
    [passed.special, 'pipe or device', 'pipes and devices'],
    [passed.archive, 'archive of another kind', 'archives of other kinds'],
    [passed.pointer, 'Git LFS file that is not here', 'Git LFS files that are not here'],
    [passed.absent, 'tracked file that is not checked out', 'tracked files that are not checked out'],
    [passed.bare, 'bare repository', 'bare repositories'],
    [passed.unreadable, 'unreadable', 'unreadable'],
  ];
  return kinds
    .flatMap(([count = 0, one, several]) => (count === 0 ? [] : [`${count} ${count === 1 ? one : several}`]))
    .join(', ');
}

/** That the submodules at these paths, which are repositories of their own, were not looked at. */
export function submodulesText(submodules: readonly string[]): string {
  const names = submodules.slice(0, 5).map((each) => safeText(redactKeyStrings(each)));
  const more = submodules.length > names.length ? ', …' : '';
  return `Not looked at: the history of ${counted(submodules.length, 'submodule')} (${names.join(', ')}${more}); run scan --git-history in each`;
}

/** The findings of a scan; never a secret. `isLookedUp`: the store was asked whose they are. */
export function findingView(now: Date, isLookedUp: boolean): View<Finding> {
  const unknown = isLookedUp ? '(not in this store)' : '(not looked up)';
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
      column: { header: 'NAME', text: ({ key }) => key?.name ?? unknown, min: 10, isName: true },
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
