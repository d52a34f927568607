import { hasUnsafeText, safeJson } from '../../domain/text.js';

/**
 * A value as YAML. Where some text in it holds characters that must not reach a terminal as they are, it is written as JSON, with those
 * escaped: JSON is YAML, too. Text that a reader of YAML 1.1 would take for something else (`yes`, `12:30`) is quoted.
 */
export async function safeYaml(value: unknown): Promise<string> {
  const { stringify } = await import('../../yaml/yaml.js');
  const text = stringify(value, { lineWidth: 0, aliasDuplicateObjects: false, compat: 'yaml-1.1' });
  return hasUnsafeText(text.replaceAll('\n', '')) ? `${safeJson(value, 2)}\n` : text;
}
