import { quoted } from '../../domain/text.js';

/** Some names; of many, the first few. */
export function listed(names: readonly string[]): string {
  return names.length <= 5
    ? names.map(quoted).join(', ')
    : `${names.slice(0, 4).map(quoted).join(', ')} and ${names.length - 4} more`;
}
