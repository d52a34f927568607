-- What the database itself refuses, whoever writes to it: changed identities, a rewritten audit log.
-- The messages are this tool's own (`unlk:…`); store/errors.ts reads them.
-- No list of columns: `UPDATE … SET rowid = …` names none of them.
CREATE TRIGGER `api_keys_immutable` BEFORE UPDATE ON `api_keys`
WHEN NEW.`seq` IS NOT OLD.`seq` OR NEW.`id` IS NOT OLD.`id` OR NEW.`mode` IS NOT OLD.`mode` OR NEW.`scopes` IS NOT OLD.`scopes`
  OR NEW.`created_at` IS NOT OLD.`created_at` OR NEW.`guard` IS NOT OLD.`guard`
BEGIN
  SELECT RAISE(ABORT, 'unlk:immutable');
END;
--> statement-breakpoint
-- A REPLACE would delete the row in its way without asking any trigger, so the conflict is found before it.
CREATE TRIGGER `api_keys_insert` BEFORE INSERT ON `api_keys`
BEGIN
  SELECT RAISE(ABORT, 'unlk:id-taken') WHERE EXISTS (SELECT 1 FROM `api_keys` WHERE `id` = NEW.`id` OR `seq` = NEW.`seq`);
  SELECT RAISE(ABORT, 'unlk:id-taken') WHERE EXISTS (SELECT 1 FROM `audit_events` WHERE `key_id` = NEW.`id`);
  SELECT RAISE(ABORT, 'unlk:name-taken') WHERE EXISTS (SELECT 1 FROM `api_keys` WHERE `name_key` = NEW.`name_key`);
END;
--> statement-breakpoint
CREATE TRIGGER `api_keys_rename` BEFORE UPDATE OF `name_key` ON `api_keys`
BEGIN
  SELECT RAISE(ABORT, 'unlk:name-taken') WHERE EXISTS (SELECT 1 FROM `api_keys` WHERE `name_key` = NEW.`name_key` AND `seq` <> OLD.`seq`);
END;
--> statement-breakpoint
CREATE TRIGGER `api_keys_inserted` AFTER INSERT ON `api_keys`
BEGIN
  INSERT INTO `key_usage` (`key_seq`) VALUES (NEW.`seq`);
  INSERT INTO `key_scopes` (`scope`, `key_seq`) SELECT `value`, NEW.`seq` FROM json_each(NEW.`scopes`);
END;
--> statement-breakpoint
CREATE TRIGGER `api_keys_deleted` AFTER DELETE ON `api_keys`
BEGIN
  DELETE FROM `key_usage` WHERE `key_seq` = OLD.`seq`;
  DELETE FROM `key_scopes` WHERE `key_seq` = OLD.`seq`;
END;
--> statement-breakpoint
-- Last used only moves forward, even when a clock does not.
CREATE TRIGGER `key_usage_forward` BEFORE UPDATE OF `last_used_at` ON `key_usage` WHEN NEW.`last_used_at` < OLD.`last_used_at`
BEGIN
  SELECT RAISE(IGNORE);
END;
--> statement-breakpoint
CREATE TRIGGER `scopes_immutable` BEFORE UPDATE ON `scopes`
WHEN NEW.`position` IS NOT OLD.`position` OR NEW.`scope` IS NOT OLD.`scope` OR NEW.`category` IS NOT OLD.`category`
  OR NEW.`action` IS NOT OLD.`action`
BEGIN
  SELECT RAISE(ABORT, 'unlk:immutable');
END;
--> statement-breakpoint
CREATE TRIGGER `scopes_insert` BEFORE INSERT ON `scopes`
BEGIN
  SELECT RAISE(ABORT, 'unlk:scope-taken') WHERE EXISTS (SELECT 1 FROM `scopes` WHERE `scope` = NEW.`scope` OR `position` = NEW.`position`);
END;
--> statement-breakpoint
CREATE TRIGGER `scopes_delete` BEFORE DELETE ON `scopes`
BEGIN
  SELECT RAISE(ABORT, 'unlk:immutable');
END;
--> statement-breakpoint
CREATE TRIGGER `audit_events_insert` BEFORE INSERT ON `audit_events`
BEGIN
  SELECT RAISE(ABORT, 'unlk:audit-moved') WHERE NEW.`seq` IS NOT (SELECT coalesce(max(`seq`), 0) + 1 FROM `audit_events`);
  SELECT RAISE(ABORT, 'unlk:audit-moved') WHERE NEW.`prev` IS NOT coalesce((SELECT `hash` FROM `audit_events` ORDER BY `seq` DESC LIMIT 1), '0000000000000000000000000000000000000000000000000000000000000000');
  SELECT RAISE(ABORT, 'unlk:op-taken') WHERE EXISTS (SELECT 1 FROM `audit_events` WHERE `op` = NEW.`op`);
END;
--> statement-breakpoint
CREATE TRIGGER `audit_events_update` BEFORE UPDATE ON `audit_events`
BEGIN
  SELECT RAISE(ABORT, 'unlk:append-only');
END;
--> statement-breakpoint
CREATE TRIGGER `audit_events_delete` BEFORE DELETE ON `audit_events`
BEGIN
  SELECT RAISE(ABORT, 'unlk:append-only');
END;
--> statement-breakpoint
INSERT INTO `scopes` (`position`, `scope`, `category`, `category_label`, `action`) VALUES
  (1, 'checkin:read', 'checkin', 'Check-in', 'read'),
  (2, 'checkin:create', 'checkin', 'Check-in', 'create'),
  (3, 'checkin:update', 'checkin', 'Check-in', 'update'),
  (4, 'plan:read', 'plan', 'Plan', 'read'),
  (5, 'plan:create', 'plan', 'Plan', 'create'),
  (6, 'plan:update', 'plan', 'Plan', 'update'),
  (7, 'facility:read', 'facility', 'Facility', 'read');
