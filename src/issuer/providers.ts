/** Hosts whose tokens are those of GitHub Actions: github.com, GitHub Enterprise Cloud with data residency, and GitHub Enterprise Server. */
const GITHUB =
  /^https:\/\/(?:token\.actions\.(?:githubusercontent\.com|[a-z0-9-]+\.ghe\.com)(?:\/|$)|[^/]+\/_services\/token$)/;
const GITLAB = /^https:\/\/gitlab\.com\/?$/;

/** The claim without which a rule for this issuer would let in whoever takes a name over; null where nobody knows one. */
export function pinnedClaim(issuer: string): 'repository_id' | 'project_id' | null {
  if (GITHUB.test(issuer)) return 'repository_id';
  return GITLAB.test(issuer) ? 'project_id' : null;
}
