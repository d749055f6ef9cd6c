"""What drivers can do to a statement: prepared on the server, pipelined, cursors, COPY, functions."""

import contextlib
import os

import psycopg

with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=1) as db:
    db.execute("""
        CREATE TABLE readings (sensor int, taken timestamptz DEFAULT now(), value numeric, note text);
        CREATE INDEX ON readings (sensor, taken);
        CREATE FUNCTION latest(wanted int) RETURNS numeric LANGUAGE plpgsql AS $$
        BEGIN
            RETURN (SELECT value FROM readings WHERE sensor = wanted ORDER BY taken DESC LIMIT 1);
        END $$;
        CREATE SCHEMA tenant_7;
        CREATE TABLE tenant_7.limits (sensor int PRIMARY KEY, top numeric);
    """)
    with db.pipeline():
        for number in range(40):
            db.execute("INSERT INTO readings (sensor, value, note) VALUES (%s, %s, %s)", (number % 4, number, "it's"))
    for number in range(25):
        db.execute("SELECT max(value) FROM readings WHERE sensor = %s AND note IS DISTINCT FROM %s", (number, None))
    with db.transaction(), db.cursor("c") as cursor:
        cursor.execute("SELECT sensor, value FROM readings WHERE value > %s ORDER BY value", (10,))
        cursor.fetchmany(5)
    with db.cursor().copy("COPY (SELECT note FROM readings WHERE sensor = 2) TO STDOUT") as copy:
        list(copy)
    db.execute("SELECT latest(%s)", (3,))
    db.execute("SET search_path = tenant_7")
    db.execute("SELECT top FROM limits WHERE sensor = %s", (1,))
    with psycopg.ClientCursor(db) as client:
        for number in range(1000):
            client.execute("SELECT /* controller='readings' */ top FROM limits WHERE sensor = %s", (number,))
    with contextlib.suppress(psycopg.errors.UndefinedColumn):
        db.execute("SELECT nothing FROM limits")
