// Responses of a real server with one mistake each: the rest is valid, so that they get as far into the client as possible.

type Value = Record<string, unknown>;
interface StepResult {
  cols: unknown[];
  rows: Value[][];
}
interface Batch {
  step_results: (StepResult | null)[];
  step_errors: unknown[];
}

const eachResult = (spoil: (result: StepResult) => object) => (batch: Batch) => ({
  ...batch,
  step_results: batch.step_results.map((result) => result && { ...result, ...spoil(result) }),
});
const eachRow = (spoil: (row: Value[]) => unknown) => eachResult(({ rows }) => ({ rows: rows.map(spoil) }));
const eachValue = (spoil: (value: Value) => unknown) => eachRow((row) => row.map(spoil));

const NULL = { type: 'null' };

const SPOILS = {
  'rows with a column too few': eachRow((row) => row.slice(1)),
  'rows with a column too many': eachRow((row) => [...row, NULL]),
  'a column too few, as announced': eachResult(({ cols, rows }) => ({
    cols: cols.slice(1),
    rows: rows.map((row) => row.slice(1)),
  })),
  'a column too many, as announced': eachResult(({ cols, rows }) => ({
    cols: [...cols, { name: 'x' }],
    rows: rows.map((row) => [...row, NULL]),
  })),
  'no columns': eachResult(() => ({ cols: null })),
  'no rows': eachResult(() => ({ rows: null })),
  'rows lost': eachResult(() => ({ rows: [] })),
  'rows that are objects': eachRow((row) => ({ ...row })),
  'null rows': eachRow(() => null),
  'bare values': eachValue(({ value }) => value),
  'null values': eachValue(() => null),
  'values of no type': eachValue(({ value }) => ({ value })),
  'values of an unknown type': eachValue(({ value }) => ({ type: 'date', value })),
  'blobs everywhere': eachValue(() => ({ type: 'blob', base64: 'AP8' })),
  'nulls everywhere': eachValue(() => NULL),
  'texts everywhere': eachValue(() => ({ type: 'text', value: 'x' })),
  'empty texts everywhere': eachValue(() => ({ type: 'text', value: '' })),
  'terminal escapes everywhere': eachValue(() => ({ type: 'text', value: '\u001b[2J\u202e' })),
  'integers everywhere': eachValue(() => ({ type: 'integer', value: '7' })),
  'negative integers': eachValue((value) => (value.type === 'integer' ? { ...value, value: '-1' } : value)),
  'integers beyond 2^53': eachValue((value) =>
    value.type === 'integer' ? { ...value, value: '9007199254740993' } : value,
  ),
  'integers beyond 2^63': eachValue((value) =>
    value.type === 'integer' ? { ...value, value: '1'.repeat(40) } : value,
  ),
  'integers as numbers': eachValue((value) =>
    value.type === 'integer' ? { ...value, value: Number(value.value) } : value,
  ),
  'integers that are none': eachValue((value) => (value.type === 'integer' ? { ...value, value: '0x10' } : value)),
  'fractions for integers': eachValue((value) => (value.type === 'integer' ? { type: 'float', value: 0.5 } : value)),
  'numbers for texts': eachValue((value) => (value.type === 'text' ? { ...value, value: 7 } : value)),
  'a result too few': (batch: Batch) => ({ ...batch, step_results: batch.step_results.slice(1) }),
  'a result too many': (batch: Batch) => ({ ...batch, step_results: [...batch.step_results, null] }),
  'an error too few': (batch: Batch) => ({ ...batch, step_errors: batch.step_errors.slice(1) }),
  'results of no step': (batch: Batch) => ({ ...batch, step_results: batch.step_results.map(() => null) }),
  'no results': (batch: Batch) => ({ ...batch, step_results: null }),
  'results by number': (batch: Batch) => ({ ...batch, step_results: { ...batch.step_results } }),
  'errors that are texts': (batch: Batch) => ({ ...batch, step_errors: batch.step_errors.map(() => 'failed') }),
  'each row twice': eachResult(({ rows }) => ({ rows: rows.flatMap((row) => [row, row]) })),
} satisfies Record<string, (batch: Batch) => object>;

export type Spoiled = keyof typeof SPOILS;

/** Every way in which {@link spoiled} can change a response. */
export const SPOILED = Object.keys(SPOILS) as Spoiled[];

/** Changes a real server's response to a batch; for `spoil` of a faulty proxy. */
export function spoiled(kind: Spoiled): (reply: string) => string {
  const spoil: (batch: Batch) => object = SPOILS[kind];
  return (reply) => {
    if (!reply.startsWith('{')) return reply; // an error message in plain text
    const { results, ...others } = JSON.parse(reply) as { results: { type: string; response?: { result?: Batch } }[] };
    const spoilt = results.map((each) => {
      const batch = each.response?.result;
      return batch?.step_results ? { ...each, response: { ...each.response, result: spoil(batch) } } : each;
    });
    return JSON.stringify({ ...others, results: spoilt });
  };
}
