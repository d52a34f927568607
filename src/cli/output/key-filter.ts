import type { ApiKey } from '../../domain/api-key.js';

/** How well a key fits what was typed, 0 best: its name, the start of its name, a part of it, its id, a label; null where it does not fit. */
function rank(key: ApiKey, typed: string): number | null {
  const name = key.name.toLowerCase();
  if (name === typed) return 0;
  if (name.startsWith(typed)) return 1;
  if (name.includes(typed)) return 2;
  const id = /^unlk_(?:live|test)_(.+?)(?:_.*)?$/.exec(typed)?.[1] ?? typed; // a masked key may be pasted: only the id in it counts
  if (key.id.startsWith(id)) return 3;
  if (key.id.includes(id)) return 4;
  const labels = Object.entries(key.labels).map(([label, value]) => `${label}=${value}`.toLowerCase());
  return labels.some((label) => label.includes(typed)) ? 5 : null;
}

/** The keys that fit what was typed, the best first; otherwise they keep their order. */
export function filterKeys(keys: readonly ApiKey[], typed: string): readonly ApiKey[] {
  const wanted = typed.trim().normalize('NFC').toLowerCase();
  if (wanted === '') return keys;
  const ranked = keys.flatMap((key) => {
    const place = rank(key, wanted);
    return place === null ? [] : [{ key, place }];
  });
  return ranked.sort((a, b) => a.place - b.place).map(({ key }) => key);
}
