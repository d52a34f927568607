import { expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { jobOf } from '../../src/issuer/jobs.js';
import { GITHUB, GITLAB, ISSUER, verifiedToken as token } from '../support/oidc-claims.js';

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

test('a label, a name or an actor that is too long is cut off or left out', () => {
  const long = { ...GITHUB, repository: `acme/${'a'.repeat(300)}`, run_id: '12345678901234', run_attempt: '12' };
  const job = jobOf(token(long), 'app');
  expect(job.name).toBe(`github-acme-${'a'.repeat(19)}-12345678901-12-abababab`);
  expect(job.actor).toBe(`github:acme/${'a'.repeat(188)}…`);
  expect(job.labels).toEqual({ ci: 'github', 'ci-rule': 'app', 'ci-run': '12345678901234-12' });
  const fits = `acme/${'a'.repeat(200 - 'github:acme/@ run 1 attempt 1'.length)}`;
  const { actor } = jobOf(token({ ...GITHUB, ref: '', repository: fits, run_id: '1' }), 'app');
  expect(actor).toBe(`github:${fits}@ run 1 attempt 1`);
  expect(jobOf(token({ sub: 'x', job_id: 'j'.repeat(600) }), 'app').proof.job).toEqual({ job_id: 'j'.repeat(512) });
});

test('a key string in a claim does not get into the labels, the name or the actor', () => {
  const { keyString, secret } = mintKeyString('test');
  const job = jobOf(token({ ...GITHUB, repository: keyString, ref: keyString }), 'app');
  expect(job.labels).toEqual({ ci: 'github', 'ci-rule': 'app', 'ci-run': '9876543210-1' });
  for (const text of [job.name, job.actor]) expect(text).not.toContain(secret.slice(0, 8));
});

test('a part of a name begins and ends in a letter or a digit, also where it is cut', () => {
  const name = (repository: string) => jobOf(token({ ...GITHUB, repository, run_id: '7' }), 'app').name;
  expect(name('--Acme//App--')).toBe('github-acme-app-7-1-abababab');
  expect(name(`${'a'.repeat(23)}/b`)).toBe(`github-${'a'.repeat(23)}-7-1-abababab`);
  expect(name('///')).toBe('github-7-1-abababab');
});

test('without a rule, as where a job ends a key, there is no label of one', () => {
  expect(jobOf(token(GITHUB), null).labels).toEqual({
    ci: 'github',
    'ci-repository': 'acme/app',
    'ci-run': '9876543210-1',
  });
});

test('a token without what people are told of a job still says what tells it apart', () => {
  expect(jobOf(token({ sub: 'x', repository_id: 42, run_id: 7 }), 'app')).toMatchObject({
    actor: 'github:unknown@ run 7 attempt 1',
    name: 'github-x-7-1-abababab',
    proof: { job: { repository_id: '42', run_id: '7' } },
  });
  for (const [claims, words] of [
    [{ project_id: 20, job_id: 302 }, 'pipeline unknown job 302'],
    [{ project_id: 20, pipeline_id: 574 }, 'pipeline 574 job unknown'],
  ] as const) {
    const job = jobOf(token({ sub: 'x', ref: 'main', ...claims }), 'app');
    expect(job.actor).toBe(`gitlab:unknown@main ${words}`);
    expect(job.proof.job).toEqual(Object.fromEntries(Object.entries(claims).map(([name, id]) => [name, String(id)])));
  }
  expect(jobOf(token({ sub: 'x', job_id: 'j1' }), 'app')).toMatchObject({
    actor: 'oidc:ci.acme.example x job j1',
    name: 'oidc-x-j1-abababab',
    labels: { ci: 'oidc', 'ci-rule': 'app', 'ci-run': 'j1' },
  });
});

test.each([
  ['a number alone', { repository_id: '42' }],
  ['a run alone', { run_id: '7' }],
  ['a number of a project alone', { project_id: '20' }],
  ['a job alone', { job_id: '302' }],
  ['claims that are no text and no number', { repository_id: true, run_id: ['7'], project_id: {}, job_id: null }],
])('%s makes no job of GitHub or GitLab, of which a rule must name the number', (_, claims) => {
  const { actor, pinned, pullRequest } = jobOf(token({ sub: 'x', ...claims }), 'app');
  expect([actor.split(':')[0], pinned, pullRequest]).toEqual(['oidc', null, null]);
});

test.each([
  ['github', { ...GITHUB, check_run_id: '1' }, ['repository_id', 'run_id', 'run_attempt', 'check_run_id']],
  ['gitlab', GITLAB, ['project_id', 'pipeline_id', 'job_id']],
  [
    'oidc',
    { sub: 'x', job_id: '1', build_id: '2', build_number: '3', run_id: '4', pipeline_id: '5', 'other-id': '6' },
    ['job_id', 'build_id', 'build_number', 'run_id', 'pipeline_id'],
  ],
] as const)('a job of %s is told from another by each of its numbers', (_, claims, ids) => {
  const { job } = jobOf(token(claims), 'app').proof;
  expect(Object.keys(job)).toEqual(ids);
  for (const id of ids) {
    const other = jobOf(token({ ...claims, [id]: '999' }), 'app').proof.job;
    expect(other).toEqual({ ...job, [id]: '999' });
  }
});

test.each([
  ['push', { ...GITHUB }, false],
  ['a branch whose name looks like it', { ...GITHUB, ref: 'refs/heads/refs/pull/7' }, false],
  ['the branch of a pull request alone', { ...GITHUB, head_ref: 'x' }, true],
  ['the reference of a pull request alone', { ...GITHUB, ref: 'refs/pull/7/merge' }, true],
  ['pull_request_target', { ...GITHUB, event_name: 'pull_request_target' }, true],
  ['pull_request_review', { ...GITHUB, event_name: 'pull_request_review' }, true],
  ['push, in GitLab', { ...GITLAB }, false],
  ['merge_request_event', { ...GITLAB, pipeline_source: 'merge_request_event' }, true],
  ['external_pull_request_event', { ...GITLAB, pipeline_source: 'external_pull_request_event' }, true],
  ['the path of a merge request', { ...GITLAB, ref_path: 'refs/merge-requests/1/head' }, true],
  [
    'no path, and the ref of a merge request',
    { ...GITLAB, ref_path: undefined, ref: 'refs/merge-requests/1/head' },
    true,
  ],
  ['a branch of GitLab whose name looks like it', { ...GITLAB, ref_path: 'refs/heads/refs/merge-requests/1' }, false],
])('%s: whether it is a pull request', (_, claims, is) => {
  expect(jobOf(token(claims), 'app').pullRequest !== null).toBe(is);
});

test('a job is pinned to the number of its repository or project', () => {
  expect([GITHUB, GITLAB].map((claims) => jobOf(token(claims), 'app').pinned)).toEqual(['repository_id', 'project_id']);
});

test('what every object inherits is no claim', () => {
  const { proof, actor } = jobOf(token(Object.create({ job_id: 'x', ref: 'x' }, { sub: { value: 'x' } })), 'app');
  expect([actor, proof.job]).toEqual(['oidc:ci.acme.example x', {}]);
});
