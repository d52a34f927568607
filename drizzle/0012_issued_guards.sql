-- What the database itself refuses of exchanged tokens: a second exchange is a second row of the same token, so no row may change, and none may be one that nobody could read.
CREATE TRIGGER `issued_keys_insert` BEFORE INSERT ON `issued_keys`
BEGIN
  SELECT RAISE(ABORT, 'unlk:immutable') WHERE EXISTS (SELECT 1 FROM `issued_keys` WHERE `token` = NEW.`token`);
  SELECT RAISE(ABORT, 'unlk:immutable') WHERE NOT EXISTS (SELECT 1 FROM `api_keys` WHERE `id` = NEW.`key_id` AND `mode` = 'test' AND `expires_at` <= NEW.`kept_until`);
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE typeof(NEW.`token`) <> 'text' OR length(NEW.`token`) <> 64 OR typeof(NEW.`rule`) <> 'text' OR length(NEW.`rule`) NOT BETWEEN 1 AND 64
    OR typeof(NEW.`issued_at`) <> 'integer' OR typeof(NEW.`kept_until`) <> 'integer' OR NEW.`kept_until` NOT BETWEEN NEW.`issued_at` AND 8640000000000000;
END;
--> statement-breakpoint
CREATE TRIGGER `issued_keys_update` BEFORE UPDATE ON `issued_keys`
BEGIN
  SELECT RAISE(ABORT, 'unlk:immutable');
END;
