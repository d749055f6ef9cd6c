CREATE SCHEMA odd;
CREATE TABLE item (id int PRIMARY KEY, kind int, name text, note text, tags text[], document jsonb,
                   created_at timestamptz DEFAULT '2024-01-01');
INSERT INTO item SELECT g, g % 7, 'name ' || g % 50, nullif(g % 3, 0)::text, ARRAY['a', g::text], jsonb_build_object('x', g % 5),
       timestamptz '2024-01-01' + g * interval '1 hour' FROM generate_series(1, 3000) g;
CREATE INDEX ON item (kind);
CREATE INDEX item_document_idx ON item USING gin (document);
CREATE TABLE child (id int PRIMARY KEY, item_id int REFERENCES item ON DELETE CASCADE, amount int);
INSERT INTO child SELECT g, g % 1500 + 1, g % 100 FROM generate_series(1, 4000) g;
CREATE INDEX ON child (item_id);
CREATE TABLE "Odd Table" ("the id" int PRIMARY KEY);
INSERT INTO "Odd Table" SELECT generate_series(1, 100);
CREATE TABLE odd."Item" ("a ""quoted"" one" int, "a, comma" int);
CREATE TABLE odd.item (id int PRIMARY KEY);
CREATE TABLE box (place point);
INSERT INTO box SELECT point(g % 50, g / 50) FROM generate_series(1, 2000) g;
CREATE INDEX ON box USING gist (place);
CREATE TABLE event (at date, account int) PARTITION BY RANGE (at);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2024-02-01') TO ('2024-02-05');
CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ('2024-02-05') TO ('2024-02-09');
CREATE TABLE event_3 PARTITION OF event FOR VALUES FROM ('2024-02-09') TO ('2024-02-13');
CREATE INDEX ON event (account, at);
INSERT INTO event SELECT date '2024-02-01' + g % 12, g % 90 FROM generate_series(1, 6000) g;
CREATE VIEW item_view AS SELECT i.kind, sum(c.amount) AS total FROM item i JOIN child c ON c.item_id = i.id GROUP BY i.kind;
