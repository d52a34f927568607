import { safeText } from '../domain/text.js';

/** A position in a file. Both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A problem in a file: its place (null where there is no file to look at), what is wrong, and what to write instead. */
export interface Problem {
  readonly place: Place | null;
  readonly what: string;
  readonly advice: string;
  /** How many problems this one stands for, where nobody would read each of them. Default: 1. */
  readonly count?: number;
}

/** Nobody reads more, and a file of another kind would fill the screen. */
export const MAX_PROBLEMS = 50;

const START: Place = { line: 1, column: 1 };

/** Every problem on a line of its own, once, in the order of the file: `keys.yaml:4:11: what; advice`. */
export function describeProblems(source: string, problems: readonly Problem[]): string {
  const inOrder = problems
    .map((problem) => ({ ...problem, at: problem.place ?? START }))
    .sort((a, b) => a.at.line - b.at.line || a.at.column - b.at.column);
  const all = new Map(
    inOrder.map(({ place, what, advice, count = 1 }) => {
      const position = place === null ? '' : `:${place.line}:${place.column}`;
      return [`${safeText(source)}${position}: ${what}; ${advice}`, count] as const;
    }),
  );
  const lines = [...all.keys()].slice(0, MAX_PROBLEMS);
  const more = [...all.values()].slice(MAX_PROBLEMS).reduce((sum, count) => sum + count, 0);
  return [...lines, ...(more > 0 ? [`… and ${more} more`] : [])].join('\n');
}
