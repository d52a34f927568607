import type { ApiKey } from '../../domain/api-key.js';
import { quoted } from '../../domain/text.js';
import { type Action, type Changes, changesOf, keyOf, modeOf, nameOf, type Step } from '../../manifest/plan.js';
import type { View } from './formats.js';
import { groupScopes } from './views.js';

/** A step of a plan, and the key that it led to, once it was taken. */
export interface PlanLine {
  readonly step: Step;
  readonly key: ApiKey | null;
}

function value(field: string, each: unknown): string {
  if (each === null || each === undefined) return 'none';
  if (field === 'scopes') return groupScopes(each as string[]);
  if (typeof each !== 'object') return field === 'description' ? quoted(String(each)) : String(each);
  const labels = Object.entries(each).map(([name, text]) => `${name}=${text}`);
  return labels.length === 0 ? 'none' : labels.join(',');
}

/** What a step changes, on one line: `rateLimit 600/m → 100/m; scopes …`. */
export function changeText(step: Step): string {
  const changes: Changes = changesOf(step);
  if (step.action === 'create' || step.action === 'add-scope')
    return Object.entries(changes)
      .filter(([field, { after }]) => after !== null && field !== 'scope')
      .map(([field, { after }]) => `${field} ${value(field, after)}`)
      .join('; ');
  const notes: Partial<Record<Action, string>> = {
    replace: 'its key string was never handed out',
    delete: 'it is not in the manifest any more',
  };
  if (step.action === 'delete') return notes.delete ?? '';
  const texts = Object.entries(changes).map(
    ([field, { before, after }]) => `${field} ${value(field, before)} → ${value(field, after)}`,
  );
  const note = step.action === 'disable' && step.pruned ? notes.delete : notes[step.action];
  return [...texts, ...(note === undefined ? [] : [note])].join('; ');
}

export const planView: View<PlanLine> = {
  fields: ['action', 'name', 'id', 'mode', 'changes'],
  valueField: 'name',
  json: (line) => ({
    action: line.step.action,
    name: nameOf(line.step),
    id: (line.key ?? keyOf(line.step))?.id ?? null,
    mode: modeOf(line.step),
    changes: changesOf(line.step),
  }),
  columns: [
    {
      header: 'ACTION',
      field: 'action',
      text: ({ step }) => step.action,
      paint: (text, { step }, paint) =>
        step.action === 'delete' || step.action === 'retire-scope'
          ? paint.bad(text)
          : step.action === 'create'
            ? paint.good(text)
            : paint.warn(text),
    },
    { header: 'NAME', field: 'name', text: ({ step }) => nameOf(step), min: 10 },
    { header: 'MODE', field: 'mode', text: (line) => modeOf(line.step) ?? '', drop: 1 },
    { header: 'CHANGES', field: 'changes', text: ({ step }) => changeText(step), min: 24 },
  ],
};

const COUNTED: Readonly<Record<Action, readonly [verb: string, one: string, many: string]>> = {
  'add-scope': ['add', 'scope', 'scopes'],
  edit: ['edit', 'key', 'keys'],
  enable: ['enable', 'key', 'keys'],
  create: ['create', 'key', 'keys'],
  replace: ['replace', 'key', 'keys'],
  rotate: ['rotate', 'key', 'keys'],
  disable: ['disable', 'key', 'keys'],
  delete: ['delete', 'key', 'keys'],
  'retire-scope': ['retire', 'scope', 'scopes'],
};

/** `create 2 keys, delete 1 key`. */
export function summary(steps: readonly Step[]): string {
  const actions = [...new Set(steps.map(({ action }) => action))];
  return actions
    .map((action) => {
      const [verb, one, many] = COUNTED[action];
      const count = steps.filter((step) => step.action === action).length;
      return `${verb} ${count} ${count === 1 ? one : many}`;
    })
    .join(', ');
}

/** The plan in lines, for people who are asked about it. */
export function planLines(steps: readonly Step[]): string[] {
  const width = Math.max(0, ...steps.map(({ action }) => action.length));
  return steps.map((step) => {
    const mode = modeOf(step);
    const what = mode === null ? nameOf(step) : `${quoted(nameOf(step))} (${mode})`;
    const changes = changeText(step);
    return `  ${step.action.padEnd(width)}  ${what}${changes === '' ? '' : `: ${changes}`}`;
  });
}
