import { quoted } from '../domain/text.js';
import { type HearItems, isAlias, isMap, isScalar, isSeq, type Node, type YAMLMap, type YAMLSeq } from './yaml.js';

/** Where the parts of a mapping or of a list begin, as offsets into the text. */
export class Places {
  readonly start: number;
  readonly #values: (Places | number)[];
  /** Null: a list. */
  readonly #names: readonly string[] | null;
  readonly #nameStarts: readonly number[];
  #indexes: ReadonlyMap<string, number> | undefined;

  constructor(
    start: number,
    values: (Places | number)[],
    names: readonly string[] | null = null,
    nameStarts: readonly number[] = [],
  ) {
    this.start = start;
    this.#values = values;
    this.#names = names;
    this.#nameStarts = nameStarts;
  }

  /** Where the item or the value of a property begins. */
  valueAt(step: string | number): Places | number | undefined {
    return this.#values[this.#names === null ? Number(step) : this.#indexOf(String(step))];
  }

  /** Where the name of a property begins. */
  nameAt(name: string): number | undefined {
    return this.#names === null ? undefined : this.#nameStarts[this.#indexOf(name)];
  }

  #indexOf(name: string): number {
    const names = this.#names ?? [];
    if (names.length < 16) return names.indexOf(name);
    this.#indexes ??= new Map(names.map((each, i) => [each, i]));
    return this.#indexes.get(name) ?? -1;
  }
}

type Read = readonly [value: unknown, places: Places | number];

/**
 * Makes plain values and their places of what the YAML package read. Objects have no prototype: `constructor` and `__proto__` are names
 * like any other.
 */
export class ValueReader {
  /** What is wrong at an offset. */
  readonly faults: { readonly at: number; readonly what: string; readonly advice: string }[] = [];
  readonly aliases: number[] = [];
  /** The first items of long lists, by where the rest of the list begins. */
  readonly #early = new Map<number, { start: number; values: unknown[]; places: (Places | number)[] }>();

  readonly hear: HearItems = (items, start, rest) => {
    const early = this.#early.get(start) ?? { start, values: [], places: [] };
    this.#early.delete(start);
    this.#early.set(rest, early);
    this.#addTo(early.values, early.places, items);
  };

  read(node: unknown): Read {
    if (isSeq(node)) return this.#list(node);
    if (isMap(node)) return this.#mapping(node);
    const at = startOf(node);
    if (isAlias(node)) this.aliases.push(at);
    return [isScalar(node) ? node.value : null, at];
  }

  #addTo(values: unknown[], places: (Places | number)[], items: readonly unknown[]): void {
    for (const item of items) {
      const [value, place] = this.read(item);
      values.push(value);
      places.push(place);
    }
  }

  #list(list: YAMLSeq): Read {
    const at = startOf(list);
    const { start, values, places } = this.#early.get(at) ?? { start: at, values: [], places: [] };
    this.#addTo(values, places, list.items);
    return [values, new Places(start, places)];
  }

  #mapping(map: YAMLMap): Read {
    const start = startOf(map);
    const object: Record<string, unknown> = Object.create(null);
    const names: string[] = [];
    const nameStarts: number[] = [];
    const places: (Places | number)[] = [];
    for (const { key, value } of map.items) {
      const at = key === null ? start : startOf(key);
      if (!isScalar(key) || typeof key.value !== 'string')
        this.faults.push({ at, what: 'this property has a name that is not a string', advice: 'put it in quotes' });
      else if (key.value in object)
        this.faults.push({ at, what: `${quoted(key.value)} is here twice`, advice: 'keep one of them' });
      else {
        const [plain, place] = this.read(value);
        object[key.value] = plain;
        names.push(key.value);
        nameStarts.push(at);
        places.push(value === null ? at : place);
      }
    }
    return [object, new Places(start, places, names, nameStarts)];
  }
}

function startOf(node: unknown): number {
  return (node as Node | null | undefined)?.range?.[0] ?? 0;
}
