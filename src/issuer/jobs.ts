import { redactKeyStrings } from '../domain/key-string.js';
import { assertLabel, type Labels } from '../domain/labels.js';
import { safeText } from '../domain/text.js';
import type { ProvenJob } from '../keyring/issuing.js';
import type { VerifiedToken } from './tokens.js';

/** A job, as its token describes it. */
export interface Job extends ProvenJob {
  readonly name: string;
  readonly labels: Labels;
  /** The claim that says that it runs what somebody proposes, who may be anybody; null where none does. */
  readonly pullRequest: string | null;
  /** The claim that a rule must name for such a token; null for a provider whose claims nobody knows. */
  readonly pinned: string | null;
}

interface Described {
  readonly kind: 'github' | 'gitlab' | 'oidc';
  /** Whose job it is, for people. */
  readonly where: string;
  /** The run and what tells its attempts apart, for people and for a name. */
  readonly run: readonly (readonly [word: string, value: string])[];
  /** The claims that tell this job from all others. */
  readonly ids: readonly string[];
  readonly pullRequest: string | null;
  readonly pinned: string | null;
}

/** The first of these claims that says so. */
function claimThat(says: Readonly<Record<string, boolean>>): string | null {
  return Object.keys(says).find((claim) => says[claim]) ?? null;
}

type Texts = (name: string) => string | undefined;

const MAX_ACTOR = 200;
const MAX_ID = 512;
const MAX_NAME_PART = 24;
const MAX_RUN_PART = 11;

/** Not a claim, but a value inside the one that Kubernetes puts into the tokens of a pod. */
const POD = 'kubernetes.io/pod/uid';

function within(value: unknown, ...path: readonly string[]): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return value;
  const isObject = typeof value === 'object' && value !== null && Object.hasOwn(value, name);
  return isObject ? within((value as Record<string, unknown>)[name], ...rest) : undefined;
}

/** The claim as a text, if it is a text or a number. */
function textsOf(claims: VerifiedToken['claims']): Texts {
  return (name) => {
    const value = name === POD ? within(claims, 'kubernetes.io', 'pod', 'uid') : within(claims, name);
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  };
}

/** GitHub Actions, and servers that sign the same claims. */
function github(text: Texts): Described {
  const [ref = '', event = ''] = [text('ref'), text('event_name')];
  return {
    kind: 'github',
    where: `${text('repository') ?? 'unknown'}@${ref}`,
    run: [
      ['run', text('run_id') ?? 'unknown'],
      ['attempt', text('run_attempt') ?? '1'],
    ],
    ids: ['repository_id', 'run_id', 'run_attempt', 'check_run_id'],
    pullRequest: claimThat({
      event_name: event.startsWith('pull_request'),
      ref: ref.startsWith('refs/pull/'),
      head_ref: (text('head_ref') ?? '') !== '',
    }),
    pinned: 'repository_id',
  };
}

function gitlab(text: Texts): Described {
  const [ref = '', path = ref, source = ''] = [text('ref'), text('ref_path'), text('pipeline_source')];
  return {
    kind: 'gitlab',
    where: `${text('project_path') ?? 'unknown'}@${path}`,
    run: [
      ['pipeline', text('pipeline_id') ?? 'unknown'],
      ['job', text('job_id') ?? 'unknown'],
    ],
    ids: ['project_id', 'pipeline_id', 'job_id'],
    pullRequest: claimThat({
      pipeline_source: ['merge_request_event', 'external_pull_request_event'].includes(source),
      [text('ref_path') === undefined ? 'ref' : 'ref_path']: path.startsWith('refs/merge-requests/'),
    }),
    pinned: 'project_id',
  };
}

function other(text: Texts, { issuer, subject }: VerifiedToken): Described {
  const job = text('job_id');
  return {
    kind: 'oidc',
    where: `${new URL(issuer).host} ${subject}`,
    run: job === undefined ? [] : [['job', job]],
    ids: ['job_id', 'build_id', 'build_number', 'run_id', 'pipeline_id', POD],
    pullRequest: null,
    pinned: null,
  };
}

function slug(value: string, length = MAX_NAME_PART): string {
  const plain = value.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return plain.slice(0, length).replace(/^-|-$/g, '');
}

/** Labels that can be written; a value with other characters is left out. */
function fitting(labels: Readonly<Record<string, string | undefined>>): Labels {
  const fits = ([name, value = '']: [string, string | undefined]) => {
    try {
      assertLabel(name, value);
      return value !== '' && redactKeyStrings(value) === value;
    } catch {
      return false;
    }
  };
  return Object.fromEntries(Object.entries(labels).filter(fits)) as Labels;
}

/** What a token says of its job. The name is its own: it holds a piece of the token's digest. */
export function jobOf(token: VerifiedToken, rule: string | null): Job {
  const text = textsOf(token.claims);
  const isGithub = text('repository_id') !== undefined && text('run_id') !== undefined;
  const isGitlab = text('project_id') !== undefined && (text('job_id') ?? text('pipeline_id')) !== undefined;
  const { kind, where, run, ids, pullRequest, pinned } = isGithub
    ? github(text)
    : isGitlab
      ? gitlab(text)
      : other(text, token);
  const words = run.map(([word, value]) => ` ${word} ${value}`).join('');
  const actor = safeText(redactKeyStrings(`${kind}:${where}${words}`));
  const place = text('repository') ?? text('project_path') ?? token.subject;
  const job = Object.fromEntries(
    ids.flatMap((name) => {
      const value = text(name);
      return value === undefined ? [] : [[name, value.slice(0, MAX_ID)]];
    }),
  );
  return {
    actor: actor.length > MAX_ACTOR ? `${actor.slice(0, MAX_ACTOR)}…` : actor,
    proof: { issuer: token.issuer, subject: token.subject, job },
    name: [kind, slug(place), ...run.map(([, value]) => slug(value, MAX_RUN_PART)), token.digest.slice(0, 8)]
      .filter((part) => part !== '')
      .join('-'),
    labels: fitting({
      ci: kind,
      'ci-rule': rule ?? undefined,
      'ci-repository': text('repository') ?? text('project_path'),
      'ci-run': run.map(([, value]) => value).join('-'),
    }),
    pullRequest,
    pinned,
  };
}
