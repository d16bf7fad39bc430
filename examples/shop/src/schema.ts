/** The tables of the shop, as Drizzle declares them. */
import { relations } from 'drizzle-orm';
import { type AnySQLiteColumn, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';

export const customers = sqliteTable('customers', {
  id: integer().primaryKey(),
  email: text().notNull().unique(),
  fullName: text('full_name').notNull(),
  phone: text(),
  note: text(),
  referredById: integer('referred_by_id').references((): AnySQLiteColumn => customers.id),
  /** A customer who left: the shop does not show the row any more. */
  deletedAt: integer('deleted_at', { mode: 'timestamp' }),
});

export const products = sqliteTable('products', {
  id: integer().primaryKey(),
  title: text().notNull(),
  priceCents: integer('price_cents').notNull(),
  /** Below `uploads`. */
  photoPath: text('photo_path'),
  /** What the search reads. It is made anew from the title. */
  searchText: text('search_text').notNull(),
});

export const tags = sqliteTable('tags', { id: integer().primaryKey(), label: text().notNull() });

export const productTags = sqliteTable(
  'product_tags',
  {
    productId: integer('product_id')
      .notNull()
      .references(() => products.id),
    tagId: integer('tag_id')
      .notNull()
      .references(() => tags.id),
  },
  (table) => [primaryKey({ columns: [table.productId, table.tagId] })],
);

export const invoices = sqliteTable('invoices', {
  id: integer().primaryKey(),
  customerId: integer('customer_id')
    .notNull()
    .references(() => customers.id),
  issuedAt: integer('issued_at', { mode: 'timestamp' }).notNull(),
  /** Below `uploads`. */
  pdfPath: text('pdf_path'),
});

export const invoiceLines = sqliteTable(
  'invoice_lines',
  {
    invoiceId: integer('invoice_id')
      .notNull()
      .references(() => invoices.id),
    // No foreign key: a product may go, and its line stays.
    productId: integer('product_id').notNull(),
    quantity: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.invoiceId, table.productId] })],
);

/** Who is signed in. */
export const sessions = sqliteTable('sessions', {
  id: text().primaryKey(),
  data: text().notNull(),
  expiresAt: integer('expires_at').notNull(),
});

export const invoiceLineRelations = relations(invoiceLines, ({ one }) => ({
  invoice: one(invoices, { fields: [invoiceLines.invoiceId], references: [invoices.id] }),
  product: one(products, { fields: [invoiceLines.productId], references: [products.id] }),
}));
