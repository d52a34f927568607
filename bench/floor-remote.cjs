// The minimal script that does what a remote `list --json --limit 20` does: one request to the server, print its 20 rows.
const http = require('node:http');

const sql =
  'SELECT id, name, description, mode, scopes, status, rate_limit, expires_at, created_at FROM api_keys ORDER BY seq DESC LIMIT 20';
const body = JSON.stringify({ requests: [{ type: 'execute', stmt: { sql } }, { type: 'close' }] });
const call = http.request(`${process.argv[2]}/v2/pipeline`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', authorization: `Bearer ${process.env.UNLOCKOS_KEYS_AUTH_TOKEN}` },
});
call.on('response', (answer) => {
  let text = '';
  answer.setEncoding('utf8').on('data', (part) => {
    text += part;
  });
  answer.on('end', () => {
    const { cols, rows } = JSON.parse(text).results[0].response.result;
    const objects = rows.map((row) => Object.fromEntries(row.map(({ value = null }, i) => [cols[i].name, value])));
    process.stdout.write(`${JSON.stringify(objects, null, 2)}\n`);
  });
});
call.end(body);
