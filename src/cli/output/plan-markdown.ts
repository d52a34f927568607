import { safeText } from '../../domain/text.js';
import { modeOf, nameOf, type Step } from '../../manifest/steps.js';
import { changeText, summary } from './plan-view.js';

/** Text in a code span that is safe in a cell of a GitHub table: nothing in it is markup, a link or a mention. */
function code(text: string): string {
  const safe = safeText(text).replaceAll('|', '\\|');
  const longest = Math.max(0, ...(safe.match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  const pad = safe.startsWith('`') || safe.endsWith('`') ? ' ' : '';
  return safe === '' ? '' : `${fence}${pad}${safe}${pad}${fence}`;
}

const REMOVES = ['delete', 'disable', 'retire-scope'];

/**
 * A plan as Markdown, for the comment on a pull request: what apply would do, one row per step. `source` names the manifest, `notes` are
 * the remarks of the plan.
 */
export function planMarkdown(steps: readonly Step[], source: string, notes: readonly string[]): string {
  const remarks = notes.map((note) => `\n- ${code(note)}`).join('');
  const after = remarks === '' ? '' : `\n${remarks}\n`;
  if (steps.length === 0) return `Nothing to change: the store matches ${code(source)}.\n${after}`;
  const rows = steps.map((step) => {
    const action = REMOVES.includes(step.action) ? `**${step.action}**` : step.action;
    return `| ${action} | ${code(nameOf(step))} | ${modeOf(step) ?? ''} | ${code(changeText(step))} |`;
  });
  return `\`apply\` of ${code(source)} would ${summary(steps)}.

| Action | Key | Mode | Changes |
| --- | --- | --- | --- |
${rows.join('\n')}
${after}`;
}
