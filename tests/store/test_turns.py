"""Many threads and one session: each gets its turn, in order, and nobody waits for one who hangs."""

from __future__ import annotations

import threading
import time

from premortem.store.turns import Turns


def queue(
    turns: Turns, names: str, *, turn_seconds: float, got: list[str], each: float = 0.0
) -> list[threading.Thread]:
    """Threads that ask for their turn one after the other while somebody else has it."""

    def ask(name: str) -> None:
        if turns.take(turn_seconds, 60):
            got.append(name)
            time.sleep(each)
            turns.give()
        else:
            got.append(f"not {name}")

    threads = []
    for place, name in enumerate(names):
        threads.append(threading.Thread(target=ask, args=(name,), daemon=True))
        threads[-1].start()
        while turns.waiting <= place:
            time.sleep(0.001)
    return threads


def joined(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(90)
        assert not thread.is_alive()


def test_each_in_the_order_in_which_it_came() -> None:
    turns, got = Turns(), list[str]()
    assert turns.take()
    threads = queue(turns, "abcdefgh", turn_seconds=60, got=got)
    turns.give()
    joined(threads)
    assert "".join(got) == "abcdefgh"


def test_nobody_gives_up_while_it_goes_on() -> None:
    """Sixteen turns take many times as long as one of them may."""
    turns, got = Turns(), list[str]()
    assert turns.take()
    threads = queue(turns, "abcdefghijklmnop", turn_seconds=3.0, got=got, each=0.3)
    turns.give()
    joined(threads)
    assert "".join(got) == "abcdefghijklmnop"


def test_everybody_gives_up_on_one_who_hangs() -> None:
    turns, got = Turns(), list[str]()
    assert turns.take()
    joined(queue(turns, "abc", turn_seconds=3.0, got=got))  # all three ask before the first gives up
    assert sorted(got) == ["not a", "not b", "not c"]
    assert turns.waiting == 0
    turns.give()
    assert turns.take(0, 0)


def test_nobody_waits_for_ever() -> None:
    turns = Turns()
    assert turns.take()
    assert not turns.take(60, 0.01)
    turns.give()
    assert turns.take(0, 0)
    assert not turns.take(0, 0)


def test_who_closes_is_served_before_all_that_wait() -> None:
    turns, got = Turns(), list[str]()
    assert turns.take()
    threads = queue(turns, "abc", turn_seconds=60, got=got)

    def close() -> None:
        assert turns.take(next=True)
        got.append("closed")
        turns.give()

    threads.append(threading.Thread(target=close, daemon=True))
    threads[-1].start()
    while turns.waiting < 4:
        time.sleep(0.001)
    turns.give()
    joined(threads)
    assert got == ["closed", "a", "b", "c"]
