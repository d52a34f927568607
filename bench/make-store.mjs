// Makes a store with many keys quickly: the library creates the schema, and plain SQL inserts the rows. There are no audit rows,
// because nothing here verifies the log.

import { openKeyring } from '../dist/index.js';
import Database from './database.cjs';

const DAY = 86_400_000;
const SETS = [
  ['checkin:read'],
  ['checkin:read', 'checkin:create'],
  ['plan:read', 'plan:create', 'plan:update'],
  ['checkin:read', 'plan:read'],
];
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

function id(n) {
  let text = '';
  // Spread over the index, as random ids are.
  for (let rest = (BigInt(n) * 0x9e3779b97f4a7n) & 0xfffffffffffffffn; text.length < 12; rest >>= 5n)
    text += ALPHABET[Number(rest & 31n)];
  return text;
}

/** Three in ten test keys, one in ten inactive, one in twenty expired, half used; a hundred hold the rare scope `facility:read`. */
export async function makeStore(file, count) {
  await (await openKeyring({ store: file })).close();
  const db = new Database(file);
  db.pragma('synchronous = OFF');
  const insert = db.prepare(
    `INSERT INTO api_keys (id, name, name_key, description, mode, scopes, status, rate_limit, rate_window_seconds, expires_at, created_at, updated_at, hash, guard, search_text)
     VALUES (?, ?, ?, ?, ?, ?, ?, 600, 60, ?, ?, ?, ?, '00000000', ?)`,
  );
  const use = db.prepare('UPDATE key_usage SET last_used_at = ? WHERE key_seq = ?');
  const now = Date.now();
  const rare = Math.max(1, Math.floor(count / 100));
  db.transaction(() => {
    for (let n = 1; n <= count; n++) {
      const name = `partner ${(n * 7919) % count} key ${n}`;
      const description = n % 3 === 0 ? `for the ${n % 97} kiosk` : null;
      const scopes = n % rare === 0 ? ['facility:read'] : SETS[(Math.imul(n, 0x9e3779b1) >>> 9) % SETS.length];
      const created = now - (count - n) * 1000 - 400 * DAY;
      const expires = n % 20 === 0 ? now - (n % 1000) * DAY - 1 : n % 5 === 0 ? now + (n % 400) * DAY + DAY : null;
      insert.run(
        id(n),
        name,
        name,
        description,
        n % 10 < 3 ? 'test' : 'live',
        JSON.stringify(scopes),
        (Math.imul(n, 0x85ebca6b) >>> 8) % 10 === 7 ? 'inactive' : 'active',
        expires,
        created,
        created,
        `$2b$10$${'a'.repeat(53)}`,
        `${name}\n${description ?? ''}\n${id(n)}`,
      );
      if ((Math.imul(n, 0xc2b2ae35) >>> 7) % 2 === 0) use.run(now - (n % 200) * DAY, n);
    }
  })();
  db.close();
}
