import type { VerifiedToken } from '../../src/issuer/tokens.js';

/** The claims of a job of GitHub Actions, as GitHub's documentation shows them. */
export const GITHUB = {
  sub: 'repo:acme/app:ref:refs/heads/main',
  repository: 'acme/app',
  repository_id: '42',
  repository_owner: 'acme',
  repository_owner_id: '65',
  repository_visibility: 'private',
  ref: 'refs/heads/main',
  ref_type: 'branch',
  sha: '1e0d0f5f1e0d0f5f1e0d0f5f1e0d0f5f1e0d0f5f',
  head_ref: '',
  base_ref: '',
  actor: 'octocat',
  actor_id: '12',
  event_name: 'push',
  workflow: 'test',
  workflow_ref: 'acme/app/.github/workflows/test.yml@refs/heads/main',
  job_workflow_ref: 'acme/app/.github/workflows/test.yml@refs/heads/main',
  runner_environment: 'github-hosted',
  run_id: '9876543210',
  run_number: '10',
  run_attempt: '1',
} as const;

/** Of a repository that was made since 15 July 2026: names in `sub` are followed by their numbers. */
export const GITHUB_SUB_SINCE_2026 = 'repo:acme@65/app@42:ref:refs/heads/main';

/** The claims of a job of GitLab CI, as GitLab's documentation shows them. */
export const GITLAB = {
  sub: 'project_path:acme/app:ref_type:branch:ref:main',
  namespace_id: '72',
  namespace_path: 'acme',
  project_id: '20',
  project_path: 'acme/app',
  user_id: '1',
  user_login: 'sample-user',
  user_email: 'sample-user@example.com',
  pipeline_id: '574',
  pipeline_source: 'push',
  job_id: '302',
  ref: 'main',
  ref_type: 'branch',
  ref_path: 'refs/heads/main',
  ref_protected: 'true',
  runner_id: 1,
  runner_environment: 'gitlab-hosted',
  sha: '714a629c0b401fdce83e847fc9589983fc6f46bc',
} as const;

/** The issuer of {@link verifiedToken}. */
export const ISSUER = 'https://ci.acme.example';

/** A token as it is once it was verified, with these claims. */
export function verifiedToken(claims: Readonly<Record<string, unknown>>): VerifiedToken {
  return {
    issuer: ISSUER,
    subject: String(claims.sub),
    audiences: ['a'],
    claims,
    digest: 'ab'.repeat(32),
    issued: new Date(),
    ends: new Date(),
  };
}
