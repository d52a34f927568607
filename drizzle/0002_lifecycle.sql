CREATE TABLE `key_labels` (
	`label` text NOT NULL,
	`key_seq` integer NOT NULL,
	PRIMARY KEY(`label`, `key_seq`),
	FOREIGN KEY (`key_seq`) REFERENCES `api_keys`(`seq`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `key_labels_key` ON `key_labels` (`key_seq`);--> statement-breakpoint
CREATE TABLE `key_rates` (
	`key_seq` integer PRIMARY KEY NOT NULL,
	`whole_at` real NOT NULL,
	FOREIGN KEY (`key_seq`) REFERENCES `api_keys`(`seq`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `store_settings` (
	`name` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
);
--> statement-breakpoint
ALTER TABLE `api_keys` ADD `labels` text DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE `api_keys` ADD `rotated_from` text;--> statement-breakpoint
ALTER TABLE `api_keys` ADD `rotated_to` text;--> statement-breakpoint
CREATE INDEX `api_keys_rotating` ON `api_keys` (`seq`) WHERE rotated_to is not null;