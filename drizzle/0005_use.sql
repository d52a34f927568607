CREATE TABLE `key_days` (
	`key_seq` integer NOT NULL,
	`day` integer NOT NULL,
	`verdict` text NOT NULL,
	`times` integer NOT NULL,
	`last_at` integer NOT NULL,
	`detail` text,
	PRIMARY KEY(`key_seq`, `day`, `verdict`),
	FOREIGN KEY (`key_seq`) REFERENCES `api_keys`(`seq`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `key_days_day` ON `key_days` (`day`);--> statement-breakpoint
CREATE TABLE `recorder_spans` (
	`records` integer NOT NULL,
	`since` integer NOT NULL,
	`until` integer NOT NULL,
	PRIMARY KEY(`records`, `since`)
);
--> statement-breakpoint
CREATE TABLE `recorders` (
	`id` text PRIMARY KEY NOT NULL,
	`host` text NOT NULL,
	`records` integer NOT NULL,
	`since` integer NOT NULL,
	`seen` integer NOT NULL,
	`ended` integer NOT NULL,
	`batch` integer NOT NULL
);
