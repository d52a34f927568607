import { KeysError } from '../domain/errors.js';
import type { RateLimit } from '../domain/rate-limit.js';
import { type Bounds, type Path, YamlDocument } from '../yaml/document.js';
import { describeProblems } from '../yaml/problems.js';
import { checkShape } from '../yaml/shape.js';
import { issueRulesSchema, RULE_DEFAULTS } from './rules-schema.js';

/** Which jobs may ask for which keys. The first rule that matches a token decides. */
export interface IssueRule {
  readonly name: string;
  readonly issuer: string;
  readonly audience: string;
  /** What each of these claims must be: one of the texts. */
  readonly claims: ReadonlyMap<string, readonly string[]>;
  readonly scopes: readonly string[];
  /** Milliseconds. */
  readonly maxTtl: number;
  readonly maxAlive: number;
  /** How many keys it makes in which time. */
  readonly maxIssued: RateLimit;
  /** Of each key. */
  readonly rateLimit: RateLimit;
  readonly pullRequests: boolean;
}

const BOUNDS: Bounds = {
  kind: 'a file of rules',
  maxBytes: 1_048_576,
  maxDepth: 10,
  tooLarge: 'at most 1 MiB',
};

const EXAMPLE = 'docs/issue.md shows a rule';

/** What the value at a path is called in messages: `issuer of rule 3`. */
function nameOf([index, property, item]: Path): string {
  if (index === undefined) return 'the file';
  const rule = `rule ${Number(index) + 1}`;
  if (property === undefined) return rule;
  if (item === undefined) return `${property} of ${rule}`;
  return property === 'scopes' ? `a scope of ${rule}` : `claim ${item} of ${rule}`;
}

/** Reads a file of rules, YAML or JSON. Throws `usage` that names every problem by line and column. */
export function parseIssueRules(text: string, file: string): IssueRule[] {
  const document = new YamlDocument(text, BOUNDS);
  const output = document.value === undefined ? undefined : checkShape(issueRulesSchema, document, nameOf);
  if (document.problems.length > 0) throw new KeysError('usage', describeProblems(file, document.problems), EXAMPLE);
  return (output ?? []).map((rule) => ({
    name: rule.name,
    issuer: rule.issuer,
    audience: rule.audience,
    claims: new Map(
      Object.entries(rule.claims).map(([name, wanted]) => [name, typeof wanted === 'string' ? [wanted] : wanted]),
    ),
    scopes: rule.scopes,
    maxTtl: rule.maxTtl ?? RULE_DEFAULTS.maxTtl,
    maxAlive: rule.maxAlive ?? RULE_DEFAULTS.maxAlive,
    maxIssued: rule.maxIssued ?? RULE_DEFAULTS.maxIssued,
    rateLimit: rule.rateLimit ?? RULE_DEFAULTS.rateLimit,
    pullRequests: rule.pullRequests ?? false,
  }));
}
