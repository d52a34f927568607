// Writes the JSON Schemas of manifest, rules and configuration into schema/, from the schemas that the tool itself checks with:
// `npm run schema`. A test holds the files current.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { loadBundled, root } from './bundled-module.mjs';

const { jsonSchemas } = await loadBundled("export { jsonSchemas } from './scripts/json-schemas.ts';");
for (const [name, text] of Object.entries(jsonSchemas())) writeFileSync(path.join(root, 'schema', name), text);
