import { type Job, jobOf } from './jobs.js';
import type { IssueRule } from './rules.js';
import { shown, type VerifiedToken } from './tokens.js';

/** Why a rule does not let a job in: the claim that differs, and a sentence about it. */
interface Mismatch {
  readonly claim: string;
  readonly detail: string;
}

export type Admission =
  | { readonly rule: IssueRule; readonly job: Job }
  /** Of the rule that comes closest. */
  | { readonly rule: null; readonly mismatch: Mismatch };

/** A claim as rules write it. Null for a number so large that JavaScript reads its neighbours as the same. */
function asText(value: unknown): string | null {
  if (typeof value === 'number') return Math.abs(value) <= Number.MAX_SAFE_INTEGER ? String(value) : null;
  return typeof value === 'string' || typeof value === 'boolean' ? String(value) : null;
}

function mismatches(rule: IssueRule, token: VerifiedToken, job: Job): Mismatch[] {
  const found: Mismatch[] = [];
  const note = (claim: string, wanted: string) => {
    const value = Object.hasOwn(token.claims, claim) ? `is ${shown(token.claims[claim])}` : 'is missing';
    found.push({ claim, detail: `${claim} ${value}, ${wanted}` });
  };
  if (job.pinned !== null && !rule.claims.has(job.pinned))
    note(job.pinned, 'and the rule does not say which it must be');
  for (const [claim, wanted] of rule.claims) {
    const value = Object.hasOwn(token.claims, claim) ? asText(token.claims[claim]) : null;
    if (value === null || !wanted.includes(value)) note(claim, `the rule asks for ${wanted.map(shown).join(' or ')}`);
  }
  if (job.pullRequest !== null && !rule.pullRequests)
    note(job.pullRequest, 'and the rule does not let pull requests ask');
  return found;
}

/** The first rule that lets this token ask, or why the closest one does not. `rules` are those of its issuer and audience, at least one. */
export function admit(rules: readonly IssueRule[], token: VerifiedToken): Admission {
  let closest: Mismatch[] | null = null;
  for (const rule of rules) {
    const job = jobOf(token, rule.name);
    const found = mismatches(rule, token, job);
    if (found.length === 0) return { rule, job };
    if (closest === null || found.length < closest.length) closest = found;
  }
  const [mismatch = { claim: 'aud', detail: 'no rule is for this audience' }] = closest ?? [];
  return { rule: null, mismatch };
}
