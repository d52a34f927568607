import { networksText } from '../../domain/addresses.js';
import type { ApiKey } from '../../domain/api-key.js';
import { counted } from '../../domain/counted.js';
import { scopeChange, scopeChangeText } from '../../domain/scope-change.js';
import { quoted } from '../../domain/text.js';
import { type Changes, changesOf } from '../../manifest/changes.js';
import { type Action, keyOf, modeOf, nameOf, type Step } from '../../manifest/steps.js';
import { groupScopes } from './key-columns.js';
import { view } from './view.js';

/** A step of a plan, and the resulting key once the step is done. */
export interface PlanLine {
  readonly step: Step;
  readonly key: ApiKey | null;
}

/** The names of fields in words; the others are words already. */
const WORDS: Readonly<Record<string, string>> = {
  rateLimit: 'rate limit',
  allowFrom: 'addresses',
  expiresAt: 'expires',
};

function word(field: string): string {
  return WORDS[field] ?? field;
}

function value(field: string, each: unknown): string {
  if (field === 'expiresAt') return String(each ?? 'never');
  if (each === null || each === undefined) return field === 'allowFrom' ? networksText([]) : 'none';
  if (field === 'allowFrom') return networksText(each as string[]);
  if (field === 'scopes') return groupScopes(each as string[]);
  if (typeof each !== 'object') return field === 'description' ? quoted(String(each)) : String(each);
  const labels = Object.entries(each).map(([name, text]) => `${name}=${text}`);
  return labels.length === 0 ? 'none' : labels.join(',');
}

/** The changes of a step on one line: `rate limit 600/m → 100/m; scopes …`. */
export function changeText(step: Step): string {
  const changes: Changes = changesOf(step);
  if (step.action === 'create' || step.action === 'add-scope')
    return Object.entries(changes)
      .filter(([field, { after }]) => after !== null && field !== 'scope')
      .map(([field, { after }]) => `${word(field)} ${value(field, after)}`)
      .join('; ');
  const notes: Partial<Record<Action, string>> = {
    replace: 'its key string was never handed out',
    delete: 'no longer in the manifest',
  };
  if (step.action === 'delete') return notes.delete ?? '';
  const texts = Object.entries(changes).map(([field, { before, after }]) =>
    field === 'scopes' && Array.isArray(before)
      ? `scopes ${scopeChangeText(scopeChange('', before, after as string[]) ?? { added: [], dropped: [] })}`
      : `${word(field)} ${value(field, before)} → ${value(field, after)}`,
  );
  const note = step.action === 'disable' && step.pruned ? notes.delete : notes[step.action];
  return [...texts, ...(note === undefined ? [] : [note])].join('; ');
}

export const planView = view<PlanLine>('name', {
  action: {
    json: ({ step }) => step.action,
    column: {
      header: 'ACTION',
      text: ({ step }) => step.action,
      paint: (text, { step }, paint) =>
        step.action === 'delete' || step.action === 'retire-scope'
          ? paint.bad(text)
          : step.action === 'create'
            ? paint.good(text)
            : paint.warn(text),
    },
  },
  name: {
    json: ({ step }) => nameOf(step),
    column: { header: 'NAME', text: ({ step }) => nameOf(step), min: 10, isName: true },
  },
  id: { json: (line) => (line.key ?? keyOf(line.step))?.id ?? null },
  mode: {
    json: ({ step }) => modeOf(step),
    column: {
      header: 'MODE',
      text: ({ step }) => modeOf(step) ?? '',
      paint: (text, _, paint) => (text === 'live' ? paint.warn(text) : text),
    },
  },
  changes: {
    json: ({ step }) => changesOf(step),
    column: { header: 'CHANGES', text: ({ step }) => changeText(step), min: 24 },
  },
});

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
      return `${verb} ${counted(count, one, many)}`;
    })
    .join(', ');
}

/** The plan in lines, shown before its confirmation. */
export function planLines(steps: readonly Step[]): string[] {
  const width = Math.max(0, ...steps.map(({ action }) => action.length));
  return steps.map((step) => {
    const mode = modeOf(step);
    const what = mode === null ? nameOf(step) : `${quoted(nameOf(step))} (${mode})`;
    const changes = changeText(step);
    return `  ${step.action.padEnd(width)}  ${what}${changes === '' ? '' : `: ${changes}`}`;
  });
}
