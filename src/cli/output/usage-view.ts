import { relativeTime } from '../../domain/relative-time.js';
import type { LastRefusal } from '../../domain/use.js';
import type { DayUse, KeyUse } from '../../keyring/usage.js';
import { time } from './key-columns.js';
import { type View, view } from './view.js';

const SPARKS = '▁▂▃▄▅▆▇█';
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** `12,431`. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** One character for each number, as high as its share of the highest; a blank for null (not known). */
export function sparkline(counts: readonly (number | null)[]): string {
  const most = Math.max(1, ...counts.map((count) => count ?? 0));
  return counts
    .map((count) =>
      count === null ? ' ' : SPARKS[Math.min(7, Math.ceil((count / most) * 8 - 1e-9) - (count > 0 ? 1 : 0))],
    )
    .join('');
}

/** A bar of at most `width` characters, exact to an eighth of one; something for every number but 0. */
export function bar(count: number, most: number, width: number): string {
  const eighths = count === 0 ? 0 : Math.max(1, Math.round((count / Math.max(most, 1)) * width * 8));
  return '█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7];
}

/** `missing_scope (plan:read)`. */
export function refusalText({ verdict, detail }: LastRefusal): string {
  return detail === null ? verdict : `${verdict} (${detail})`;
}

function sum(days: readonly DayUse[], field: 'used' | 'refused'): number {
  return days.reduce((total, day) => total + (day[field] ?? 0), 0);
}

function times(count: number): string {
  return count === 1 ? 'once' : `${grouped(count)} times`;
}

/** The lines of `show` about the use of a key: what was counted in these days, and a picture of it. */
export function useLines(days: readonly DayUse[], now: Date): [label: string, text: string][] {
  const known = days.filter(({ used }) => used !== null);
  if (known.length === 0) return [['Used', 'not known: no server has counted it in this time']];
  const refused = sum(days, 'refused');
  const last = days.findLast(({ lastRefusal }) => lastRefusal !== null);
  const why =
    last?.lastRefusal && last.lastRefusedAt
      ? ` · refused ${times(refused)}, last ${relativeTime(last.lastRefusedAt, now)}: ${refusalText(last.lastRefusal)}`
      : '';
  const today = days.at(-1)?.used;
  const used = `${times(sum(days, 'used'))} in ${known.length} ${known.length === 1 ? 'day' : 'days'}`;
  return [
    ['Used', `${used}${today == null ? '' : `, ${grouped(today)} today`}${why}`],
    [`Last ${days.length} days`, sparkline(days.map((day) => day.used))],
  ];
}

const count = (value: number | null) => (value === null ? '—' : grouped(value));

/** Days of one or several keys. `barWidth`: of the bars, which are for terminals; 0 for none. */
export function dayView(days: readonly DayUse[], barWidth: number): View<DayUse> {
  const most = Math.max(1, ...days.map(({ used }) => used ?? 0));
  const several = new Set(days.map(({ key }) => key.id)).size > 1;
  return view('used', {
    id: { json: ({ key }) => key.id },
    name: {
      json: ({ key }) => key.name,
      ...(several && { column: { header: 'NAME', text: ({ key }: DayUse) => key.name, min: 10, isName: true } }),
    },
    day: { column: { header: 'DAY', text: ({ day }) => day } },
    used: { column: { header: 'USED', text: ({ used }) => count(used) } },
    ...(barWidth > 0 && {
      bar: {
        tableOnly: true as const,
        column: { header: '', text: ({ used }: DayUse) => bar(used ?? 0, most, barWidth).padEnd(barWidth), drop: 1 },
      },
    }),
    refused: {
      column: {
        header: 'REFUSED',
        text: ({ refused }) => count(refused),
        paint: (text, { refused }, paint) => (refused ? paint.warn(text) : text),
      },
    },
    refusals: {
      column: {
        header: 'WHY',
        text: ({ refusals, lastRefusal, used }) =>
          used === null
            ? 'not recorded'
            : Object.entries(refusals)
                .map(([verdict, times]) => {
                  const said = lastRefusal?.verdict === verdict ? refusalText(lastRefusal) : verdict;
                  return Object.keys(refusals).length === 1 ? said : `${grouped(times)} ${said}`;
                })
                .join(', '),
        min: 12,
        drop: 2,
      },
    },
    lastRefusedAt: { json: ({ lastRefusedAt }) => lastRefusedAt?.toISOString() ?? null },
    lastRefusal: {},
  });
}

/** Keys, by how much they were used. */
export function usageView(uses: readonly KeyUse[], barWidth: number): View<KeyUse> {
  const most = Math.max(1, ...uses.map(({ used }) => used));
  return view('id', {
    id: { json: ({ key }) => key.id },
    name: {
      json: ({ key }) => key.name,
      column: { header: 'NAME', text: ({ key }) => key.name, min: 10, isName: true },
    },
    mode: { json: ({ key }) => key.mode, column: { header: 'MODE', text: ({ key }) => key.mode } },
    used: { column: { header: 'USED', text: ({ used }) => grouped(used) } },
    ...(barWidth > 0 && {
      bar: {
        tableOnly: true as const,
        column: { header: '', text: ({ used }: KeyUse) => bar(used, most, barWidth).padEnd(barWidth), drop: 4 },
      },
    }),
    lastUsedAt: {
      json: ({ key }) => key.lastUsedAt?.toISOString() ?? null,
      column: {
        header: 'LAST USED',
        text: ({ key, recordedSince }, style) =>
          key.lastUsedAt === null && recordedSince?.getTime() !== key.createdAt.getTime()
            ? 'not known'
            : time(key.lastUsedAt, style),
        drop: 2,
      },
    },
    refused: {
      column: {
        header: 'REFUSED',
        text: ({ refused }) => grouped(refused),
        paint: (text, { refused }, paint) => (refused > 0 ? paint.warn(text) : text),
      },
    },
    lastRefusedAt: { json: ({ lastRefusedAt }) => lastRefusedAt?.toISOString() ?? null },
    lastRefusal: {
      column: {
        header: 'LAST REFUSAL',
        text: ({ lastRefusal }) => (lastRefusal ? refusalText(lastRefusal) : ''),
        min: 12,
        drop: 1,
      },
    },
    useRecordedSince: { json: ({ recordedSince }) => recordedSince?.toISOString() ?? null },
  });
}
