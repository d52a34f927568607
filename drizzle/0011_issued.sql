CREATE TABLE `issued_keys` (
	`token` text PRIMARY KEY NOT NULL,
	`key_id` text NOT NULL,
	`rule` text NOT NULL,
	`issued_at` integer NOT NULL,
	`kept_until` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `issued_keys_rule` ON `issued_keys` (`rule`,`issued_at`);--> statement-breakpoint
CREATE INDEX `issued_keys_key` ON `issued_keys` (`key_id`);--> statement-breakpoint
CREATE INDEX `issued_keys_kept` ON `issued_keys` (`kept_until`);