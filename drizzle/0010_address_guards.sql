-- The networks that a key works from stand before its hash: `$from=10.0.0.0/8,192.0.2.7/32$2b$10$…`. What cannot be read as such a list is refused.
CREATE TRIGGER `api_keys_networks` BEFORE INSERT ON `api_keys`
WHEN NEW.`hash` LIKE '$from=%' AND (substr(NEW.`hash`, 1, 6) <> '$from=' OR instr(substr(NEW.`hash`, 7), '$') < 2
  OR substr(NEW.`hash`, 7, instr(substr(NEW.`hash`, 7), '$') - 1) GLOB '*[^0-9a-f:./,]*')
BEGIN
  SELECT RAISE(ABORT, 'unlk:unreadable');
END;
--> statement-breakpoint
CREATE TRIGGER `api_keys_new_networks` BEFORE UPDATE OF `hash` ON `api_keys`
WHEN NEW.`hash` IS NOT OLD.`hash` AND NEW.`hash` LIKE '$from=%' AND (substr(NEW.`hash`, 1, 6) <> '$from=' OR instr(substr(NEW.`hash`, 7), '$') < 2
  OR substr(NEW.`hash`, 7, instr(substr(NEW.`hash`, 7), '$') - 1) GLOB '*[^0-9a-f:./,]*')
BEGIN
  SELECT RAISE(ABORT, 'unlk:unreadable');
END;
