CREATE TABLE `deleted_keys` (
	`seq` integer PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`name_key` text NOT NULL,
	`kept_until` integer NOT NULL,
	`record` text NOT NULL,
	CONSTRAINT "deleted_keys_record_json" CHECK(json_valid("deleted_keys"."record"))
);
--> statement-breakpoint
CREATE UNIQUE INDEX `deleted_keys_id` ON `deleted_keys` (`id`);--> statement-breakpoint
CREATE INDEX `deleted_keys_name` ON `deleted_keys` (`name_key`);--> statement-breakpoint
CREATE INDEX `deleted_keys_kept` ON `deleted_keys` (`kept_until`);