import { describe, expect, test } from 'vitest';
import { isKeysError } from '../../src/domain/errors.js';
import { pinnedClaim } from '../../src/issuer/providers.js';
import { parseIssueRules } from '../../src/issuer/rules.js';

const GITHUB = 'https://token.actions.githubusercontent.com';
const rule = (more: object = {}) => ({
  name: 'app',
  issuer: GITHUB,
  audience: 'https://keys.acme.example',
  claims: { repository_id: '42' },
  scopes: ['checkin:read'],
  ...more,
});

function problems(...rules: unknown[]): string {
  try {
    parseIssueRules(JSON.stringify(rules), 'issue.yaml');
    return '';
  } catch (error) {
    if (isKeysError(error, 'usage')) return error.message;
    throw error;
  }
}

test('fills in what a rule leaves out', () => {
  expect(parseIssueRules(JSON.stringify([rule({ claims: { repository_id: '42', ref: ['a', 'b'] } })]), 'f')).toEqual([
    {
      ...rule(),
      claims: new Map([
        ['repository_id', ['42']],
        ['ref', ['a', 'b']],
      ]),
      maxTtl: 3_600_000,
      maxAlive: 20,
      maxIssued: { limit: 120, windowSeconds: 3600 },
      rateLimit: { limit: 600, windowSeconds: 60 },
      pullRequests: false,
    },
  ]);
});

test.each([
  [{ claims: { repository: 'acme/app' } }, /claims of rule 1 has no repository_id/],
  [{ issuer: 'https://gitlab.com', claims: { project_path: 'acme/app' } }, /has no project_id/],
  [{ issuer: 'https://token.actions.acme.ghe.com', claims: { ref: 'x' } }, /has no repository_id/],
  [{ issuer: 'https://ghes.acme.example/_services/token', claims: { ref: 'x' } }, /has no repository_id/],
  [{ claims: {} }, /claims of rule 1 has no claims/],
  [{ claims: { repository_id: 42 } }, /claim repository_id of rule 1 is not a string/],
  [{ claims: { repository_id: [] } }, /is an empty list/],
  [{ claims: { repository_id: ['42', 7] } }, /is not a string/],
  [{ claims: { repository_id: '' } }, /is empty/],
  [{ claims: { repository_id: '42', ref: 'refs/heads/*' } }, /claim ref of rule 1 contains \*/],
  [{ claims: { repository_id: '42', ref: ['refs/heads/main', '*'] } }, /contains \*/],
  [{ claims: { repository_id: '42', aud: 'x' } }, /claim aud of rule 1 is checked in every token/],
  [{ issuer: 'http://token.actions.githubusercontent.com' }, /is not an https URL/],
  [{ issuer: 'https://a@b.example' }, /is not an https URL/],
  [{ issuer: 'https://ci.example?x=1' }, /is not an https URL/],
  [{ issuer: 'ci.example' }, /is not an https URL/],
  [{ name: 'App tests' }, /is not a name for a rule/],
  [{ scopes: [] }, /scopes of rule 1 is empty/],
  [{ scopes: ['checkin:*'] }, /a scope of rule 1/],
  [{ maxTtl: '25h' }, /is not a duration up to 24h/],
  [{ maxTtl: '2d' }, /is not a duration up to 24h/],
  [{ maxAlive: 0 }, /is not a whole number from 1/],
  [{ maxAlive: '3' }, /is not a whole number from 1/],
  [{ maxIssued: '5/y' }, /is not of the form/],
  [{ rateLimit: 600 }, /is not a string/],
  [{ pullRequests: 'yes' }, /is neither true nor false/],
  [{ mode: 'live' }, /rule 1 has no property "mode"/],
  [{ audience: ' ' }, /audience of rule 1 is empty/],
])('refuses %j', (more, words) => {
  expect(problems(rule(more))).toMatch(words);
});

test('refuses two rules of one name, and files that hold no rules', () => {
  expect(problems(rule(), rule())).toMatch(/"app" is listed twice/);
  expect(problems()).toMatch(/has no rules/);
  expect(() => parseIssueRules('name: app', 'f')).toThrow(/is not a list/);
});

describe('a rule must name the number of a repository', () => {
  test.each([
    [GITHUB, 'repository_id'],
    [`${GITHUB}/acme-inc`, 'repository_id'],
    ['https://token.actions.acme.ghe.com', 'repository_id'],
    ['https://ghes.acme.example/_services/token', 'repository_id'],
    ['https://gitlab.com', 'project_id'],
    ['https://gitlab.com.evil.example', null],
    ['https://agent.buildkite.com', null],
  ])('%s: %s', (issuer, claim) => {
    expect(pinnedClaim(issuer)).toBe(claim);
  });
});
