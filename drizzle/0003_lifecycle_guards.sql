-- What the database itself refuses of the columns that came with rotation and labels, and the tables that follow them.
-- A key's life only gets shorter, and what replaces it is settled once.
CREATE TRIGGER `api_keys_life` BEFORE UPDATE ON `api_keys`
WHEN NEW.`rotated_from` IS NOT OLD.`rotated_from`
  OR (OLD.`rotated_to` IS NOT NULL AND NEW.`rotated_to` IS NOT OLD.`rotated_to`)
  OR (OLD.`expires_at` IS NOT NULL AND (NEW.`expires_at` IS NULL OR NEW.`expires_at` > OLD.`expires_at`))
BEGIN
  SELECT RAISE(ABORT, 'unlk:immutable');
END;
--> statement-breakpoint
CREATE TRIGGER `api_keys_labels_form` BEFORE UPDATE OF `labels` ON `api_keys`
WHEN NOT json_valid(NEW.`labels`) OR json_type(NEW.`labels`) <> 'object'
BEGIN
  SELECT RAISE(ABORT, 'unlk:immutable');
END;
--> statement-breakpoint
CREATE TRIGGER `api_keys_labelled` AFTER INSERT ON `api_keys` WHEN NEW.`labels` <> '{}'
BEGIN
  INSERT INTO `key_labels` (`label`, `key_seq`) SELECT `key` || '=' || `value`, NEW.`seq` FROM json_each(NEW.`labels`);
END;
--> statement-breakpoint
CREATE TRIGGER `api_keys_relabelled` AFTER UPDATE OF `labels` ON `api_keys` WHEN NEW.`labels` <> OLD.`labels`
BEGIN
  DELETE FROM `key_labels` WHERE `key_seq` = NEW.`seq`;
  INSERT INTO `key_labels` (`label`, `key_seq`) SELECT `key` || '=' || `value`, NEW.`seq` FROM json_each(NEW.`labels`);
END;
--> statement-breakpoint
CREATE TRIGGER `api_keys_forgotten` AFTER DELETE ON `api_keys`
BEGIN
  DELETE FROM `key_labels` WHERE `key_seq` = OLD.`seq`;
  DELETE FROM `key_rates` WHERE `key_seq` = OLD.`seq`;
END;
