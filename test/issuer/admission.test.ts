import { expect, test } from 'vitest';
import { admit } from '../../src/issuer/admission.js';
import { jobOf } from '../../src/issuer/jobs.js';
import { parseIssueRules } from '../../src/issuer/rules.js';
import type { VerifiedToken } from '../../src/issuer/tokens.js';
import { GITHUB, GITHUB_SUB_SINCE_2026, GITLAB } from '../support/oidc-claims.js';

const ISSUER = 'https://ci.acme.example';
const token = (claims: Record<string, unknown>): VerifiedToken => ({
  issuer: ISSUER,
  subject: String(claims.sub),
  audiences: ['a'],
  claims,
  digest: 'ab'.repeat(32),
  issued: new Date(),
  ends: new Date(),
});
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

test('the claim that is named with a pull request is the one that its provider has for it', () => {
  const said = (claims: Record<string, unknown>, rule: object) => {
    const { mismatch } = admit(rules(rule), token(claims)) as { mismatch: { claim: string; detail: string } };
    return `${mismatch.claim}: ${mismatch.detail.split(',')[0]}`;
  };
  const { event_name: _, ...eventless } = GITHUB;
  expect(said({ ...GITHUB, event_name: 'pull_request' }, ours)).toBe('event_name: event_name is pull_request');
  expect(said({ ...eventless, ref: 'refs/pull/7/head' }, ours)).toBe('ref: ref is refs/pull/7/head');
  expect(said({ ...GITLAB, pipeline_source: 'merge_request_event' }, project)).toBe(
    'pipeline_source: pipeline_source is merge_request_event',
  );
});

test('a job is named for people, for a key, and by what tells it apart', () => {
  const github = jobOf(token(GITHUB), 'app');
  expect(github).toMatchObject({
    actor: 'github:acme/app@refs/heads/main run 9876543210 attempt 1',
    name: 'github-acme-app-9876543210-1-abababab',
    proof: {
      issuer: ISSUER,
      subject: GITHUB.sub,
      job: { repository_id: '42', run_id: '9876543210', run_attempt: '1' },
    },
  });
  expect(jobOf(token(GITLAB), 'app')).toMatchObject({
    actor: 'gitlab:acme/app@refs/heads/main pipeline 574 job 302',
    name: 'gitlab-acme-app-574-302-abababab',
    labels: { ci: 'gitlab', 'ci-rule': 'app', 'ci-repository': 'acme/app', 'ci-run': '574-302' },
  });
  expect(jobOf(token({ sub: 'system:serviceaccount:ci:runner' }), 'k8s')).toMatchObject({
    actor: 'oidc:ci.acme.example system:serviceaccount:ci:runner',
    name: 'oidc-system-serviceaccount-ci-abababab',
    labels: { ci: 'oidc', 'ci-rule': 'k8s' },
  });
});

test('a pod of Kubernetes is told from another of the same service account', () => {
  const pod = (value: unknown) =>
    jobOf(token({ sub: 'system:serviceaccount:ci:runner', 'kubernetes.io': value }), 'k8s').proof.job;
  expect(pod({ namespace: 'ci', pod: { name: 'runner-1', uid: '5e0bd49b' } })).toEqual({
    'kubernetes.io/pod/uid': '5e0bd49b',
  });
  for (const nothing of [undefined, null, 'x', 7, {}, { pod: null }, { pod: 'x' }, { pod: { uid: {} } }])
    expect(pod(nothing)).toEqual({});
});

test('whatever a claim holds, the name, the labels and the actor can be stored and shown', () => {
  const nasty = [
    '',
    ' ',
    '/'.repeat(300),
    'é/ü',
    '\u202egro.live',
    '\u001b[2J',
    `unlk_test_${'0'.repeat(12)}_${'a'.repeat(38)}`,
    'x'.repeat(2000),
  ];
  for (const value of nasty) {
    const job = jobOf(
      token({ ...GITHUB, repository: value, ref: value, run_id: value, run_attempt: value, sub: value || 'x' }),
      'app',
    );
    expect(job.name).toMatch(/^github-[a-z0-9-]{0,49}abababab$/);
    expect(job.name.length).toBeLessThanOrEqual(64);
    expect(job.actor.length).toBeLessThanOrEqual(201);
    expect(job.actor).not.toMatch(/[\u001b\u202e]|unlk_test_0{12}_a/);
    for (const label of Object.values(job.labels)) expect(label).toMatch(/^[\w./@:+-]{1,63}$/);
  }
});
