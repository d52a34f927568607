-- From here on, the text of an audit row repeats its operation id, so that the chain of hashes covers it. A tool that does not know this yet
-- (a server of an older version that moves hashes) cannot append to the log any more. A copy may bring old rows, before the first new one.
CREATE TRIGGER `audit_events_operation` BEFORE INSERT ON `audit_events`
WHEN json_valid(NEW.`body`) AND json_extract(NEW.`body`, '$.op') IS NOT NEW.`op`
BEGIN
  SELECT RAISE(ABORT, 'unlk:append-only') WHERE json_type(NEW.`body`, '$.op') IS NOT NULL
    OR (SELECT json_type(`body`, '$.op') FROM `audit_events` ORDER BY `seq` DESC LIMIT 1) IS NOT NULL;
END;
--> statement-breakpoint
-- What could not be read back is never stored, as in `api_keys`.
CREATE TRIGGER `audit_events_values` BEFORE INSERT ON `audit_events`
WHEN typeof(NEW.`op`) <> 'text' OR typeof(NEW.`body`) <> 'text' OR typeof(NEW.`prev`) <> 'text' OR typeof(NEW.`hash`) <> 'text'
  OR NOT json_valid(NEW.`body`) OR json_type(NEW.`body`) <> 'object'
BEGIN
  SELECT RAISE(ABORT, 'unlk:unreadable');
END;
--> statement-breakpoint
CREATE TRIGGER `scopes_values` BEFORE INSERT ON `scopes`
WHEN typeof(NEW.`scope`) <> 'text' OR typeof(NEW.`category`) <> 'text' OR typeof(NEW.`category_label`) <> 'text' OR typeof(NEW.`action`) <> 'text'
  OR NEW.`scope` <> NEW.`category` || ':' || NEW.`action` OR NEW.`retired` NOT IN (0, 1)
BEGIN
  SELECT RAISE(ABORT, 'unlk:unreadable');
END;
--> statement-breakpoint
CREATE TRIGGER `scopes_new_values` BEFORE UPDATE ON `scopes`
WHEN (NEW.`category_label` IS NOT OLD.`category_label` AND typeof(NEW.`category_label`) <> 'text')
  OR (NEW.`retired` IS NOT OLD.`retired` AND NEW.`retired` NOT IN (0, 1))
BEGIN
  SELECT RAISE(ABORT, 'unlk:unreadable');
END;
