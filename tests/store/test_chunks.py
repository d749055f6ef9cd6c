"""A checkpoint comes back as it went, whatever its long texts are, and only new ones are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem import pg, store
from premortem.errors import StoreError
from premortem.store import chunks
from tests.store.made import NOON, POLL

texts = st.text(max_size=20) | st.text(max_size=5).map(lambda part: (part or "x") * 1500)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(documents, documents)
def test_parts_make_the_whole(document: object, before: object) -> None:
    known = chunks.split(before, {}).digests
    parts = chunks.split(document, known)
    assert parts == chunks.split(document, {})
    bodies = {digest: chunks.packed(text) for text, digest in parts.digests.items()}
    assert chunks.joined(parts.root, bodies) == document
    assert all(len(text) >= 1024 for text in parts.digests)


def test_what_is_missing_is_told() -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        chunks.joined(chunks.split(["x" * 2000], {}).root, {})
    with pytest.raises(StoreError, match="cannot be read"):
        chunks.joined(b"nonsense", {})


def test_a_window_that_moves_on_writes_one_poll(opened: store.Store, database: str) -> None:
    def window(poll: int) -> dict[str, object]:
        return {"slots": [f"{one} " * 1000 for one in range(poll, poll + 20)]}

    for poll in range(30):
        opened.commit("db-1", at=NOON + poll * POLL, checkpoint=window(poll))
    assert opened.saved("db-1").checkpoint == window(29)
    with pg.writer(database, purpose="test") as db:
        assert db.value("SELECT count(*) FROM premortem.chunk") == 20
        rows = db.tuples("SELECT digest, xmin::text FROM premortem.chunk")
        opened.commit("db-1", at=NOON, checkpoint=window(30))
        after = db.tuples("SELECT digest, xmin::text FROM premortem.chunk")
        assert len(set(rows) & set(after)) == 19
    with store.open(database) as again:
        again.commit("db-1", at=NOON, checkpoint=window(31))
        assert again.saved("db-1").checkpoint == window(31)
        opened.commit("db-1", at=NOON, checkpoint=window(32))
        assert opened.saved("db-1").checkpoint == window(32)
        again.commit("db-1", at=NOON, checkpoint=None)
        assert again.saved("db-1").checkpoint is None
    with pg.writer(database, purpose="test") as db:
        assert db.value("SELECT count(*) FROM premortem.chunk") == 0
