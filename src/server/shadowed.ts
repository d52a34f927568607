import type { PathPattern } from './rules-schema.js';

type MatchingPart = PathPattern & { readonly methods: readonly string[] | null };

/** Every method. */
const ALL = '*';

/** The rules so far, by the segments of their paths, so that a long file is read in one pass. */
interface Node {
  readonly literals: Map<string, Node>;
  any: Node | null;
  /** The first rule for exactly this path, and for this path and all below, by method. */
  readonly exact: Map<string, number>;
  readonly below: Map<string, number>;
}

const newNode = (): Node => ({ literals: new Map(), any: null, exact: new Map(), below: new Map() });

/**
 * For each rule that can never decide, the earlier rule that decides instead (if several do together, the first of them), by their positions.
 */
export function shadowedRules(rules: readonly MatchingPart[]): [rule: number, by: number][] {
  const root = newNode();
  const found: [number, number][] = [];
  rules.forEach((rule, index) => {
    const by = firstIfAllCovered(rule, decidedBy(root, rule));
    if (by !== null) found.push([index, by]);
    add(root, rule, index);
  });
  return found;
}

/** The first rule for each method, of those that match every path that `rule` matches. */
function decidedBy(root: Node, { segments, below }: MatchingPart): Map<string, number> {
  const decided = new Map<string, number>();
  const take = (methods: ReadonlyMap<string, number>) => {
    for (const [method, index] of methods) decided.set(method, Math.min(index, decided.get(method) ?? index));
  };
  let nodes = [root];
  for (const segment of segments) {
    for (const node of nodes) take(node.below);
    nodes = nodes.flatMap((node) => {
      const literal = segment === null ? undefined : node.literals.get(segment);
      const any = segment === '' ? null : node.any;
      return [...(literal ? [literal] : []), ...(any ? [any] : [])];
    });
  }
  for (const node of nodes) {
    take(node.below);
    if (!below) take(node.exact);
  }
  return decided;
}

function firstIfAllCovered({ methods }: MatchingPart, decided: ReadonlyMap<string, number>): number | null {
  const all = decided.get(ALL) ?? Number.POSITIVE_INFINITY;
  const first = (methods ?? [ALL]).map((method) => {
    const get = method === 'HEAD' ? decided.get('GET') : undefined; // a rule for GET covers HEAD
    return Math.min(all, decided.get(method) ?? all, get ?? all);
  });
  return first.every(Number.isFinite) ? Math.min(...first) : null;
}

function add(root: Node, { segments, below, methods }: MatchingPart, index: number): void {
  let node = root;
  for (const segment of segments) {
    if (segment === null) {
      node.any ??= newNode();
      node = node.any;
      continue;
    }
    const next = node.literals.get(segment) ?? newNode();
    node.literals.set(segment, next);
    node = next;
  }
  const into = below ? node.below : node.exact;
  for (const method of methods ?? [ALL]) if (!into.has(method)) into.set(method, index);
}
