"""Many requests to a provider without batches, its answers kept as they come, through kills."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from emojudge.errors import ProviderError
from emojudge.judge.exchange import Answer, Request, Usage
from emojudge.judge.providers import Settings, load_provider
from emojudge.judge.providers.echo import Echo
from emojudge.judge.providers.pool import ask_all
from emojudge.judge.providers.store import Shard, SqliteStore, settled

from .serving import Server, make_request


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "store.sqlite")


class Scripted:
    """A provider that answers by a function, and remembers what it was asked."""

    name = model = "scripted"

    def __init__(self, answer: Any, concurrency: int = 3) -> None:
        self.concurrency = concurrency
        self.asked: list[str] = []
        self._answer = answer

    def ask(self, request: Request) -> Answer:
        self.asked.append(request.key)
        answer = self._answer(request)
        assert isinstance(answer, Answer)
        return answer


def good(request: Request) -> Answer:
    return Answer(request.key, ("H",))


def test_answers_come_in_the_requests_order(store: SqliteStore) -> None:
    def slow_first(request: Request) -> Answer:
        time.sleep(0.05 if request.key == "0" else 0)
        return good(request)

    progress: list[tuple[int, int]] = []
    requests = [make_request(str(i)) for i in range(10)]
    answers = ask_all(Scripted(slow_first), requests, store, lambda done, of: progress.append((done, of)))
    assert [answer.key for answer in answers] == [str(i) for i in range(10)]
    assert (progress[0], progress[-1]) == ((0, 10), (10, 10))
    assert ask_all(Scripted(None), requests, store) == answers  # from the store


def test_equal_requests_are_asked_once(store: SqliteStore) -> None:
    provider = Scripted(good)
    assert len(ask_all(provider, [make_request("k")] * 3, store)) == 3
    assert provider.asked == ["k"]
    with pytest.raises(ProviderError, match="two different"):
        ask_all(provider, [make_request("k"), make_request("k", "other")], store)


def test_errors_that_may_pass_are_asked_again_by_the_next_run(store: SqliteStore) -> None:
    def fail(request: Request) -> Answer:
        return Answer(request.key, error="no", transient=request.key == "0")

    requests = [make_request("0"), make_request("1")]
    assert [answer.error for answer in ask_all(Scripted(fail), requests, store)] == ["no", "no"]
    again = Scripted(good)
    assert [answer.error for answer in ask_all(again, requests, store)] == [None, "no"]
    assert again.asked == ["0"]


def test_a_provider_that_raises_loses_one_answer_only(store: SqliteStore) -> None:
    def burst(request: Request) -> Answer:
        return good(request) if request.key != "1" else {}["nothing"]

    answers = ask_all(Scripted(burst), [make_request(str(i)) for i in range(3)], store)
    assert [answer.error for answer in answers] == [None, "scripted failed: KeyError('nothing')", None]


def test_after_a_refused_key_nobody_else_is_asked(store: SqliteStore) -> None:
    def refuse(request: Request) -> Answer:
        return Answer(request.key, error="HTTP 401: who are you", extra={"status": "401"})

    provider = Scripted(refuse, concurrency=2)
    answers = ask_all(provider, [make_request(str(i)) for i in range(100)], store)
    assert len(provider.asked) <= 4
    assert all("who are you" in (answer.error or "") for answer in answers)
    right = Scripted(good)
    ask_all(right, [make_request(str(i)) for i in range(100)], store)
    assert len(right.asked) >= 96


def test_a_server_is_asked_as_much_at_once_as_allowed(server: Server, store: SqliteStore) -> None:
    pytest.importorskip("openai", reason="needs the extra 'judge'")
    server.meet(4)
    provider = load_provider(f"{server.url}#m", Settings(concurrency=4))
    answers = ask_all(provider, [make_request(str(i)) for i in range(16)], store)
    assert all(answer.texts == ("H",) for answer in answers)
    assert server.most_at_once == 4
    assert threading.active_count() < 20


CLIENT = """
import sys, time
from emojudge.judge.exchange import Answer, Message, Request
from emojudge.judge.providers.pool import ask_all
from emojudge.judge.providers.store import SqliteStore

class Slow:
    name = model = "slow"
    concurrency = 2
    def ask(self, request):
        with open(sys.argv[2], "a") as file:
            file.write(request.key + "\\n")
        time.sleep(0.02)
        return Answer(request.key, ("H",))

requests = [Request(str(i), (Message("user", str(i)),), ("H",)) for i in range(60)]
answers = ask_all(Slow(), requests, SqliteStore(sys.argv[1]))
assert [answer.key for answer in answers] == [str(i) for i in range(60)]
assert all(answer.texts == ("H",) for answer in answers)
"""


@pytest.mark.slow
def test_killed_three_times_it_asks_again_only_what_was_under_way(tmp_path: Path) -> None:
    log, store = tmp_path / "asked", tmp_path / "store.sqlite"
    log.touch()
    command = [sys.executable, "-c", CLIENT, str(store), str(log)]
    for least in (5, 20, 40):
        process = subprocess.Popen(command)
        while len(log.read_text().split()) < least:
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True)
    asked = log.read_text().split()
    assert len(set(asked)) == 60
    assert len(asked) <= 60 + 3 * 2  # two were under way at each kill


# ------------------------------------------------------------------------------------------------------ store


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


# ------------------------------------------------------------------------------------------------------- echo


def test_echo_is_deterministic_and_keeps_to_the_schema() -> None:
    import json

    request = make_request(schema=True, samples=4, label_logprobs=True)
    first, second = Echo().ask(request), Echo().ask(request)
    assert (first.texts, first.letter_logprobs) == (second.texts, second.letter_logprobs)
    assert len(first.texts) == 4
    for text in first.texts:
        got = json.loads(text)
        assert got.keys() == {"emotion", "confidence"}
        assert got["emotion"] in ("A", "S", "H", "NA")
        assert 0 <= got["confidence"] <= 100
    texts = {text for i in range(30) for text in Echo().ask(make_request(str(i))).texts}
    assert texts == {"A", "S", "H"}
    assert json.loads(load_provider("echo:H").ask(request).texts[0]) == {"emotion": "H", "confidence": 100}


def test_echo_answers_by_a_rule() -> None:
    assert Echo(rule=lambda request: request.messages[-1].content[::-1]).ask(make_request()).texts == (
        "!now I",
    )
    answer = Echo(rule=lambda request: request.missing).ask(make_request())  # type: ignore[attr-defined]
    assert answer.error is not None
    assert answer.error.startswith("AttributeError")
