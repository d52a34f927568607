import type { ApiKey } from '../../domain/api-key.js';
import { whoText } from '../../domain/change.js';
import type { Deletion } from '../../domain/deletion.js';
import { maskKey } from '../../domain/key-string.js';
import { time } from './key-columns.js';
import { keyView } from './key-view.js';
import { fieldsOf, type View, view } from './view.js';

/** A deleted key that can be restored: its fields, and how it was deleted. */
export function deletionView(now: Date): View<Deletion> {
  return view('id', {
    ...fieldsOf<ApiKey, Deletion>(keyView(now), ({ key }) => key),
    name: {
      json: ({ key }) => key.name,
      column: { header: 'NAME', text: ({ key }) => key.name, min: 10, isName: true },
      place: 1,
    },
    maskedKey: {
      json: ({ key }) => maskKey(key.mode, key.id),
      column: { header: 'KEY', text: ({ key }) => maskKey(key.mode, key.id) },
      place: 2,
    },
    deletedAt: {
      json: ({ deletedAt }) => deletedAt.toISOString(),
      column: { header: 'DELETED', text: ({ deletedAt }, style) => time(deletedAt, style) },
      place: 3,
    },
    deletedBy: { column: { header: 'BY', text: ({ deletedBy }) => whoText(deletedBy), min: 8, drop: 2 }, place: 4 },
    reason: { column: { header: 'REASON', text: ({ reason }) => reason ?? '', min: 8, drop: 1 }, place: 6 },
    leaked: {},
    keptUntil: {
      json: ({ keptUntil }) => keptUntil.toISOString(),
      column: { header: 'GONE', text: ({ keptUntil }, style) => time(keptUntil, style) },
      place: 5,
    },
  });
}
