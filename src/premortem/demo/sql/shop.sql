-- name: schema
-- purpose: The shop of the post-mortem; every table has the indexes that a careful team gave it, but one.
CREATE TABLE products (
    sku text PRIMARY KEY,
    title text NOT NULL,
    price numeric(10, 2) NOT NULL
);
CREATE TABLE orders (
    id bigint PRIMARY KEY,
    customer_id integer NOT NULL,
    status text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE TABLE order_items (
    id bigint GENERATED ALWAYS AS IDENTITY,
    order_id bigint NOT NULL,
    product_sku text NOT NULL,
    status text NOT NULL,
    quantity integer NOT NULL,
    price numeric(10, 2) NOT NULL,
    created_at timestamptz NOT NULL
)

-- name: products
-- purpose: One product for every hundred items.
INSERT INTO products
SELECT 'SKU-' || lpad(i::text, 6, '0'), 'Product ' || i, 5 + i %% 200 FROM generate_series(1, greatest(%(items)s / 100, 10)) i

-- name: orders
-- purpose: One order for every four items; nearly all are done, as in any shop that is old enough.
INSERT INTO orders
SELECT i, 1 + (50000 * random() * random())::integer,
       CASE WHEN r < 0.004 THEN 'pending' WHEN r < 0.03 THEN 'cancelled' WHEN r < 0.06 THEN 'paid' ELSE 'delivered' END,
       now() - (random() * interval '730 days')
FROM (SELECT i, random() AS r FROM generate_series(1, greatest(%(items)s / 4, 10)) i) s

-- name: items
-- purpose: A few products sell far more than the rest.
INSERT INTO order_items (order_id, product_sku, status, quantity, price, created_at)
SELECT 1 + i / 4, 'SKU-' || lpad((1 + floor(greatest(%(items)s / 100, 10) * r * r))::text, 6, '0'),
       CASE WHEN s < 0.02 THEN 'returned' WHEN s < 0.05 THEN 'cancelled' WHEN s < 0.10 THEN 'pending' ELSE 'shipped' END,
       1 + (i %% 3)::integer, 5 + i %% 200, now() - (random() * interval '730 days')
FROM (SELECT i, random() AS r, random() AS s FROM generate_series(1, %(items)s) i) x

-- name: indexes
-- purpose: What was there before the pull request.
ALTER TABLE order_items ADD PRIMARY KEY (id);
CREATE INDEX order_items_order_id_idx ON order_items (order_id);
CREATE INDEX order_items_created_at_idx ON order_items (created_at);
CREATE INDEX orders_customer_id_idx ON orders (customer_id)
