"""Whether watching could begin: secrets read, the store reached, instances looked at, nobody told anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from premortem import notify, sampling, store, words
from premortem.daemon.current import Loaded, load
from premortem.daemon.fleet import address_of
from premortem.daemon.running import Started, refuse, state_directory
from premortem.errors import PremortemError
from premortem.model import Gap, Sample
from premortem.secrets import hidden_parts, hide
from premortem.settings import Channel, Instance


def check(started: Started, say: Callable[[str], None]) -> int:
    """Say of everything that watching needs whether it is there; return 0, 1 where a part of it is not, else 3.

    Raises SettingsError where the settings say nonsense.
    """
    loaded = load(started.read, started.secrets)
    refuse(loaded.watching)
    hidden = hidden_parts(loaded.secrets.values())

    def told(line: str) -> None:
        say(hide(words.plain(line), hidden))

    told(f"settings: {_counts(loaded)}")
    codes = [_store(loaded, started, told)]
    codes += [_channel(channel, loaded, told) for channel in loaded.watching.channels]
    codes += [_instance(instance, loaded, told) for instance in loaded.watching.instances]
    return max(codes)


def _counts(loaded: Loaded) -> str:
    instances, channels = len(loaded.watching.instances), len(loaded.watching.channels)
    return f"{words.plural(instances, 'instance')}, {words.plural(channels, 'channel')}, every secret is there"


def _store(loaded: Loaded, started: Started, say: Callable[[str], None]) -> int:
    dsn = loaded.secrets[loaded.watching.store] or None
    directory = state_directory(loaded.watching, started.here)
    try:
        with store.open(dsn, directory=directory) as opened:
            say(f"store: {opened.place}")
        return 0
    except PremortemError as error:
        say(f"store: {_failure(error)}")
        return 3


def _channel(channel: Channel, loaded: Loaded, say: Callable[[str], None]) -> int:
    try:
        notify.sender(channel, url=loaded.secrets[channel.url], token=loaded.secrets[channel.token])
    except PremortemError as error:
        say(f"channel {channel.name}: {_failure(error)}")
        return 3
    say(f"channel {channel.name}: its settings are complete; `premortem watch test-notify` tells it something")
    return 0


def _instance(instance: Instance, loaded: Loaded, say: Callable[[str], None]) -> int:
    address = address_of(instance, loaded)
    timeout = timedelta(seconds=loaded.watching.statement_timeout_seconds)
    try:
        with sampling.open(
            address.dsn, instance.name, databases=instance.databases, poolers=address.poolers, statement_timeout=timeout
        ) as reader:
            sample = reader.sample(indexes=True)
    except PremortemError as error:
        say(f"instance {instance.name}: {_failure(error)}")
        return 3
    say(f"instance {instance.name}: {_seen(sample)}")
    for gap in sample.gaps:
        say(f"  gap: {_gap(gap)}")
    return 1 if sample.gaps else 0


def _seen(sample: Sample) -> str:
    server = sample.server
    version = f"PostgreSQL {server.version_num // 10_000}.{server.version_num % 10_000}"
    standby = ", a standby" if server.in_recovery else ""
    entries = f"{words.number(server.entries)} statements" if server.extension else "no pg_stat_statements"
    indexes = f"{words.plural(len(sample.indexes or ()), 'index', 'indexes')}"
    pools = f", {words.plural(len(sample.pools), 'pool')}" if sample.pools else ""
    return f"{version}{standby}, {entries}, {indexes}{pools}"


def _gap(gap: Gap) -> str:
    cure = f" To cure it: {gap.cure}" if gap.cure else ""
    return f"{gap.says} {gap.effect}{cure}".strip()


def _failure(error: PremortemError) -> str:
    return f"{error.message}{f' ({error.hint})' if error.hint else ''}"
