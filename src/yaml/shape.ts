import * as v from 'valibot';
import { KeysError } from '../domain/errors.js';
import { didYouMean } from '../domain/scopes.js';
import { quoted } from '../domain/text.js';
import type { Path, YamlDocument } from './document.js';
import { MAX_PROBLEMS } from './problems.js';

/**
 * The shapes of YAML files, as schemas of valibot: what a schema says is checked when a file is read, and is written into the JSON Schema
 * for editors. This module is the only one that names the package.
 */
export {
  array,
  boolean,
  check,
  type InferOutput,
  literal,
  metadata,
  nonEmpty,
  nullable,
  optional,
  pipe,
  rawCheck,
} from 'valibot';

type Issue = v.BaseIssue<unknown>;

/**
 * The message of a schema. `what` follows the name of the value, which the reader of the file knows: `is empty` becomes
 * `rateLimit of key "a" is empty`. JSON, because a schema's message is a string.
 */
export function fault(what: string, advice: string): string {
  return JSON.stringify([what, advice]);
}

/** The message of a schema for so many problems that nobody would read each of them. */
function faults(what: string, advice: string, count: number): string {
  return JSON.stringify([what, advice, count]);
}

/** What is wrong with a name in a mapping, and what to write instead. */
export interface Fault {
  readonly what: string;
  readonly advice: string;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const UNKNOWN_PROPERTY = { kind: 'schema', type: 'strict_object', expected: 'never', received: 'a property' } as const;
const NOT_A_MAPPING = fault('is not a mapping', 'write it as "name: value" lines');

/** A mapping with these properties and no others, so that a mistyped name does not pass for one that was left out. */
export function mapping<const E extends v.ObjectEntries>(
  entries: E,
  words: {
    /** What to write where a required property is missing. */
    readonly missing?: Readonly<Partial<Record<keyof E & string, string>>>;
    /** Why a property that is not in the list is refused; null for the usual words. */
    readonly refuse?: (name: string) => Fault | null;
  } = {},
): v.StrictObjectSchema<E, v.ErrorMessage<v.StrictObjectIssue>> {
  const known = Object.keys(entries);
  const schema = v.strictObject(entries, (issue) => {
    const name = issue.path?.at(-1)?.key as string | undefined;
    if (name === undefined) return NOT_A_MAPPING;
    return fault(`has no ${name}`, words.missing?.[name] ?? `write ${name}:`);
  });
  const unknown = (name: string): string => {
    const refused = words.refuse?.(name);
    if (refused) return fault(refused.what, refused.advice);
    const guess = didYouMean(name, known);
    return fault(
      `has no property ${quoted(name)}${guess ? `, did you mean ${guess}?` : ''}`,
      `known properties: ${known.join(', ')}`,
    );
  };
  return {
    ...schema,
    // The package's own stops at the first unknown property, and overlooks one that is named `constructor`.
    '~run'(dataset, config) {
      const input = dataset.value;
      if (!isMapping(input)) return schema['~run']({ value: null }, config);
      const names = Object.keys(input);
      const own = Object.fromEntries(names.filter((name) => known.includes(name)).map((name) => [name, input[name]]));
      const result = schema['~run']({ value: own }, config);
      const others = names.filter((name) => !known.includes(name));
      if (others.length === 0) return result;
      const [next] = others.slice(MAX_PROBLEMS);
      const at = (name: string, message: string) => ({
        ...UNKNOWN_PROPERTY,
        input,
        message,
        path: namePath(input, name),
      });
      const more = others.slice(0, MAX_PROBLEMS).map((name) => at(name, unknown(name)));
      if (next !== undefined) more.push(at(next, faults('has more', 'remove them', others.length - MAX_PROBLEMS)));
      return { ...result, typed: false, issues: [...(result.issues ?? []), ...more] } as typeof result;
    },
  };
}

/** A mapping whose names are free: each name and each value fits its schema. */
export function dictionary<V extends v.GenericSchema>(value: V): v.RecordSchema<v.StringSchema<undefined>, V, string> {
  const schema = v.record(v.string(), value, NOT_A_MAPPING);
  return {
    ...schema,
    // The package's own leaves out what is named `constructor` or `prototype`.
    '~run'(dataset, config) {
      const input = dataset.value;
      if (!isMapping(input)) return schema['~run']({ value: null }, config);
      const output: Record<string, unknown> = Object.create(null);
      const issues: Issue[] = [];
      let typed = true;
      for (const [key, each] of Object.entries(input)) {
        const result = value['~run']({ value: each }, config);
        for (const issue of result.issues ?? [])
          issues.push({
            ...issue,
            path: [{ type: 'object', origin: 'value', input, key, value: each }, ...(issue.path ?? [])],
          });
        typed &&= result.typed;
        output[key] = result.value;
      }
      return { typed, value: output, ...(issues.length > 0 && { issues }) } as ReturnType<(typeof schema)['~run']>;
    },
  };
}

/** A mapping, or the short form of one. The package would say of a bad value only that it is neither. */
export function mappingOr<L extends v.GenericSchema, S extends v.GenericSchema>(
  long: L,
  short: S,
): v.UnionSchema<[S, L], undefined> {
  const schema = v.union([short, long]);
  return {
    ...schema,
    '~run': (dataset, config) =>
      (isMapping(dataset.value) ? long : short)['~run'](dataset, config) as ReturnType<(typeof schema)['~run']>,
  };
}

/** A list. `advice` says how to write one. */
export function list<I extends v.GenericSchema>(
  item: I,
  advice = 'write one "- …" line for each, or [a, b]',
  what = 'a list',
) {
  return v.array(item, fault(`is not ${what}`, advice));
}

function notText({ input }: Issue): string {
  if (input === null) return fault('is empty', 'fill it in, or remove the line');
  return fault('is not a string', typeof input === 'object' ? 'write one value, not several' : 'put it in quotes');
}

export function text() {
  return v.string(notText);
}

/** A text of one line that is not blank. */
export function line() {
  return v.pipe(
    text(),
    v.metadata({ pattern: '\\S' }),
    v.check((input) => input.trim() !== '', fault('is empty', 'fill it in, or remove the line')),
    v.check((input) => !/[\0\n\r]/.test(input), fault('has more than one line', 'write one line')),
  );
}

/** One text, or a list of them. */
export function oneOrMore<I extends v.GenericSchema<string>>(item: I, advice: string, empty: string) {
  const several = v.pipe(list(item, advice), v.nonEmpty(fault(empty, advice)));
  const schema = v.union([item, several]);
  return {
    ...schema,
    // The package would say of a bad value only that it is neither.
    '~run': (dataset, config) =>
      (Array.isArray(dataset.value) ? several : item)['~run'](dataset, config) as ReturnType<(typeof schema)['~run']>,
  } as typeof schema;
}

/** A whole number within bounds. */
export function wholeNumber(least: number, most: number, description: string) {
  const wrong = fault(`is not a whole number from ${least} to ${most}`, 'write a number without quotes');
  return v.pipe(
    v.number(wrong),
    v.integer(wrong),
    v.minValue(least, wrong),
    v.maxValue(most, wrong),
    v.metadata({ description }),
  );
}

/** One of these words. `what` is what they are (`a mode`), `advice` how to write one. */
export function oneOf<const O extends readonly string[]>(options: O, what: string, advice: string) {
  return v.picklist(options, (issue) =>
    typeof issue.input === 'string' ? fault(`: ${quoted(issue.input)} is not ${what}`, advice) : notText(issue),
  );
}

export function flag() {
  return v.boolean(fault('is neither true nor false', 'write true or false'));
}

function faultOf(error: unknown): string {
  if (!(error instanceof KeysError)) throw error;
  return fault(`: ${error.message}`, error.hint ?? 'write another value');
}

/** Calls `report` with the domain's complaint, as the message of a problem. */
export function complain(check: () => unknown, report: (message: string) => void): void {
  try {
    check();
  } catch (error) {
    report(faultOf(error));
  }
}

/** Hands the text to a reader of the domain: its result is the value, its complaint the problem. */
export function readBy<T>(read: (text: string) => T): v.RawTransformAction<string, T> {
  return v.rawTransform(({ dataset, addIssue, NEVER }) => {
    try {
      return read(dataset.value);
    } catch (error) {
      addIssue({ message: faultOf(error) });
      return NEVER;
    }
  });
}

/** Hands the text to a check of the domain, whose complaint is the problem. The text stays the value. */
export function checkedBy(check: (text: string) => unknown): v.RawCheckAction<string> {
  return v.rawCheck(({ dataset, addIssue }) => {
    if (dataset.typed && !dataset.issues)
      complain(
        () => check(dataset.value),
        (message) => addIssue({ message }),
      );
  });
}

/** The item of a list that a {@link v.rawCheck} complains of. */
export function itemPath(input: readonly unknown[], index: number): [v.ArrayPathItem] {
  return [{ type: 'array', origin: 'value', input: input as unknown[], key: index, value: input[index] }];
}

/** The property that a {@link v.rawCheck} complains of; the problem stands at its name and is about the mapping. */
export function namePath(input: Readonly<Record<string, unknown>>, name: string): [v.ObjectPathItem] {
  return [{ type: 'object', origin: 'key', input: input as Record<string, unknown>, key: name, value: input[name] }];
}

/** The value of a property that a {@link v.rawCheck} complains of. */
export function valuePath(input: Readonly<Record<string, unknown>>, name: string): [v.ObjectPathItem] {
  return [{ type: 'object', origin: 'value', input: input as Record<string, unknown>, key: name, value: input[name] }];
}

/** Refuses texts that are in a list twice. `textOf` is undefined for an item that has problems of its own. */
export function unique<T extends readonly unknown[]>(
  textOf: (item: T[number]) => unknown,
  same: (text: string) => string = (text) => text,
): v.RawCheckAction<T> {
  return v.rawCheck(({ dataset, addIssue }) => {
    const seen = new Set<string>();
    const items: readonly unknown[] = Array.isArray(dataset.value) ? dataset.value : [];
    items.forEach((item, index, all) => {
      const found = textOf(item);
      if (typeof found !== 'string') return;
      if (seen.has(same(found)))
        addIssue({
          message: fault(`: ${quoted(found)} is listed twice`, 'keep one of them'),
          path: itemPath(all, index),
        });
      seen.add(same(found));
    });
  });
}

/**
 * Checks a document against its schema. Every problem is added to the document's, with its place; `nameOf` says what the value at a path
 * is called. The output is undefined where there was one.
 */
export function checkShape<S extends v.GenericSchema>(
  schema: S,
  document: YamlDocument,
  nameOf: (path: Path) => string,
): v.InferOutput<S> | undefined {
  const { issues, output, success } = v.safeParse(schema, document.value);
  for (const { message, path = [] } of issues ?? []) {
    const [what, advice, count] = JSON.parse(message) as [string, string, number?];
    const way = path.map(({ key }) => key as string | number);
    const isName = path.at(-1)?.origin === 'key';
    const subject = nameOf(isName ? way.slice(0, -1) : way);
    document.problems.push({
      place: isName ? document.placeOfName(way) : document.placeOf(way),
      what: `${subject}${what.startsWith(':') ? '' : ' '}${what}`,
      advice,
      ...(count !== undefined && { count }),
    });
  }
  return success ? output : undefined;
}
