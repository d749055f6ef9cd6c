"""How long it takes from the first slow call to a message with table, index and deploy, with five minutes of window.

    python -m bench.watch.acceptance [--window 300] [--poll 15]

A server of its own with a shop of 500,000 items, a watcher with its usual settings that has looked for a while, two
sessions of load on other statements, and then the query that lacks an index.  Prints when the window went over the
limit, as the counters tell it, and when the message arrived.  The promise is one poll and 5 s.
"""

from __future__ import annotations

import argparse
import threading
import time
from datetime import UTC, datetime, timedelta

import psycopg

from premortem import pg
from premortem.demo import shop
from tests.daemon.household import TOKEN, folder, load, toml, watcher
from tests.daemon.sink import sink

SETTINGS = """
[watch]
poll_seconds = {poll}
state_directory = "state"
listen = "127.0.0.1:0"
deploy_token = {token}
[watch.limits]
window_seconds = {window}
mean_ms = {mean}
[[instances]]
name = "shop-1"
dsn = {{ env = "SHOP_DSN" }}
services = ["orders"]
[[channels]]
name = "sink"
kind = "webhook"
url = {url}
"""
QUERY = shop.STATEMENT.replace("$1", "%s").replace("$2", "%s")


def over_since(dsn: str, limit: float, found: list[float], stop: threading.Event) -> None:
    """Note when the statement's mean since its first call was over the limit, with at least two calls."""
    with psycopg.connect(dsn, autocommit=True, application_name="bench") as db:
        while not stop.wait(0.05) and not found:
            row = db.execute(
                "SELECT sum(calls), sum(total_exec_time) / sum(calls) FROM pg_stat_statements"
                " WHERE query LIKE '%from order_items%product_sku = $1%' HAVING sum(calls) >= 2"
            ).fetchone()
            if row is not None and row[1] > limit:
                found.append(time.time())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--window", type=float, default=300)
    parser.add_argument("--poll", type=float, default=15)
    parser.add_argument("--mean", type=float, default=20, help="the limit in ms; the query takes some 40 ms here")
    parser.add_argument("--before", type=float, default=200, help="for how long to watch before it begins, in s")
    given = parser.parse_args()
    settings = {"shared_preload_libraries": "pg_stat_statements", "shared_buffers": "256MB"}
    with pg.start(pg.exact_installation(15), settings=settings) as server, sink() as told, folder() as place:
        with pg.writer(server, purpose="bench") as db:
            db.execute("CREATE EXTENSION pg_stat_statements")
            shop.load(db, 500_000)
        text = SETTINGS.format(
            poll=given.poll, window=given.window, mean=given.mean, token=toml(TOKEN), url=toml(told.url)
        )
        with (
            watcher(place, text, SHOP_DSN=server.dsn()) as one,
            load(server.dsn(), "SELECT * FROM orders WHERE id = %s", lambda n: (n,), application="users"),
        ):
            one.start()
            one.says("event=watch.begins")
            time.sleep(given.before)
            at = datetime.now(UTC) - timedelta(seconds=1)
            one.ask("POST", "/deploys", {"service": "orders", "revision": "a7c3dbe", "at": at.isoformat()})
            over: list[float] = []
            stop = threading.Event()
            watching = threading.Thread(target=over_since, args=(server.dsn(), given.mean, over, stop))
            watching.start()
            with load(server.dsn(), QUERY, lambda n: (f"SKU-{n % 900:06}", "pending")) as running:
                got = told.wait(lambda got: bool(got), 4 * given.poll + 60)
            stop.set()
            watching.join()
            first = running.first or 0.0
            print(f"first slow call at 0 s, over the limit after {over[0] - first:.1f} s")
            for message in got:
                print(f"told after {message.at - first:.1f} s, {message.at - over[0]:.1f} s after that:")
                print(f"  {message.content['data']['title']}")
                print(f"  {message.content['data']['why']}")
            promise = given.poll + 5
            kept = bool(got) and got[0].at - over[0] <= promise
            print(f"promise of {promise:.0f} s {'kept' if kept else 'BROKEN'}")


if __name__ == "__main__":
    main()
