"""A suite for several workers, each with a database of its own, over asyncpg: the driver that ignores libpq's names."""

import asyncio
import os
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
DATABASE = f"shop_{WORKER}"


async def _made() -> None:
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    await connection.execute(f'CREATE DATABASE "{DATABASE}"')
    await connection.close()
    async with _pool() as pool:
        await pool.execute("CREATE TABLE parcels (id bigserial PRIMARY KEY, code text UNIQUE, weight int)")
        await pool.execute("CREATE INDEX parcels_weight ON parcels (weight)")
        await pool.executemany("INSERT INTO parcels (code, weight) VALUES ($1, $2)", [(f"p{n}", n) for n in range(30)])


def _pool() -> asyncpg.Pool:
    return asyncpg.create_pool(os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{DATABASE}", min_size=1, max_size=2)


def _run(test: Callable[[asyncpg.Pool], Awaitable[None]]) -> None:
    async def inside() -> None:
        async with _pool() as pool:
            await test(pool)

    asyncio.run(inside())


@pytest.fixture(scope="session", autouse=True)
def _database() -> None:
    asyncio.run(_made())


@pytest.mark.parametrize("number", range(4))
def test_one_by_one(number: int) -> None:
    async def one_by_one(pool: asyncpg.Pool) -> None:
        for place in range(12):
            row = await pool.fetchrow("SELECT id, weight FROM parcels WHERE code = $1", f"p{place}")
            assert row["weight"] == place

    _run(one_by_one)


@pytest.mark.parametrize("number", range(4))
def test_heavy(number: int) -> None:
    async def heavy(pool: asyncpg.Pool) -> None:
        async with pool.acquire() as connection, connection.transaction():
            statement = await connection.prepare("SELECT count(*) FROM parcels WHERE weight > $1 AND code <> ALL ($2)")
            assert await statement.fetchval(10, ["p20", "p21"]) == 17

    _run(heavy)
