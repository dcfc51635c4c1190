"""Batches that end in every way there is, and clients that are killed at every step."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emojudge.errors import ProviderError
from emojudge.judge.exchange import Request
from emojudge.judge.providers import Settings, load_provider
from emojudge.judge.providers.batch import Batches, Limits
from emojudge.judge.providers.openai import Chat
from emojudge.judge.providers.store import Shard, SqliteStore

from .serving import BatchServer, Ending, Reply, Seen, good_line, make_request

pytest.importorskip("openai", reason="needs the extra 'judge'")

LIMITS = Limits(poll=60.0, deadline=400.0, stall=150.0)


class Killed(BaseException):
    """The end of the process, as far as a test can tell."""


@pytest.fixture
def batch_server() -> Iterator[BatchServer]:
    running = BatchServer()
    yield running
    running.close()


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "store.sqlite")


class Clock:
    """Time that passes while somebody sleeps; may kill the sleeper."""

    def __init__(self, kill_after: int | None = None) -> None:
        self.now, self.slept, self.kill_after = 1_000_000.0, 0, kill_after

    def sleep(self, seconds: float) -> None:
        self.slept += 1
        if self.kill_after is not None and self.slept > self.kill_after:
            raise Killed
        self.now += seconds


def runner(server: BatchServer, store: Any, limits: Limits = LIMITS, clock: Clock | None = None) -> Batches:
    provider = load_provider(f"{server.url}#m", Settings(timeout=60.0, retries=0))
    assert isinstance(provider, Chat)
    clock = clock or Clock()
    return Batches(provider, store, limits, sleep=clock.sleep, clock=lambda: clock.now)


def some_requests(count: int = 5, **sampling: Any) -> list[Request]:
    return [make_request(f"k{i}", f"text {i}", **sampling) for i in range(count)]


def asked(server: BatchServer) -> list[list[str]]:
    """The custom ids of each batch."""
    return [[line["custom_id"] for line in lines] for lines in server.inputs]


def test_answers_come_in_the_requests_order(batch_server: BatchServer, store: SqliteStore) -> None:
    answers = runner(batch_server, store).ask_all(some_requests())
    assert [answer.key for answer in answers] == [f"k{i}" for i in range(5)]
    assert all(answer.texts == ("H",) and answer.error is None for answer in answers)
    assert {answer.extra["batch"] for answer in answers} == {"batch-0"}
    (batch,) = batch_server.batches.values()
    assert batch["metadata"].keys() == {"emojudge_shard", "emojudge_attempt"}
    assert (batch["endpoint"], batch["completion_window"]) == ("/v1/chat/completions", "24h")


def test_what_the_store_has_is_not_asked_again(batch_server: BatchServer, store: SqliteStore) -> None:
    first = runner(batch_server, store).ask_all(some_requests(3))
    again = runner(batch_server, store).ask_all(some_requests(5))
    assert again[:3] == first
    assert asked(batch_server) == [["k0#0", "k1#0", "k2#0"], ["k3#0", "k4#0"]]


def test_good_and_bad_lines_come_from_both_files(batch_server: BatchServer, store: SqliteStore) -> None:
    bad = (
        b'{"custom_id": "k1#0", "error": {"type": "request_failed", "message": "Error code: 400 - too long"}}'
    )
    batch_server.ending = lambda lines: Ending(good=[good_line("k0#0")], bad=[bad])
    answers = runner(batch_server, store).ask_all(some_requests(2))
    assert [answer.error for answer in answers] == [None, "HTTP 400: Error code: 400 - too long"]
    assert not answers[1].transient
    assert len(batch_server.inputs) == 1


@pytest.mark.parametrize("polls", [0, 1])
def test_a_killed_client_finds_its_batch_again(
    batch_server: BatchServer, store: SqliteStore, polls: int
) -> None:
    batch_server.ending = lambda lines: Ending(good=[good_line(line["custom_id"]) for line in lines], looks=4)
    with pytest.raises(Killed):
        runner(batch_server, store, clock=Clock(kill_after=polls)).ask_all(some_requests())
    answers = runner(batch_server, store).ask_all(some_requests())
    assert all(answer.texts for answer in answers)
    assert len(batch_server.inputs) == 1


@pytest.mark.parametrize("state", ["submitting", "open", "closed"])
@pytest.mark.parametrize("before", [True, False])
def test_a_client_killed_at_any_write_asks_nothing_twice(
    batch_server: BatchServer, store: SqliteStore, state: str, before: bool
) -> None:
    class Mortal:
        """A store during whose write the process dies."""

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def keep_shard(self, shard: Shard) -> None:
            if before and shard.state == state:
                raise Killed
            store.keep_shard(shard)
            if shard.state == state:
                raise Killed

    with pytest.raises(Killed):
        runner(batch_server, Mortal()).ask_all(some_requests())
    answers = runner(batch_server, store).ask_all(some_requests())
    assert all(answer.texts for answer in answers)
    assert len(batch_server.inputs) == 1


def test_a_batch_is_found_by_its_metadata_when_the_store_is_lost(
    batch_server: BatchServer, tmp_path: Path
) -> None:
    batch_server.ending = once(Ending(good=[good_line(f"k{i}#0") for i in range(5)], looks=2))
    with pytest.raises(Killed):
        runner(batch_server, SqliteStore(tmp_path / "a"), clock=Clock(kill_after=0)).ask_all(some_requests())
    answers = runner(batch_server, SqliteStore(tmp_path / "b")).ask_all(some_requests())
    assert all(answer.texts for answer in answers)
    assert len(batch_server.inputs) == 1


def test_a_submission_that_timed_out_but_arrived_is_not_repeated(
    batch_server: BatchServer, store: SqliteStore
) -> None:
    def lose_the_answer(seen: Seen) -> Reply | None:
        if seen.method == "POST" and seen.path == "/v1/batches" and not batch_server.batches:
            batch_server.create(seen.json)
            return Reply(b"", 504)
        return None

    batch_server.trouble = lose_the_answer
    answers = runner(batch_server, store).ask_all(some_requests())
    assert all(answer.texts for answer in answers)
    assert len(batch_server.inputs) == 1


def once(first: Ending) -> Callable[[list[Any]], Ending]:
    """This ending for the first batch, good ones for the others."""
    left = [first]
    return lambda lines: left.pop() if left else Ending(good=[good_line(line["custom_id"]) for line in lines])


@pytest.mark.parametrize("status", ["expired", "cancelled", "completed"])
def test_only_what_is_missing_is_submitted_again(
    batch_server: BatchServer, store: SqliteStore, status: str
) -> None:
    expired = (
        b'{"custom_id": "k3#0", "response": null, "error": {"code": "batch_expired", "message": "late"}}'
    )
    batch_server.ending = once(Ending(status, good=[good_line("k0#0"), good_line("k2#0")], bad=[expired]))
    answers = runner(batch_server, store).ask_all(some_requests())
    assert all(answer.texts for answer in answers)
    assert asked(batch_server)[1] == ["k1#0", "k3#0", "k4#0"]


@pytest.mark.parametrize("cancelled", ["cancelled", "cancelling"])
def test_a_batch_without_progress_is_given_up(
    batch_server: BatchServer, store: SqliteStore, cancelled: str
) -> None:
    """As of a server that was killed, whose batch then stays in progress for ever."""
    batch_server.ending = once(Ending(looks=10**9, cancelled=cancelled))
    clock = Clock()
    answers = runner(batch_server, store, clock=clock).ask_all(some_requests())
    assert all(answer.texts for answer in answers)
    assert [batch["metadata"]["emojudge_attempt"] for batch in batch_server.batches.values()] == ["0", "1"]
    assert clock.now - 1_000_000 <= 2 * (LIMITS.stall + LIMITS.poll)


def test_slow_progress_ends_at_the_deadline(batch_server: BatchServer, store: SqliteStore) -> None:
    batch_server.ending = once(Ending(looks=10**9))

    def advance(seen: Seen) -> None:
        if seen.method == "GET" and (batch := batch_server.batches.get("batch-0")):
            batch["request_counts"]["completed"] += 1

    batch_server.trouble = advance
    clock = Clock()
    assert all(a.texts for a in runner(batch_server, store, clock=clock).ask_all(some_requests()))
    assert LIMITS.deadline < clock.now - 1_000_000 <= LIMITS.deadline + 2 * LIMITS.poll


def test_what_no_batch_answers_is_an_error_that_the_next_run_tries_again(
    batch_server: BatchServer, store: SqliteStore
) -> None:
    good = batch_server.ending
    batch_server.ending = lambda lines: Ending(good=[good_line("k0#0")] if len(lines) == 2 else [])
    answers = runner(batch_server, store).ask_all(some_requests(2))
    assert answers[0].texts == ("H",)
    assert answers[1].error == "its batch is completed and has no answer to it"
    assert answers[1].transient
    assert asked(batch_server) == [["k0#0", "k1#0"], ["k1#0"], ["k1#0"]]
    batch_server.ending = good
    assert all(answer.texts for answer in runner(batch_server, store).ask_all(some_requests(2)))
    assert asked(batch_server)[3:] == [["k1#0"]]


def test_a_line_that_spoils_its_batch_is_left_out_of_the_next(
    batch_server: BatchServer, store: SqliteStore
) -> None:
    problems = [{"code": "invalid_request", "line": 2, "message": "Messages must be an array"}]
    batch_server.ending = once(Ending("failed", problems=problems))
    answers = runner(batch_server, store).ask_all(some_requests(3))
    assert [answer.error for answer in answers] == [None, "invalid_request: Messages must be an array", None]
    assert asked(batch_server)[1] == ["k0#0", "k2#0"]


def test_a_batch_that_failed_as_a_whole_says_why(batch_server: BatchServer, store: SqliteStore) -> None:
    problem = {"code": "billing_hard_limit_reached", "line": None, "message": "Pay first."}
    batch_server.ending = lambda lines: Ending("failed", problems=[problem])
    (answer,) = runner(batch_server, store).ask_all(some_requests(1))
    assert answer.error == "billing_hard_limit_reached: Pay first."
    assert answer.transient


def test_a_full_queue_is_waited_for(batch_server: BatchServer, store: SqliteStore) -> None:
    problem = {"code": "token_limit_exceeded", "line": None, "message": "Enqueued token limit reached"}
    left = [Ending("failed", problems=[problem]) for _ in range(4)]
    good = batch_server.ending
    batch_server.ending = lambda lines: left.pop() if left else good(lines)
    clock = Clock()
    assert all(
        a.texts
        for a in runner(batch_server, store, replace(LIMITS, stall=1e4), clock).ask_all(some_requests())
    )
    assert clock.now - 1_000_000 >= 4 * 10 * LIMITS.poll


def test_a_queue_that_stays_full_ends(batch_server: BatchServer, store: SqliteStore) -> None:
    problem = {"code": "token_limit_exceeded", "line": None, "message": "Enqueued token limit reached"}
    batch_server.ending = lambda lines: Ending("failed", problems=[problem])
    (answer,) = runner(batch_server, store).ask_all(some_requests(1))
    assert answer.error is not None
    assert "token_limit_exceeded" in answer.error


def test_garbage_duplicates_and_strangers_harm_nobody(batch_server: BatchServer, store: SqliteStore) -> None:
    garbage = [b"{", b"[]", b"\xff\xfe", b'{"custom_id": 7}', good_line("stranger#0"), b"", b"  "]
    twice = [good_line("k0#0", "first"), b'{"custom_id": "k0#0", "error": {"message": "again"}}']
    batch_server.ending = lambda lines: Ending(good=[*garbage, *twice, good_line("k1#0")])
    answers = runner(batch_server, store).ask_all(some_requests(2))
    assert [answer.texts for answer in answers] == [("first",), ("H",)]
    assert store.answers(["stranger", "stranger#0", ""]) == {}


def test_equal_requests_are_asked_once_and_different_ones_of_one_key_are_refused(
    batch_server: BatchServer, store: SqliteStore
) -> None:
    request = make_request("k")
    first, second = runner(batch_server, store).ask_all([request, request])
    assert first == second
    assert asked(batch_server) == [["k#0"]]
    with pytest.raises(ProviderError, match="two different requests"):
        runner(batch_server, store).ask_all([request, make_request("k", "other words")])


def test_shards_keep_to_the_limits(batch_server: BatchServer, store: SqliteStore) -> None:
    limits = replace(LIMITS, lines=2, size=2_000)
    long = make_request("long", "x" * 3_000)
    answers = runner(batch_server, store, limits).ask_all([*some_requests(), long])
    assert [len(lines) for lines in asked(batch_server)] == [2, 2, 1]
    assert all(answer.texts for answer in answers[:5])
    assert answers[5].error is not None
    assert "2000 bytes" in answers[5].error
    assert not answers[5].transient


def refuse_temperature(lines: list[Any]) -> Ending:
    ending = Ending()
    for line in lines:
        if "temperature" in line["body"]:
            words = "Error code: 400 - Unsupported parameter: 'temperature'"
            ending.bad.append(b'{"custom_id": "%s", "error": {"message": "%s"}}' % (
                line["custom_id"].encode(), words.encode()
            ))  # fmt: skip
        else:
            ending.good.append(good_line(line["custom_id"]))
    return ending


def test_refused_parameters_are_left_out_of_the_next_batch(
    batch_server: BatchServer, store: SqliteStore
) -> None:
    batch_server.ending = refuse_temperature
    requests = some_requests(2, temperature=0.3)
    answers = runner(batch_server, store, replace(LIMITS, attempts=1)).ask_all(requests)
    assert [(answer.texts, answer.dropped) for answer in answers] == [(("H",), ("temperature",))] * 2
    assert len(batch_server.inputs) == 2


def test_what_was_learned_is_known_after_a_kill(batch_server: BatchServer, store: SqliteStore) -> None:
    batch_server.ending = lambda lines: replace(refuse_temperature(lines), looks=2)
    requests = some_requests(2, temperature=0.3)
    with pytest.raises(Killed):
        runner(batch_server, store, clock=Clock(kill_after=1)).ask_all(requests)
    answers = runner(batch_server, store).ask_all(requests)
    assert [answer.dropped for answer in answers] == [("temperature",)] * 2
    assert len(batch_server.inputs) == 2


def test_of_a_request_in_parts_only_the_missing_part_is_asked_again(
    batch_server: BatchServer, store: SqliteStore
) -> None:
    batch_server.ending = once(Ending(good=[good_line("k#0", "A"), good_line("k#2", "S")]))
    (answer,) = runner(batch_server, store).ask_all([make_request("k", samples=3)])
    assert answer.texts == ("A", "H", "S")
    assert asked(batch_server) == [["k#0", "k#1", "k#2"], ["k#1"]]


def test_a_server_that_stumbles_is_asked_again(batch_server: BatchServer, store: SqliteStore) -> None:
    """Once each: a poll without JSON, one of another type, a download that breaks off."""
    replies = {
        "/v1/batches/batch-0": [Reply(b"<html>"), Reply(b"[]"), Reply(b"", 500)],
        "/v1/files/file-1/content": [Reply(good_line("k0#0"), missing=50), Reply(b"", 503)],
    }

    def stumble(seen: Seen) -> Reply | None:
        left = replies.get(seen.path)
        return left.pop() if left else None

    batch_server.trouble = stumble
    assert all(answer.texts for answer in runner(batch_server, store).ask_all(some_requests()))
    assert len(batch_server.inputs) == 1
    assert not any(replies.values())


def test_a_server_that_is_gone_gives_errors_that_may_pass(
    batch_server: BatchServer, store: SqliteStore
) -> None:
    batch_server.trouble = lambda seen: Reply({"error": {"message": "away"}}, 503)
    answers = runner(batch_server, store).ask_all(some_requests(2))
    assert all(answer.error and answer.transient for answer in answers)
    batch_server.trouble = lambda seen: None
    assert all(answer.texts for answer in runner(batch_server, store).ask_all(some_requests(2)))


def test_a_server_without_batches_is_not_waited_for(batch_server: BatchServer, store: SqliteStore) -> None:
    batch_server.trouble = lambda seen: Reply({"error": {"message": "no such path"}}, 404)
    clock = Clock(kill_after=0)
    answers = runner(batch_server, store, clock=clock).ask_all(some_requests(2))
    assert all("could not be submitted" in (answer.error or "") for answer in answers)
    assert len([seen for seen in batch_server.seen if seen.method == "POST"]) == 1


def test_nothing_is_submitted_twice_while_the_server_does_not_say(
    batch_server: BatchServer, store: SqliteStore
) -> None:
    """The answer to the submission is lost, and the list of batches cannot be had for a while."""
    away = [Reply(b"", 503), Reply(b"", 500)]

    def trouble(seen: Seen) -> Reply | None:
        if seen.method == "POST" and seen.path == "/v1/batches" and not batch_server.batches:
            batch_server.create(seen.json)
            return Reply(b"", 504)
        if batch_server.batches and seen.path.startswith("/v1/batches?") and away:
            return away.pop()
        return None

    batch_server.trouble = trouble
    answers = runner(batch_server, store, replace(LIMITS, attempts=4)).ask_all(some_requests())
    assert all(answer.texts for answer in answers)
    assert len(batch_server.inputs) == 1
    assert away == []


def test_a_batch_that_the_server_forgot_is_submitted_again(
    batch_server: BatchServer, store: SqliteStore
) -> None:
    batch_server.ending = once(Ending(looks=10**9))
    with pytest.raises(Killed):
        runner(batch_server, store, clock=Clock(kill_after=1)).ask_all(some_requests())
    del batch_server.batches["batch-0"]
    batch_server.batches["other"] = {
        "id": "other",
        "object": "batch",
        "status": "completed",
        "metadata": None,
    }
    assert all(answer.texts for answer in runner(batch_server, store).ask_all(some_requests()))
    assert len(batch_server.inputs) == 2


def test_a_key_that_comes_back_is_not_kept(
    batch_server: BatchServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("EMOJUDGE_API_KEY", key := "sk-do-not-show-me-1234567890")
    bad = b'{"custom_id": "k0#0", "error": {"message": "wrong key %s"}}' % key.encode()
    problem = {"code": "bad", "line": None, "message": f"wrong key {key}"}
    batch_server.ending = lambda lines: Ending("failed", bad=[bad], problems=[problem])
    store = SqliteStore(tmp_path / "store")
    answers = runner(batch_server, store).ask_all(some_requests(2))
    batch_server.trouble = lambda seen: Reply({"error": {"message": f"wrong key {key}"}}, 401)
    answers += runner(batch_server, store).ask_all(some_requests(3))
    store.close()
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"wrong key" in kept
    assert "wrong key" in caplog.text
    assert key not in kept.decode("latin-1") + repr(answers) + caplog.text
