const MAX_ENTRIES = 10_000;

/** Removes the oldest entry of a map that holds `max` of them, or more: cleaning up a whole map at once would make some requests slow. */
export function makeRoom(map: Map<string, unknown>, max = MAX_ENTRIES): void {
  if (map.size < max) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
