import { expect, test } from 'vitest';
import { admit } from '../../src/issuer/admission.js';
import { parseIssueRules } from '../../src/issuer/rules.js';
import { GITHUB, GITHUB_SUB_SINCE_2026, GITLAB, ISSUER, verifiedToken as token } from '../support/oidc-claims.js';

const rules = (...all: object[]) =>
  parseIssueRules(
    JSON.stringify(
      all.map((each, i) => ({ name: `r${i}`, issuer: ISSUER, audience: 'a', scopes: ['plan:read'], ...each })),
    ),
    'f',
  );

function decision(claims: Record<string, unknown>, ...all: object[]): string {
  const admission = admit(rules(...all), token(claims));
  return admission.rule ? admission.rule.name : admission.mismatch.detail;
}

const ours = { claims: { repository_id: '42' } };
const project = { claims: { project_id: '20' } };

test('the first rule that a token meets decides; else the closest one says what differs', () => {
  const main = { claims: { repository_id: '42', ref: ['refs/heads/main', 'refs/heads/next'] } };
  expect(decision(GITHUB, main, ours)).toBe('r0');
  expect(decision({ ...GITHUB, ref: 'refs/heads/x' }, main, ours)).toBe('r1');
  expect(decision({ ...GITHUB, ref: 'refs/heads/x' }, main)).toBe(
    'ref is refs/heads/x, the rule asks for refs/heads/main or refs/heads/next',
  );
  expect(decision({ ...GITHUB, repository_id: '7' }, main, ours)).toBe('repository_id is 7, the rule asks for 42');
  expect(decision({ ...GITHUB, repository_id: undefined }, ours)).toMatch(/^repository_id is missing/);
});

test('of several rules the one with the fewest differences says what differs, and of equally close ones the first', () => {
  const [far, near] = [{ claims: { repository_id: '7', ref: 'x' } }, { claims: { repository_id: '42', ref: 'y' } }];
  for (const all of [
    [far, near],
    [near, far],
  ])
    expect(decision(GITHUB, ...all)).toBe('ref is refs/heads/main, the rule asks for y');
  expect(decision(GITHUB, near, { claims: { repository_id: '8' } })).toBe(
    'ref is refs/heads/main, the rule asks for y',
  );
});

test('without a rule, as after the rules were changed, nobody is let in', () => {
  expect(admit([], token(GITHUB))).toEqual({
    rule: null,
    mismatch: { claim: 'aud', detail: 'no rule is for this audience' },
  });
});

test.each([
  ['a prefix', '4'],
  ['a longer one', '420'],
  ['a pattern', '*'],
  ['a list', ['42']],
  ['an object', { toString: '42' }],
  ['another case', 'REFS'],
  ['blanks', '42 '],
  ['nothing', null],
])('a claim is compared as a whole: %s does not do', (_, value) => {
  expect(decision({ ...GITHUB, repository_id: value }, ours)).toMatch(/the rule asks for 42/);
});

test('a number is compared as a text, unless it is too large to be told from its neighbours', () => {
  const claims = (number: string) => JSON.parse(`{"repository_id":${number}}`);
  expect(decision({ ...GITHUB, ...claims('42') }, ours)).toBe('r0');
  expect(
    decision({ ...GITHUB, ...claims('9007199254740991') }, { claims: { repository_id: '9007199254740991' } }),
  ).toBe('r0');
  for (const other of ['9007199254740993', '1e400'])
    expect(decision({ ...GITHUB, ...claims(other) }, { claims: { repository_id: String(Number(other)) } })).toMatch(
      /^repository_id is /,
    );
});

test('a claim that is true or false is compared as a text', () => {
  const rule = { claims: { ...ours.claims, ref_protected: 'true' } };
  expect(decision({ ...GITHUB, ref_protected: true }, rule)).toBe('r0');
  expect(decision({ ...GITHUB, ref_protected: false }, rule)).toBe('ref_protected is false, the rule asks for true');
});

test('names of claims that every object has are claims like any other', () => {
  for (const name of ['constructor', 'toString', '__proto__'])
    expect(
      decision(GITHUB, {
        claims: Object.fromEntries([
          ['repository_id', '42'],
          [name, 'x'],
        ]),
      }),
    ).toBe(`${name} is missing, the rule asks for x`);
});

test('the form of sub does not matter to a rule with repository_id', () => {
  expect(decision({ ...GITHUB, sub: GITHUB_SUB_SINCE_2026 }, ours)).toBe('r0');
  expect(decision({ ...GITHUB, sub: GITHUB_SUB_SINCE_2026 }, { claims: { ...ours.claims, sub: GITHUB.sub } })).toMatch(
    /^sub is repo:acme@65/,
  );
});

test('a rule for a server of one’s own is held to the number as well', () => {
  expect(decision(GITHUB, { claims: { repository: 'acme/app' } })).toMatch(
    /^repository_id is 42, and the rule does not/,
  );
  expect(decision(GITLAB, { claims: { project_path: 'acme/app' } })).toMatch(
    /^project_id is 20, and the rule does not/,
  );
  expect(decision(GITLAB, project)).toBe('r0');
});

test.each<[string, Record<string, unknown>, object]>([
  ['GitHub, from a fork', { ...GITHUB, event_name: 'pull_request', ref: 'refs/pull/7/merge', head_ref: 'x' }, ours],
  ['GitHub, on the base branch', { ...GITHUB, event_name: 'pull_request_target' }, ours],
  ['GitHub, with a ref alone', { ...GITHUB, event_name: 'workflow_dispatch', ref: 'refs/pull/7/head' }, ours],
  ['GitLab', { ...GITLAB, pipeline_source: 'merge_request_event' }, project],
  ['GitLab, with a ref alone', { ...GITLAB, pipeline_source: 'api', ref_path: 'refs/merge-requests/1/head' }, project],
])('a job of a pull request asks only where the rule says so: %s', (_, claims, rule) => {
  expect(decision(claims, rule)).toMatch(/the rule does not let pull requests ask/);
  expect(decision(claims, { ...rule, pullRequests: true })).toBe('r0');
});

test('the claim that is named with a pull request is the one that says so', () => {
  const said = (claims: Record<string, unknown>, rule: object) => {
    const { mismatch } = admit(rules(rule), token(claims)) as { mismatch: { claim: string; detail: string } };
    return `${mismatch.claim}: ${mismatch.detail.split(',')[0]}`;
  };
  const { event_name: _, ...eventless } = GITHUB;
  expect(said({ ...GITHUB, event_name: 'pull_request' }, ours)).toBe('event_name: event_name is pull_request');
  expect(said({ ...eventless, ref: 'refs/pull/7/head' }, ours)).toBe('ref: ref is refs/pull/7/head');
  const dispatched = { ...GITHUB, event_name: 'workflow_dispatch' };
  expect(said({ ...dispatched, ref: 'refs/pull/7/head' }, ours)).toBe('ref: ref is refs/pull/7/head');
  expect(said({ ...dispatched, head_ref: 'fix' }, ours)).toBe('head_ref: head_ref is fix');
  const api = { ...GITLAB, pipeline_source: 'api' };
  const path = 'refs/merge-requests/1/head';
  expect(said({ ...api, ref_path: path }, project)).toBe(`ref_path: ref_path is ${path}`);
  expect(said({ ...api, ref_path: undefined, ref: path }, project)).toBe(`ref: ref is ${path}`);
  expect(said({ ...GITLAB, pipeline_source: 'merge_request_event' }, project)).toBe(
    'pipeline_source: pipeline_source is merge_request_event',
  );
});
