import { KeysError } from '../domain/errors.js';
import { type Bounds, type Path, YamlDocument } from '../yaml/document.js';
import { describeProblems } from '../yaml/problems.js';
import { checkShape } from '../yaml/shape.js';
import { matchPath } from './path-match.js';
import { type PathPattern, rulesSchema } from './rules-schema.js';
import { shadowedRules } from './shadowed.js';
import type { Target } from './target.js';

/** Which requests need which scopes. The first matching rule decides; a request that no rule matches is refused. */
export interface Rule extends PathPattern {
  /** Null: every method. */
  readonly methods: readonly string[] | null;
  readonly scopes: readonly string[];
}

const BOUNDS: Bounds = {
  kind: 'a file of rules',
  maxBytes: 1_048_576,
  maxDepth: 10,
  tooLarge: 'at most 1 MiB',
};

const EXAMPLE = 'a rule: - { methods: [GET], path: /check-ins/**, scopes: [checkin:read] }';

/**
 * The scopes that a request needs, or null where no rule decides. The first rule that every server would read this path by decides. An
 * earlier rule that only some servers would choose (`path-match.ts`) is required as well, because the server behind may be one of them: a
 * request reaches no handler without the scopes of its rule. A rule for GET covers HEAD.
 */
export function scopesFor(rules: readonly Rule[], target: Target): readonly string[] | null {
  let needed: readonly string[] = [];
  let decided = false;
  for (const rule of rules) {
    if (!coversMethod(rule, target.method)) continue;
    const match = matchPath(rule, target);
    if (match === 'never') continue;
    needed = needed.length === 0 ? rule.scopes : [...new Set([...needed, ...rule.scopes])];
    if (match === 'always') return needed;
    decided ||= match === 'usually';
  }
  return decided ? needed : null;
}

function coversMethod({ methods }: Rule, method: string): boolean {
  return methods === null || methods.includes(method) || (method === 'HEAD' && methods.includes('GET'));
}

/** What the value at a path is called in messages: `path of rule 3`. */
function nameOf([index, property, item]: Path): string {
  if (index === undefined) return 'the file';
  const rule = `rule ${Number(index) + 1}`;
  if (property === undefined) return rule;
  if (item === undefined) return `${property} of ${rule}`;
  return `a ${property === 'methods' ? 'method' : 'scope'} of ${rule}`;
}

/** Reads a file of rules, YAML or JSON. Throws `usage` that names every problem by line and column. */
export function parseRules(text: string, file: string): Rule[] {
  const document = new YamlDocument(text, BOUNDS);
  const output = document.value === undefined ? undefined : checkShape(rulesSchema, document, nameOf);
  const rules = output?.map(({ methods, path, scopes }) => ({ methods: methods ?? null, ...path, scopes })) ?? [];
  if (document.problems.length === 0)
    for (const [rule, by] of shadowedRules(rules))
      document.problem(
        [rule],
        `rule ${rule + 1} can never decide: rule ${by + 1} comes first and matches the same requests`,
        `put it before rule ${by + 1}, or remove it`,
      );
  if (document.problems.length > 0) throw new KeysError('usage', describeProblems(file, document.problems), EXAMPLE);
  return rules;
}
