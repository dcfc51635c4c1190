"""The store of batches: what it is given it gives back, through a kill."""

import sqlite3
from pathlib import Path

import pytest

from emojudge.errors import ProviderError
from emojudge.judge.exchange import Answer, Usage
from emojudge.judge.providers.store import Shard, SqliteStore, settled


def test_the_store_gives_back_what_it_was_given(tmp_path: Path) -> None:
    answer = Answer(
        "k",
        ("ż\u2028",),
        {"A": -0.5},
        "stop",
        "m",
        "fp",
        ("seed",),
        Usage(1, 2),
        None,
        False,
        "now",
        {"b": "c"},
    )
    shard = Shard("hash", 1, ("a", "b"), "open", 12.5, "f", "b", ("temperature",))
    store = SqliteStore(tmp_path / "s")
    store.keep([answer, Answer("l", error="e", transient=True)])
    store.keep_shard(shard)
    store.keep_shard(Shard("hash", 2, (), "submitting", 1.0))
    store.keep_shard(Shard("hash", 1, ("a", "b"), "closed", 12.5))
    store.close()
    again = SqliteStore(tmp_path / "s")
    assert again.answers(["k", "l", "m"]) == {"k": answer, "l": Answer("l", error="e", transient=True)}
    assert [(found.attempt, found.state) for found in again.shards()] == [(1, "closed"), (2, "submitting")]
    again.keep([Answer("l", ("H",))])
    assert settled(again.answers(["l"])["l"])
    many = [f"k{i}" for i in range(2_000)]
    again.keep([Answer(key) for key in many])
    assert again.answers(many).keys() == set(many)
    again.close()


def test_the_store_lives_in_somebody_elses_database(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "ledger") as connection:
        connection.execute("CREATE TABLE verdicts (id TEXT)")
        SqliteStore(connection).keep([Answer("k")])
    assert "k" in SqliteStore(sqlite3.connect(tmp_path / "ledger")).answers(["k"])


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("not a database, " * 100)
    with pytest.raises(ProviderError, match="not a database"):
        SqliteStore(tmp_path / "s")
    with pytest.raises(ProviderError, match="unable to open"):
        SqliteStore(tmp_path / "nowhere" / "s")
