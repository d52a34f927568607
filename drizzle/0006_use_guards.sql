-- What the database itself refuses of the counts of use: values that could not be read back, and texts that are too long.
CREATE TRIGGER `key_days_values` BEFORE INSERT ON `key_days`
BEGIN
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE typeof(NEW.`day`) <> 'integer' OR NEW.`day` NOT BETWEEN 0 AND 100000000;
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE typeof(NEW.`verdict`) <> 'text' OR length(NEW.`verdict`) NOT BETWEEN 1 AND 32 OR NEW.`verdict` GLOB '*[^a-z_]*';
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE typeof(NEW.`times`) <> 'integer' OR NEW.`times` NOT BETWEEN 1 AND 9007199254740991;
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE typeof(NEW.`last_at`) <> 'integer' OR NEW.`last_at` NOT BETWEEN 0 AND 8640000000000000;
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE NEW.`detail` IS NOT NULL AND (typeof(NEW.`detail`) <> 'text' OR length(NEW.`detail`) > 200);
END;
--> statement-breakpoint
CREATE TRIGGER `key_days_new_values` BEFORE UPDATE ON `key_days`
BEGIN
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE NEW.`key_seq` IS NOT OLD.`key_seq` OR NEW.`day` IS NOT OLD.`day` OR NEW.`verdict` IS NOT OLD.`verdict`;
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE typeof(NEW.`times`) <> 'integer' OR NEW.`times` NOT BETWEEN 1 AND 9007199254740991;
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE typeof(NEW.`last_at`) <> 'integer' OR NEW.`last_at` NOT BETWEEN 0 AND 8640000000000000;
  SELECT RAISE(ABORT, 'unlk:unreadable') WHERE NEW.`detail` IS NOT NULL AND (typeof(NEW.`detail`) <> 'text' OR length(NEW.`detail`) > 200);
END;
--> statement-breakpoint
CREATE TRIGGER `recorders_values` BEFORE INSERT ON `recorders`
WHEN typeof(NEW.`id`) <> 'text' OR length(NEW.`id`) > 64 OR typeof(NEW.`host`) <> 'text' OR length(NEW.`host`) > 255 OR NEW.`records` NOT IN (0, 1)
  OR NEW.`ended` NOT IN (0, 1) OR typeof(NEW.`batch`) <> 'integer' OR typeof(NEW.`since`) <> 'integer' OR NEW.`since` NOT BETWEEN 0 AND 8640000000000000
  OR typeof(NEW.`seen`) <> 'integer' OR NEW.`seen` NOT BETWEEN 0 AND 8640000000000000
BEGIN
  SELECT RAISE(ABORT, 'unlk:unreadable');
END;
--> statement-breakpoint
CREATE TRIGGER `recorder_spans_values` BEFORE INSERT ON `recorder_spans`
WHEN NEW.`records` NOT IN (0, 1) OR typeof(NEW.`since`) <> 'integer' OR NEW.`since` NOT BETWEEN 0 AND 8640000000000000
  OR typeof(NEW.`until`) <> 'integer' OR NEW.`until` NOT BETWEEN NEW.`since` AND 8640000000000000
BEGIN
  SELECT RAISE(ABORT, 'unlk:unreadable');
END;
--> statement-breakpoint
-- With a key its counts go. A foreign key would do as much, but only where the connection asks for it.
CREATE TRIGGER `api_keys_uncounted` AFTER DELETE ON `api_keys`
BEGIN
  DELETE FROM `key_days` WHERE `key_seq` = OLD.`seq`;
END;
