// Compiles the statements whose text never changes, so that a run of the command line that needs no others does not load drizzle.
import { loadBundled } from './bundled-module.mjs';

/** The modules that export nothing but such statements, and constants. */
export const STATEMENT_MODULES = ['statements', 'rate-statements', 'plain-pages'].map((name) => `src/store/${name}.ts`);

/** Stands for the value of a placeholder. */
class Slot {
  constructor(name) {
    this.name = name;
  }
}

const anyValues = new Proxy({}, { get: (_, name) => new Slot(name), has: () => true });

/** A parameter as `compiled` of `src/store/query.ts` takes it. Throws for one that drizzle makes of a value: it could not be filled in later. */
function slotOf(param) {
  if (param instanceof Slot) return [param.name];
  if (param === null || ['string', 'number'].includes(typeof param)) return param;
  throw new Error(`a parameter of a statement cannot be compiled before: ${param}`);
}

function sourceOf(value) {
  if (typeof value !== 'function') return JSON.stringify(value);
  const { sql, params, most } = value(anyValues);
  return `compiled(${[sql, params.map(slotOf), most].map((each) => JSON.stringify(each)).join(', ')})`;
}

/** The text of each of these modules, with the statements in the place of what builds them. */
export async function compiledStatements() {
  const names = STATEMENT_MODULES.map((file, i) => `export * as m${i} from './${file}';`);
  const modules = await loadBundled(names.join('\n'));
  return new Map(
    STATEMENT_MODULES.map((file, i) => {
      const all = Object.entries(modules[`m${i}`]).map(([name, value]) => `export const ${name} = ${sourceOf(value)};`);
      return [file, ["import { compiled } from './query.js';", ...all].join('\n')];
    }),
  );
}
