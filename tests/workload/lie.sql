-- Nearly every order is paid in full: the two columns agree, and the planner takes them for strangers.
CREATE TABLE orders (id int PRIMARY KEY, total int NOT NULL, paid int NOT NULL);
INSERT INTO orders SELECT g, h, CASE WHEN g % 100 = 0 THEN h - 1 ELSE h END
    FROM (SELECT g, (g * 7919 % 10007) AS h FROM generate_series(1, 10000) g) s;
CREATE TABLE items (id int PRIMARY KEY, order_id int NOT NULL, pieces int NOT NULL, note text NOT NULL);
INSERT INTO items SELECT g, 1 + (g * 7919::bigint) % 10000, g % 9, repeat('n', 60) FROM generate_series(1, 100000) g;
CREATE TABLE visits (id int PRIMARY KEY, page text NOT NULL, seconds int NOT NULL);
INSERT INTO visits SELECT g, 'page-' || g % 700, g % 60 FROM generate_series(1, 60000) g;
