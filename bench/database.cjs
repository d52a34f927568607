// What the floors open a store with: better-sqlite3, or libsql with the same interface where the former could not be compiled. The tool
// chooses likewise.
function load() {
  try {
    const Database = require('better-sqlite3');
    new Database(':memory:').close();
    return Database;
  } catch {
    return require('libsql');
  }
}
module.exports = load();
