import { hasUnsafeText, safeJson } from '../../domain/text.js';

/**
 * A value as YAML. Where some text in it holds characters that must not reach a terminal as they are, it is written as JSON, with those
 * escaped: JSON is YAML, too.
 */
export async function safeYaml(value: unknown): Promise<string> {
  const { stringify } = await import('../../yaml.js');
  const text = stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
  return hasUnsafeText(text.replaceAll('\n', '')) ? `${safeJson(value, 2)}\n` : text;
}
