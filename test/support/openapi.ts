import { createRequire } from 'node:module';
import type { Ajv2020 as AjvClass } from 'ajv/dist/2020.js';
import { expect } from 'vitest';
import type { ask } from './auth-servers.js';
import { read } from './documents.js';

const { Ajv2020 } = createRequire(import.meta.url)('ajv/dist/2020.js') as { Ajv2020: typeof AjvClass };

interface Answer {
  readonly headers?: Record<string, { required?: boolean; schema: object }>;
  readonly content?: Record<string, { schema: object }>;
}
interface Document {
  readonly paths: Record<string, Record<string, { responses: Record<string, Answer>; requestBody?: object }>>;
}
type Got = Awaited<ReturnType<typeof ask>>;

/** A description of a server in `schema/`, and which of its answers happened. */
export class OpenApi {
  readonly document: Document;
  /** The described answers that happened, and the codes and verdicts in them. */
  readonly seen = new Set<string>();
  readonly ajv = new Ajv2020({ strict: false, allErrors: true });

  constructor(file: string) {
    this.document = JSON.parse(read(file)) as Document;
    this.ajv.addFormat('date-time', true);
    this.ajv.addSchema(this.document, 'api');
  }

  /** A pointer to a part of the document. */
  at(...parts: string[]): string {
    return `api#/${parts.map((each) => encodeURIComponent(each.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
  }

  /** Throws for an answer that is not as it is described. */
  fits(path: string, method: string, { status, headers, text }: Got): Got {
    const { ajv, seen } = this;
    const place = ['paths', path, method, 'responses', `${status}`];
    const described = this.document.paths[path]?.[method]?.responses[`${status}`];
    if (!described) throw new Error(`${method} ${path} answered ${status}, which is not described: ${text}`);
    seen.add(`${method} ${path} ${status}`);
    for (const [name, { required, schema }] of Object.entries(described.headers ?? {})) {
      const value = headers[name.toLowerCase()];
      if (required) expect(value, `${path} ${status} ${name}`).toBeDefined();
      if (value !== undefined)
        expect(ajv.validate({ $ref: this.at(...place, 'headers', name, 'schema') }, value), name).toBe(true);
      expect(schema).toBeDefined();
    }
    if (!described.content) {
      expect(text).toBe('');
      return { status, headers, text, json: () => null };
    }
    const type = headers['content-type']?.split(';')[0] ?? '';
    expect(Object.keys(described.content)).toContain(type);
    const body = type === 'text/plain' ? text : JSON.parse(text);
    const schema = { $ref: this.at(...place, 'content', type, 'schema') };
    expect(ajv.validate(schema, body), `${path} ${status} ${text} ${ajv.errorsText()}`).toBe(true);
    if (typeof body === 'object') seen.add(`${path} ${status} ${body.code ?? body.verdict ?? body.status}`);
    return { status, headers, text, json: () => body };
  }

  /** What is described and did not happen: answers, codes and verdicts; but for these words. */
  unseen(but: readonly string[]): string[] {
    const described = Object.entries(this.document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, { responses }]) =>
        Object.keys(responses).map((status) => `${method} ${path} ${status}`),
      ),
    );
    const words = new Set([...this.seen].map((each) => each.split(' ')[2]));
    const codes = [...JSON.stringify(this.document).matchAll(/"enum":(\[[^\]]*\])|"const":"(\w+)"/g)].flatMap(
      ([, list, one = '']) => (list === undefined ? [one] : (JSON.parse(list) as string[])),
    );
    return [
      ...described.filter((each) => !this.seen.has(each)),
      ...codes.filter((each) => !words.has(each) && !but.includes(each)),
    ];
  }
}
