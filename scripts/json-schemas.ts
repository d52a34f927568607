import { toJsonSchema } from '@valibot/to-json-schema';
import type { GenericSchema } from 'valibot';
import { configSchema } from '../src/cli/settings/config-schema.js';
import { issueRulesSchema } from '../src/issuer/rules-schema.js';
import { manifestSchema } from '../src/manifest/schema.js';
import { rulesSchema } from '../src/server/rules-schema.js';
import { openApi } from './openapi.js';
import { issueOpenApi } from './openapi-issue.js';

/** Checks in code, which a JSON Schema cannot hold. Where it can say something of the kind, the schema has it as metadata. */
const IN_CODE = ['check', 'raw_check'];

function jsonSchema(name: string, title: string, description: string, schema: GenericSchema): string {
  const { $schema, ...rest } = toJsonSchema(schema, { typeMode: 'input', ignoreActions: IN_CODE });
  const whole = { $schema, $id: `urn:unlockos-keys:schema:${name}`, title, description, ...rest };
  return `${JSON.stringify(whole, null, 2)}\n`;
}

/** The JSON Schemas for editors and the description of `serve`, by file name. */
export function jsonSchemas(): Readonly<Record<string, string>> {
  return {
    'manifest.schema.json': jsonSchema(
      'manifest',
      'A manifest of unlockos-keys',
      'The API keys that should exist: unlockos-keys apply -f FILE',
      manifestSchema,
    ),
    'rules.schema.json': jsonSchema(
      'rules',
      'Rules of unlockos-keys serve',
      'Which requests need which scopes. The first matching rule decides; no match means 403: unlockos-keys serve --require FILE',
      rulesSchema,
    ),
    'issue-rules.schema.json': jsonSchema(
      'issue-rules',
      'Rules of unlockos-keys issue',
      'Which jobs may ask for which test keys. The first rule that a token meets decides: unlockos-keys issue --rules FILE',
      issueRulesSchema,
    ),
    'config.schema.json': jsonSchema(
      'config',
      'The configuration of unlockos-keys',
      'Named stores, for --profile NAME: unlockos-keys profile --help',
      configSchema,
    ),
    'issue.openapi.json': `${JSON.stringify(issueOpenApi(), null, 2)}\n`,
    'serve.openapi.json': `${JSON.stringify(openApi(), null, 2)}\n`,
  };
}
