CREATE TABLE `api_keys` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`name_key` text NOT NULL,
	`description` text,
	`mode` text NOT NULL,
	`scopes` text NOT NULL,
	`status` text NOT NULL,
	`rate_limit` integer NOT NULL,
	`rate_window_seconds` integer NOT NULL,
	`expires_at` integer,
	`expiry_order` integer GENERATED ALWAYS AS (ifnull(expires_at, 8640000000000000)) VIRTUAL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`hash` text NOT NULL,
	`guard` text NOT NULL,
	`search_text` text NOT NULL,
	CONSTRAINT "api_keys_mode_known" CHECK("api_keys"."mode" in ('live', 'test')),
	CONSTRAINT "api_keys_status_known" CHECK("api_keys"."status" in ('active', 'inactive')),
	CONSTRAINT "api_keys_scopes_array" CHECK(json_valid("api_keys"."scopes") and json_array_length("api_keys"."scopes") > 0 and instr("api_keys"."scopes", '*') = 0),
	CONSTRAINT "api_keys_rate_positive" CHECK("api_keys"."rate_limit" > 0 and "api_keys"."rate_window_seconds" > 0)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `api_keys_id` ON `api_keys` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `api_keys_name` ON `api_keys` (`name_key`);--> statement-breakpoint
CREATE INDEX `api_keys_status` ON `api_keys` (`status`);--> statement-breakpoint
CREATE INDEX `api_keys_mode` ON `api_keys` (`mode`);--> statement-breakpoint
CREATE INDEX `api_keys_expiry` ON `api_keys` (`expiry_order`,`seq`);--> statement-breakpoint
CREATE INDEX `api_keys_status_expiry` ON `api_keys` (`status`,`expiry_order`,`seq`);--> statement-breakpoint
CREATE INDEX `api_keys_search` ON `api_keys` (`seq`,`search_text`);--> statement-breakpoint
CREATE TABLE `audit_events` (
	`seq` integer PRIMARY KEY NOT NULL,
	`op` text NOT NULL,
	`body` text NOT NULL,
	`prev` text NOT NULL,
	`hash` text NOT NULL,
	`key_id` text GENERATED ALWAYS AS (json_extract(body, '$.keyId')) VIRTUAL,
	`action` text GENERATED ALWAYS AS (json_extract(body, '$.action')) VIRTUAL,
	`actor` text GENERATED ALWAYS AS (json_extract(body, '$.actor')) VIRTUAL,
	`os_user` text GENERATED ALWAYS AS (json_extract(body, '$.osUser')) VIRTUAL,
	`at` text GENERATED ALWAYS AS (json_extract(body, '$.at')) VIRTUAL,
	CONSTRAINT "audit_events_body_json" CHECK(json_valid("audit_events"."body")),
	CONSTRAINT "audit_events_hash_form" CHECK(length("audit_events"."hash") = 64 and length("audit_events"."prev") = 64)
);
--> statement-breakpoint
CREATE INDEX `audit_events_op` ON `audit_events` (`op`);--> statement-breakpoint
CREATE INDEX `audit_events_key` ON `audit_events` (`key_id`);--> statement-breakpoint
CREATE TABLE `key_scopes` (
	`scope` text NOT NULL,
	`key_seq` integer NOT NULL,
	PRIMARY KEY(`scope`, `key_seq`),
	FOREIGN KEY (`key_seq`) REFERENCES `api_keys`(`seq`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `key_scopes_key` ON `key_scopes` (`key_seq`);--> statement-breakpoint
CREATE TABLE `key_usage` (
	`key_seq` integer PRIMARY KEY NOT NULL,
	`last_used_at` integer DEFAULT 0 NOT NULL,
	FOREIGN KEY (`key_seq`) REFERENCES `api_keys`(`seq`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `key_usage_last_used` ON `key_usage` (`last_used_at`,`key_seq`);--> statement-breakpoint
CREATE TABLE `schema_migrations` (
	`version` integer PRIMARY KEY NOT NULL,
	`tag` text NOT NULL,
	`checksum` text NOT NULL,
	`applied_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `scopes` (
	`position` integer PRIMARY KEY NOT NULL,
	`scope` text NOT NULL,
	`category` text NOT NULL,
	`category_label` text NOT NULL,
	`action` text NOT NULL,
	`retired` integer DEFAULT false NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `scopes_scope_unique` ON `scopes` (`scope`);