CREATE TABLE `customers` (
  `id` integer PRIMARY KEY NOT NULL,
  `email` text NOT NULL UNIQUE,
  `full_name` text NOT NULL,
  `phone` text,
  `note` text,
  `referred_by_id` integer REFERENCES `customers`(`id`),
  `deleted_at` integer
);
--> statement-breakpoint
CREATE TABLE `products` (
  `id` integer PRIMARY KEY NOT NULL,
  `title` text NOT NULL,
  `price_cents` integer NOT NULL,
  `photo_path` text,
  `search_text` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `tags` (
  `id` integer PRIMARY KEY NOT NULL,
  `label` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `product_tags` (
  `product_id` integer NOT NULL REFERENCES `products`(`id`),
  `tag_id` integer NOT NULL REFERENCES `tags`(`id`),
  PRIMARY KEY (`product_id`, `tag_id`)
);
--> statement-breakpoint
CREATE TABLE `invoices` (
  `id` integer PRIMARY KEY NOT NULL,
  `customer_id` integer NOT NULL REFERENCES `customers`(`id`),
  `issued_at` integer NOT NULL,
  `pdf_path` text
);
--> statement-breakpoint
CREATE TABLE `invoice_lines` (
  `invoice_id` integer NOT NULL REFERENCES `invoices`(`id`),
  `product_id` integer NOT NULL,
  `quantity` integer NOT NULL,
  PRIMARY KEY (`invoice_id`, `product_id`)
);
--> statement-breakpoint
CREATE TABLE `sessions` (
  `id` text PRIMARY KEY NOT NULL,
  `data` text NOT NULL,
  `expires_at` integer NOT NULL
);
