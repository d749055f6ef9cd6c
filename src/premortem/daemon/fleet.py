"""The instances that are watched, one worker each: begun, ended and begun anew as the settings change."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from premortem.daemon.current import Current, Loaded
from premortem.daemon.eyes import Address
from premortem.daemon.health import Health
from premortem.daemon.worker import Worker
from premortem.settings import Instance

#: A worker that has not begun a poll for so many polls hangs: on a network that swallows everything, most likely.
_LATE_POLLS = 10
_LATE_SECONDS = 120.0
Make = Callable[[Instance, Address, float], Worker]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Post:
    """A worker, and what it was made for: where that changes, it is made anew."""

    instance: Instance
    address: Address
    statement_timeout: float
    worker: Worker


class Fleet:
    """All workers; for the thread that takes orders."""

    def __init__(self, current: Current, make: Make) -> None:
        self._current = current
        self._make = make
        self._posts: dict[str, _Post] = {}

    @property
    def workers(self) -> tuple[Worker, ...]:
        """Those that watch now."""
        return tuple(post.worker for post in self._posts.values())

    def follow(self, *, stagger: bool = True) -> None:
        """Watch what the settings name now, and nothing else; `stagger` spreads the first polls over one interval.

        An instance that is gone from the settings is left before one with its name is begun.
        """
        loaded = self._current.loaded
        wanted = {instance.name: instance for instance in loaded.watching.instances}
        left = [post for name, post in self._posts.items() if not _is_same(post, wanted.get(name), loaded)]
        for post in left:
            post.worker.stop(for_good=post.instance.name not in wanted)
        for post in left:
            post.worker.join(_LATE_SECONDS)
            del self._posts[post.instance.name]
        for name, instance in wanted.items():
            if name not in self._posts:
                self._begin(instance, loaded, stagger)

    def stop(self, seconds: float) -> Sequence[str]:
        """End all workers, all of them together within so many seconds; return the names of those that did not."""
        for worker in self.workers:
            worker.stop()
        deadline = time.monotonic() + seconds
        return [one.name for one in self.workers if not one.join(max(0.0, deadline - time.monotonic()))]

    def alive(self) -> Health:
        """Return whether every worker begins its polls in time."""
        poll = self._current.watching.poll_seconds
        late = max(_LATE_POLLS * poll, _LATE_SECONDS)
        now = time.monotonic()
        says = [
            f"{one.name} hangs: its last poll began {now - one.beat:.0f} s ago"
            for one in self.workers
            if now - one.beat > late
        ]
        says += [f"{one.name} is not watched: its thread ended" for one in self.workers if not one.alive]
        return Health(well=not says, says=tuple(says))

    def unseen(self) -> tuple[str, ...]:
        """Return the instances that nobody has looked at yet."""
        return tuple(one.name for one in self.workers if not one.looked)

    def _begin(self, instance: Instance, loaded: Loaded, stagger: bool) -> None:
        address = address_of(instance, loaded)
        poll = instance.poll_seconds or loaded.watching.poll_seconds
        worker = self._make(instance, address, random.uniform(0, poll) if stagger else 0.0)
        self._posts[instance.name] = _Post(
            instance=instance,
            address=address,
            statement_timeout=loaded.watching.statement_timeout_seconds,
            worker=worker,
        )
        worker.start()


def address_of(instance: Instance, loaded: Loaded) -> Address:
    """Return where an instance is."""
    return Address(
        dsn=loaded.secrets[instance.dsn], poolers={one.name: loaded.secrets[one.dsn] for one in instance.poolers}
    )


def _is_same(post: _Post, instance: Instance | None, loaded: Loaded) -> bool:
    return (
        instance == post.instance
        and address_of(post.instance, loaded) == post.address
        and loaded.watching.statement_timeout_seconds == post.statement_timeout
    )
