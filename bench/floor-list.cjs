// The minimal script that does what `list --json --limit 20` does: open the same file, read 20 rows, print them.
const Database = require('better-sqlite3');

const db = new Database(process.argv[2]);
const rows = db
  .prepare(
    'SELECT id, name, description, mode, scopes, status, rate_limit, expires_at, created_at FROM api_keys ORDER BY seq DESC LIMIT 20',
  )
  .all();
process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
