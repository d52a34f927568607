-- What the database itself refuses of deleted keys: only a key that is there can be put away, and only that key comes back, with no longer life.
CREATE TRIGGER `deleted_keys_insert` BEFORE INSERT ON `deleted_keys`
BEGIN
  SELECT RAISE(ABORT, 'unlk:immutable') WHERE EXISTS (SELECT 1 FROM `audit_events` WHERE `key_id` = NEW.`id`)
    AND NOT EXISTS (SELECT 1 FROM `api_keys` WHERE `seq` = NEW.`seq` AND `id` = NEW.`id` AND `guard` IS json_extract(NEW.`record`, '$.guard'))
    AND NOT EXISTS (SELECT 1 FROM `deleted_keys` WHERE `seq` = NEW.`seq` AND `id` = NEW.`id` AND json_extract(`record`, '$.guard') IS json_extract(NEW.`record`, '$.guard'));
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE typeof(NEW.`id`) <> 'text' OR length(NEW.`id`) <> 12 OR typeof(NEW.`name_key`) <> 'text' OR typeof(NEW.`record`) <> 'text'
    OR typeof(NEW.`kept_until`) <> 'integer' OR NEW.`kept_until` NOT BETWEEN 0 AND 8640000000000000;
END;
--> statement-breakpoint
CREATE TRIGGER `deleted_keys_update` BEFORE UPDATE ON `deleted_keys`
WHEN NEW.`seq` IS NOT OLD.`seq` OR NEW.`id` IS NOT OLD.`id` OR json_extract(NEW.`record`, '$.guard') IS NOT json_extract(OLD.`record`, '$.guard')
BEGIN
  SELECT RAISE(ABORT, 'unlk:immutable');
END;
--> statement-breakpoint
DROP TRIGGER `api_keys_insert`;
--> statement-breakpoint
-- A REPLACE would delete the row in its way without asking any trigger, so the conflict is found before it. An id that was used comes back with its own key only.
CREATE TRIGGER `api_keys_insert` BEFORE INSERT ON `api_keys`
BEGIN
  SELECT RAISE(ABORT, 'unlk:id-taken') WHERE EXISTS (SELECT 1 FROM `api_keys` WHERE `id` = NEW.`id` OR `seq` = NEW.`seq`);
  SELECT RAISE(ABORT, 'unlk:id-taken') WHERE EXISTS (SELECT 1 FROM `audit_events` WHERE `key_id` = NEW.`id`)
    AND NOT EXISTS (SELECT 1 FROM `deleted_keys` WHERE `id` = NEW.`id` AND `seq` = NEW.`seq` AND json_extract(`record`, '$.guard') IS NEW.`guard`
      AND json_extract(`record`, '$.mode') IS NEW.`mode` AND json_extract(`record`, '$.scopes') IS NEW.`scopes` AND json_extract(`record`, '$.createdAt') IS NEW.`created_at`
      AND (json_extract(`record`, '$.expiresAt') IS NULL OR NEW.`expires_at` <= json_extract(`record`, '$.expiresAt')));
  SELECT RAISE(ABORT, 'unlk:name-taken') WHERE EXISTS (SELECT 1 FROM `api_keys` WHERE `name_key` = NEW.`name_key`);
END;
--> statement-breakpoint
CREATE TRIGGER `store_settings_policy` BEFORE INSERT ON `store_settings`
WHEN NEW.`name` IN ('max-lifetime-live', 'max-lifetime-test', 'keep-deleted') AND NOT (NEW.`name` = 'keep-deleted' AND NEW.`value` = '0')
  AND (NEW.`value` NOT GLOB '[1-9]*[mhdw]' OR length(NEW.`value`) > 8 OR substr(NEW.`value`, 1, length(NEW.`value`) - 1) GLOB '*[^0-9]*')
BEGIN
  SELECT RAISE(ABORT, 'unlk:unreadable');
END;
--> statement-breakpoint
CREATE TRIGGER `store_settings_new_policy` BEFORE UPDATE ON `store_settings`
WHEN NEW.`name` IN ('max-lifetime-live', 'max-lifetime-test', 'keep-deleted') AND NOT (NEW.`name` = 'keep-deleted' AND NEW.`value` = '0')
  AND (NEW.`value` NOT GLOB '[1-9]*[mhdw]' OR length(NEW.`value`) > 8 OR substr(NEW.`value`, 1, length(NEW.`value`) - 1) GLOB '*[^0-9]*')
BEGIN
  SELECT RAISE(ABORT, 'unlk:unreadable');
END;
