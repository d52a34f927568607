const STRINGS = /"(?:[^"\\]|\\.)*"/g;

/** True when no name occurs twice in an object of `json`, whose value is `value`: of two, some programs take the first and some the last. */
export function namesOnce(json: string, value: unknown): boolean {
  const written = json.replace(STRINGS, '').split(':').length - 1;
  let members = 0;
  const left: unknown[] = [value];
  while (left.length > 0) {
    const next = left.pop();
    if (typeof next !== 'object' || next === null) continue;
    const inner = Object.values(next);
    if (!Array.isArray(next)) members += inner.length;
    left.push(...inner);
  }
  return members === written;
}
