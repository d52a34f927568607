// `floor-list.cjs` for a Node that has SQLite built in, which the tool then uses.
process.removeAllListeners('warning'); // Node 22 says that the module is experimental
const { DatabaseSync } = require('node:sqlite');

const db = new DatabaseSync(process.argv[2]);
const rows = db
  .prepare(
    'SELECT id, name, description, mode, scopes, status, rate_limit, expires_at, created_at FROM api_keys ORDER BY seq DESC LIMIT 20',
  )
  .all();
process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
