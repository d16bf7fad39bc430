/** The shop's tables, indexes and view. */
export const shopSchema = `
CREATE TABLE customers (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE, phone TEXT, note TEXT,
  created_at TEXT NOT NULL
) STRICT;
CREATE TABLE addresses (
  id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id),
  street TEXT NOT NULL, postal_code TEXT NOT NULL, city TEXT NOT NULL, country TEXT NOT NULL
) STRICT;
CREATE TABLE products (
  id INTEGER PRIMARY KEY, sku TEXT NOT NULL UNIQUE, name TEXT NOT NULL, description TEXT NOT NULL,
  price_cents INTEGER NOT NULL CHECK (price_cents > 0), weight_kg REAL NOT NULL, stock INTEGER NOT NULL,
  picture_path TEXT
) STRICT;
CREATE TABLE orders (
  id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id),
  address_id INTEGER NOT NULL REFERENCES addresses (id), placed_at TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('paid', 'shipped', 'delivered', 'returned')), total_cents INTEGER NOT NULL
) STRICT;
CREATE TABLE order_lines (
  order_id INTEGER NOT NULL REFERENCES orders (id), line_number INTEGER NOT NULL,
  product_id INTEGER NOT NULL REFERENCES products (id), quantity INTEGER NOT NULL, price_cents INTEGER NOT NULL,
  PRIMARY KEY (order_id, line_number)
) STRICT, WITHOUT ROWID;
CREATE TABLE payments (
  id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders (id), method TEXT NOT NULL,
  amount_cents INTEGER NOT NULL, paid_at TEXT NOT NULL, reference BLOB NOT NULL
) STRICT;
CREATE TABLE invoices (
  id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL UNIQUE REFERENCES orders (id), number TEXT NOT NULL UNIQUE,
  issued_on TEXT NOT NULL, total_cents INTEGER NOT NULL, attachment_path TEXT
) STRICT;
CREATE TABLE events (
  id INTEGER PRIMARY KEY, at TEXT NOT NULL, customer_id INTEGER REFERENCES customers (id), kind TEXT NOT NULL,
  payload TEXT NOT NULL CHECK (json_valid(payload))
) STRICT;
CREATE VIEW revenue_by_month AS
  SELECT substr(placed_at, 1, 7) AS month, count(*) AS orders, sum(total_cents) AS total_cents
  FROM orders WHERE status <> 'returned' GROUP BY month;
CREATE TRIGGER orders_cannot_vanish BEFORE DELETE ON orders
  BEGIN SELECT RAISE(ABORT, 'orders are never deleted'); END;
`;

/** Made after the rows: quicker, and as a shop that has grown would have them. */
export const shopIndexes = `
CREATE INDEX addresses_by_customer ON addresses (customer_id);
CREATE INDEX orders_by_customer ON orders (customer_id, placed_at);
CREATE INDEX order_lines_by_product ON order_lines (product_id);
CREATE INDEX payments_by_order ON payments (order_id);
CREATE INDEX events_by_time ON events (at, kind);
CREATE INDEX events_of_customers ON events (customer_id) WHERE customer_id IS NOT NULL;
`;
