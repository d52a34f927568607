-- What the database itself refuses of values that could not be read back: other types than the columns have, and times that no `Date` holds.
-- A damaged row of an earlier version can still be changed and deleted: only values that a statement brings are looked at.
CREATE TRIGGER `api_keys_values` BEFORE INSERT ON `api_keys`
BEGIN
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE typeof(NEW.`id`) <> 'text' OR length(NEW.`id`) <> 12 OR NEW.`id` GLOB '*[^0-9a-hjkmnp-tv-z]*';
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE typeof(NEW.`name`) <> 'text' OR NEW.`name` = '' OR typeof(NEW.`name_key`) <> 'text' OR typeof(NEW.`search_text`) <> 'text';
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE typeof(NEW.`description`) NOT IN ('text', 'null');
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE typeof(NEW.`scopes`) <> 'text' OR EXISTS (SELECT 1 FROM json_each(NEW.`scopes`) WHERE `type` <> 'text');
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE typeof(NEW.`rate_limit`) <> 'integer' OR NEW.`rate_limit` NOT BETWEEN 1 AND 9007199254740991;
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE typeof(NEW.`rate_window_seconds`) <> 'integer' OR NEW.`rate_window_seconds` NOT BETWEEN 1 AND 9007199254740991;
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE NEW.`expires_at` IS NOT NULL AND (typeof(NEW.`expires_at`) <> 'integer' OR NEW.`expires_at` NOT BETWEEN -8640000000000000 AND 8640000000000000);
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE typeof(NEW.`created_at`) <> 'integer' OR NEW.`created_at` NOT BETWEEN -8640000000000000 AND 8640000000000000;
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE typeof(NEW.`updated_at`) <> 'integer' OR NEW.`updated_at` NOT BETWEEN -8640000000000000 AND 8640000000000000;
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE typeof(NEW.`hash`) <> 'text' OR typeof(NEW.`guard`) <> 'text';
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE CASE WHEN typeof(NEW.`labels`) = 'text' AND json_valid(NEW.`labels`) THEN json_type(NEW.`labels`) <> 'object' OR EXISTS (SELECT 1 FROM json_each(NEW.`labels`) WHERE `type` <> 'text') ELSE 1 END;
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE NEW.`rotated_from` IS NOT NULL AND (typeof(NEW.`rotated_from`) <> 'text' OR length(NEW.`rotated_from`) <> 12 OR NEW.`rotated_from` GLOB '*[^0-9a-hjkmnp-tv-z]*');
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE NEW.`rotated_to` IS NOT NULL AND (typeof(NEW.`rotated_to`) <> 'text' OR length(NEW.`rotated_to`) <> 12 OR NEW.`rotated_to` GLOB '*[^0-9a-hjkmnp-tv-z]*');
END;
--> statement-breakpoint
CREATE TRIGGER `api_keys_new_values` BEFORE UPDATE ON `api_keys`
BEGIN
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE NEW.`id` IS NOT OLD.`id` AND (typeof(NEW.`id`) <> 'text' OR length(NEW.`id`) <> 12 OR NEW.`id` GLOB '*[^0-9a-hjkmnp-tv-z]*');
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE (NEW.`name` IS NOT OLD.`name` OR NEW.`name_key` IS NOT OLD.`name_key` OR NEW.`search_text` IS NOT OLD.`search_text`) AND (typeof(NEW.`name`) <> 'text' OR NEW.`name` = '' OR typeof(NEW.`name_key`) <> 'text' OR typeof(NEW.`search_text`) <> 'text');
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE NEW.`description` IS NOT OLD.`description` AND (typeof(NEW.`description`) NOT IN ('text', 'null'));
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE NEW.`scopes` IS NOT OLD.`scopes` AND (typeof(NEW.`scopes`) <> 'text' OR EXISTS (SELECT 1 FROM json_each(NEW.`scopes`) WHERE `type` <> 'text'));
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE NEW.`rate_limit` IS NOT OLD.`rate_limit` AND (typeof(NEW.`rate_limit`) <> 'integer' OR NEW.`rate_limit` NOT BETWEEN 1 AND 9007199254740991);
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE NEW.`rate_window_seconds` IS NOT OLD.`rate_window_seconds` AND (typeof(NEW.`rate_window_seconds`) <> 'integer' OR NEW.`rate_window_seconds` NOT BETWEEN 1 AND 9007199254740991);
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE NEW.`expires_at` IS NOT OLD.`expires_at` AND (NEW.`expires_at` IS NOT NULL AND (typeof(NEW.`expires_at`) <> 'integer' OR NEW.`expires_at` NOT BETWEEN -8640000000000000 AND 8640000000000000));
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE NEW.`created_at` IS NOT OLD.`created_at` AND (typeof(NEW.`created_at`) <> 'integer' OR NEW.`created_at` NOT BETWEEN -8640000000000000 AND 8640000000000000);
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE NEW.`updated_at` IS NOT OLD.`updated_at` AND (typeof(NEW.`updated_at`) <> 'integer' OR NEW.`updated_at` NOT BETWEEN -8640000000000000 AND 8640000000000000);
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE (NEW.`hash` IS NOT OLD.`hash` OR NEW.`guard` IS NOT OLD.`guard`) AND (typeof(NEW.`hash`) <> 'text' OR typeof(NEW.`guard`) <> 'text');
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE NEW.`labels` IS NOT OLD.`labels` AND (CASE WHEN typeof(NEW.`labels`) = 'text' AND json_valid(NEW.`labels`) THEN json_type(NEW.`labels`) <> 'object' OR EXISTS (SELECT 1 FROM json_each(NEW.`labels`) WHERE `type` <> 'text') ELSE 1 END);
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE NEW.`rotated_from` IS NOT OLD.`rotated_from` AND (NEW.`rotated_from` IS NOT NULL AND (typeof(NEW.`rotated_from`) <> 'text' OR length(NEW.`rotated_from`) <> 12 OR NEW.`rotated_from` GLOB '*[^0-9a-hjkmnp-tv-z]*'));
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE NEW.`rotated_to` IS NOT OLD.`rotated_to` AND (NEW.`rotated_to` IS NOT NULL AND (typeof(NEW.`rotated_to`) <> 'text' OR length(NEW.`rotated_to`) <> 12 OR NEW.`rotated_to` GLOB '*[^0-9a-hjkmnp-tv-z]*'));
END;
--> statement-breakpoint
CREATE TRIGGER `key_usage_values` BEFORE UPDATE OF `last_used_at` ON `key_usage`
WHEN typeof(NEW.`last_used_at`) <> 'integer' OR NEW.`last_used_at` NOT BETWEEN 0 AND 8640000000000000
BEGIN
  SELECT RAISE(ABORT, 'unlk:unreadable');
END;
--> statement-breakpoint
CREATE TRIGGER `key_usage_inserted` BEFORE INSERT ON `key_usage`
WHEN typeof(NEW.`last_used_at`) <> 'integer' OR NEW.`last_used_at` NOT BETWEEN 0 AND 8640000000000000
BEGIN
  SELECT RAISE(ABORT, 'unlk:unreadable');
END;
--> statement-breakpoint
DROP TRIGGER `key_usage_forward`;
--> statement-breakpoint
-- Last used only moves forward, even when a clock does not. A mark from a clock that was ahead, or one that cannot be read, gives way.
CREATE TRIGGER `key_usage_forward` BEFORE UPDATE OF `last_used_at` ON `key_usage`
WHEN NEW.`last_used_at` < OLD.`last_used_at` AND typeof(OLD.`last_used_at`) = 'integer'
  AND OLD.`last_used_at` <= (julianday('now') - 2440587.5) * 86400000.0 + 60000
BEGIN
  SELECT RAISE(IGNORE);
END;
--> statement-breakpoint
CREATE TRIGGER `store_settings_values` BEFORE INSERT ON `store_settings`
WHEN NEW.`name` = 'hash' AND NEW.`value` <> 'bcrypt'
  AND (length(NEW.`value`) <> 20 OR substr(NEW.`value`, 1, 12) <> 'hmac-sha256:' OR substr(NEW.`value`, 13) GLOB '*[^0-9a-hjkmnp-tv-z]*')
BEGIN
  SELECT RAISE(ABORT, 'unlk:unreadable');
END;
--> statement-breakpoint
CREATE TRIGGER `store_settings_new_values` BEFORE UPDATE ON `store_settings`
WHEN NEW.`name` = 'hash' AND NEW.`value` <> 'bcrypt'
  AND (length(NEW.`value`) <> 20 OR substr(NEW.`value`, 1, 12) <> 'hmac-sha256:' OR substr(NEW.`value`, 13) GLOB '*[^0-9a-hjkmnp-tv-z]*')
BEGIN
  SELECT RAISE(ABORT, 'unlk:unreadable');
END;
