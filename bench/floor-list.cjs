// The minimal script that does what `list --json --limit 20` does: open the same file, read 20 rows, print them.
function open(file) {
  try {
    return new (require('better-sqlite3'))(file);
  } catch {
    return new (require('libsql'))(file); // where that was not compiled; the tool uses it then, too
  }
}

const db = open(process.argv[2]);
const rows = db
  .prepare(
    'SELECT id, name, description, mode, scopes, status, rate_limit, expires_at, created_at FROM api_keys ORDER BY seq DESC LIMIT 20',
  )
  .all();
process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
