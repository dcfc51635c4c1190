"""OpenAI's Batch API (EmoJudge, section 2.4), and servers that imitate it: cheap, slow, and found again.

A batch outlives us. Before it is submitted, the store knows its content, and the batch itself carries a hash
in its metadata: whatever kills us, the next run picks it up instead of paying twice. A batch may also never
end, where its server was killed: then it is cancelled, what it finished is read, and what is missing is
submitted again.
"""

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from emojudge.errors import ProviderError
from emojudge.judge.exchange import Answer, Request
from emojudge.judge.providers.chat import Call, calls, dropped, failure, join
from emojudge.judge.providers.lines import ENDPOINT, cut_files, read_line
from emojudge.judge.providers.openai import Chat, sdk
from emojudge.judge.providers.store import Shard, Store, settled

ENDED = ("completed", "failed", "expired", "cancelled")
HASH, ATTEMPT = "emojudge_shard", "emojudge_attempt"  # in a batch's metadata
LISTED = 1_000  # batches that are looked through for a lost one, newest first
CANCELLING = 900.0  # seconds; OpenAI takes up to ten minutes to cancel
QUEUE_FULL = "token_limit_exceeded"  # why a batch failed that will do once others are through
WAIT_POLLS = 10  # polls until it is submitted again, or a server that is away is asked again

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """How much goes into a batch, and how long it may take. Times are in seconds."""

    lines: int = 50_000  # of a file; OpenAI's limit
    size: int = 200_000_000  # bytes of a file; OpenAI's limit
    poll: float = 30.0  # between two looks
    deadline: float = 26 * 3_600.0  # from submission to end; OpenAI promises 24 hours
    stall: float = 26 * 3_600.0  # without any progress; less is right for a server of one's own
    attempts: int = 3  # submissions of one request before it becomes an error


class Batches:
    """Requests to one model by its server's Batch API, with all state in a store."""

    def __init__(
        self,
        provider: Chat,
        store: Store,
        limits: Limits | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._provider = provider
        self._client = provider.client
        self._store = store
        self._limits = limits or Limits()
        self._attempts = self._limits.attempts
        self._sleep = sleep
        self._clock = clock
        self._tries: Counter[str] = Counter()  # submissions that left a call unanswered
        self._failed: dict[str, Answer] = {}  # the last of each such call
        self._seen: dict[str, tuple[object, float]] = {}  # a batch's last news, and since when
        self._advanced = clock()  # when any batch last brought an answer
        self._wait = False  # before anything more is submitted

    def ask_all(self, requests: Sequence[Request]) -> list[Answer]:
        """The answers to `requests`, in their order; blocks until all are there or given up.

        Batches under way are picked up first. A call that no batch answered in `Limits.attempts` submissions
        becomes an error, which the next run tries again.

        Raises:
            ProviderError: one key for two different requests.
        """
        unique = _distinct(requests)
        while missing := self._missing(list(unique.values())):
            shards = self._under_way(missing)
            held = {key for shard in shards for key in shard.keys}
            fresh = [c for c in missing.values() if c.key not in held and self._may_try(c.key)]
            if not fresh and not any(s.batch or any(map(self._may_try, s.keys)) for s in shards):
                break
            if self._wait:
                self._sleep(WAIT_POLLS * self._limits.poll)
                self._wait = False
            shards += [self._submit(some, data) for some, data in self._files(fresh)]
            self._follow(shards)
        found = self._store.answers(list(unique))
        rest = {key: self._best(request) for key, request in unique.items() if not settled(found.get(key))}
        return [rest[request.key] if request.key in rest else found[request.key] for request in requests]

    # ----------------------------------------------------------------------------------------------- planning

    def _missing(self, requests: list[Request]) -> dict[str, Call]:
        """The calls without an answer; requests whose calls are all answered are joined and kept."""
        found = self._store.answers([request.key for request in requests])
        todo = [request for request in requests if not settled(found.get(request.key))]
        capabilities = self._provider.capabilities
        planned = [calls(request, self._provider.model, capabilities) for request in todo]
        parts = self._store.answers([call.key for some in planned for call in some])
        missing, complete = {}, []
        for request, some in zip(todo, planned, strict=True):
            lacking = [call for call in some if not settled(parts.get(call.key))]
            missing.update({call.key: call for call in lacking})
            if not lacking:
                lost = dropped(request, capabilities)
                complete.append(join(request, [parts[call.key] for call in some], lost))
        self._store.keep(complete)
        return missing

    def _best(self, request: Request) -> Answer:
        """What there is of an answer after everything was tried."""
        capabilities = self._provider.capabilities
        planned = calls(request, self._provider.model, capabilities)
        parts = self._store.answers([call.key for call in planned])
        got = [
            parts[call.key]
            if settled(parts.get(call.key))
            else self._failed.get(call.key, failure(call.key, "no batch answered it", transient=True))
            for call in planned
        ]
        return join(request, got, dropped(request, capabilities))

    def _may_try(self, key: str) -> bool:
        return self._tries[key] < self._attempts

    def _files(self, some: list[Call]) -> list[tuple[list[Call], bytes]]:
        """The calls in files that the server takes; a call that fits into none is an error."""
        files, oversized = cut_files(some, self._limits.lines, self._limits.size)
        error = f"a line for it is longer than the {self._limits.size} bytes of a batch's file"
        self._store.keep([failure(call.key, error, transient=False) for call in oversized])
        return files

    # --------------------------------------------------------------------------------------------- submitting

    def _under_way(self, missing: dict[str, Call]) -> list[Shard]:
        """The shards of earlier rounds or runs that may answer something missing.

        One that still has no batch is among them while its server does not say whether it got the batch: what
        it holds must not be submitted twice.
        """
        found = []
        for shard in self._store.shards():
            if missing.keys().isdisjoint(shard.keys):
                continue
            self._provider.leave_out(*shard.refused)
            if shard.state == "submitting":  # we were killed there, or the server's answer was lost
                try:
                    shard = self._adopt(shard) or replace(shard, state="closed")
                except Exception as error:
                    self._unsubmitted(shard, error)
                self._keep(shard)
            if shard.state != "closed":
                found.append(shard)
        return found

    def _submit(self, some: list[Call], data: bytes) -> Shard:
        """Submit a file of calls, unless the server has a batch of this content that no shard knows."""
        content = hashlib.sha256(data).hexdigest()
        attempt = sum(shard.content == content for shard in self._store.shards())
        refused = self._provider.capabilities.refused
        keys = tuple(call.key for call in some)
        shard = self._keep(Shard(content, attempt, keys, "submitting", self._clock(), refused=refused))
        try:
            if adopted := self._adopt(shard):
                return self._keep(adopted)
            file = self._client.files.create(file=(f"{content[:16]}.jsonl", data), purpose="batch")
            shard = replace(shard, file=str(file.id))
            # Without the SDK's retries: a request that timed out may have made the batch all the same.
            batch = self._client.with_options(max_retries=0).batches.create(
                input_file_id=file.id,
                endpoint=ENDPOINT,
                completion_window="24h",
                metadata={HASH: content, ATTEMPT: str(attempt)},
            )
            shard = replace(shard, batch=str(batch.id), state="open")
        except Exception as error:  # of the SDK, or of whatever the server sent it
            self._unsubmitted(shard, error)
        return self._keep(shard)

    def _unsubmitted(self, shard: Shard, error: Exception) -> None:
        said = f"the batch could not be submitted: {error}"
        log.warning("%s", self._provider.redact(failure("", said, transient=True)).error)
        self._unanswered(shard.keys, said)
        status = getattr(error, "status_code", 500)
        if 400 <= status < 500 and status not in (408, 409, 429):  # no batches there, or a wrong key
            self._tries.update(dict.fromkeys(shard.keys, self._attempts))
        else:
            self._wait = True

    def _adopt(self, shard: Shard) -> Shard | None:
        """The shard with the server's batch of the same content, if there is one that no shard has.

        Raises whatever the SDK raises where the server does not say.
        """
        known = {other.batch for other in self._store.shards()}
        try:
            for count, batch in enumerate(self._client.batches.list(limit=100)):
                metadata = getattr(batch, "metadata", None)
                same = isinstance(metadata, dict) and metadata.get(HASH) == shard.content
                if same and batch.id not in known and batch.status != "failed":
                    log.info("batch %s found again", batch.id)
                    return replace(shard, batch=str(batch.id), state="open")
                if count >= LISTED:
                    break
        except sdk().NotFoundError:
            log.info("%s has no list of batches", self._provider.name)
        return None

    def _keep(self, shard: Shard) -> Shard:
        self._store.keep_shard(shard)
        return shard

    # ---------------------------------------------------------------------------------------------- following

    def _follow(self, shards: list[Shard]) -> None:
        """Poll until every shard is closed."""
        shards = [shard for shard in shards if shard.batch is not None]
        while shards:
            shards = [shard for shard in map(self._look, shards) if shard.state != "closed"]
            if shards:
                self._sleep(self._limits.poll)

    def _look(self, shard: Shard) -> Shard:
        """One look at a batch: read it if it ended, give it up if it takes too long."""
        now = self._clock()
        news: object = None
        try:
            batch = self._client.batches.retrieve(shard.batch)
            counts = getattr(batch, "request_counts", None)
            news = (batch.status, getattr(counts, "completed", 0), getattr(counts, "failed", 0))
            lines = self._lines(batch) if batch.status in ENDED else None
        except sdk().NotFoundError:
            return self._close(shard, shard.keys, "the server does not know its batch any more")
        except Exception as error:  # the server is away, or sent anything: that is no progress
            log.info("batch %s: %s", shard.batch, type(error).__name__)
            lines = None
        if lines is not None:
            return self._read(shard, batch, lines)
        before, since = self._seen.get(str(shard.batch), (None, now))
        if news is not None and news != before:
            before, since = news, now
        self._seen[str(shard.batch)] = (before, since)
        if shard.state == "cancelling":
            if now - since > min(self._limits.stall, CANCELLING):
                return self._close(shard, shard.keys, "its batch came to no end")
        elif now - since > self._limits.stall or now - shard.created > self._limits.deadline:
            return self._give_up(shard, now)
        return shard

    def _give_up(self, shard: Shard, now: float) -> Shard:
        log.warning("batch %s: no end in sight, cancelled", shard.batch)
        try:
            self._client.batches.cancel(shard.batch)
        except Exception as error:  # it may have ended just now, or its server is gone
            log.info("batch %s: cannot be cancelled: %s", shard.batch, type(error).__name__)
        self._seen[str(shard.batch)] = (None, now)
        return self._keep(replace(shard, state="cancelling"))

    def _lines(self, batch: Any) -> list[bytes]:
        """The lines of both files, also of a batch that was cancelled or expired."""
        lines: list[bytes] = []
        for file in filter(None, (batch.output_file_id, batch.error_file_id)):
            try:
                lines += self._client.files.content(file).read().splitlines()
            except sdk().NotFoundError:  # files expire before their batches do
                log.warning("batch %s: its file %s is gone", batch.id, file)
        return [line for line in lines if line.strip()]

    def _read(self, shard: Shard, batch: Any, lines: list[bytes]) -> Shard:
        """Keep what a batch that ended has brought."""
        answers = [read_line(line) for line in lines] + self._rejected(shard, batch)
        keys, best = set(shard.keys), dict[str, Answer]()
        for answer in answers:
            if answer.key in keys and (answer.key not in best or not answer.error):
                answer = self._provider.redact(answer)
                best[answer.key] = replace(answer, extra=answer.extra | {"batch": str(batch.id)})
        if strange := sum(answer.key not in keys for answer in answers):
            log.warning("batch %s: %d lines answer none of its requests", batch.id, strange)
        for key in [key for key, answer in best.items() if self._provider.learn(answer, shard.refused)]:
            del best[key]  # it will be asked again without the parameter
            self._tries[key] -= 1
        self._store.keep(best.values())
        lost = [key for key in shard.keys if not settled(best.get(key))]
        self._failed.update({key: best[key] for key in lost if key in best})
        if len(lost) < len(keys):
            self._advanced = self._clock()
        return self._close(shard, lost, f"its batch is {batch.status} and has no answer to it")

    def _rejected(self, shard: Shard, batch: Any) -> list[Answer]:
        """The lines that made the whole batch fail, as the server numbers them; the others may do without."""
        data = getattr(getattr(batch, "errors", None), "data", None)
        answers: list[Answer] = []
        for problem in data if isinstance(data, list) else []:
            code, line = getattr(problem, "code", None), getattr(problem, "line", None)
            said = f"{code or 'rejected'}: {getattr(problem, 'message', None)}"
            if isinstance(line, int) and 0 < line <= len(shard.keys):
                answers.append(failure(shard.keys[line - 1], said, transient=False))
                continue
            answers += [failure(key, said, transient=True) for key in shard.keys]
            if code == QUEUE_FULL and self._clock() - self._advanced <= self._limits.stall:
                self._wait = True  # later it may pass, however often it did not
                self._tries.subtract(shard.keys)
        return answers

    def _close(self, shard: Shard, lost: Sequence[str], why: str) -> Shard:
        self._unanswered(lost, why)
        return self._keep(replace(shard, state="closed"))

    def _unanswered(self, keys: Sequence[str], why: str) -> None:
        for key in keys:
            self._tries[key] += 1
            if key not in self._failed:
                self._failed[key] = self._provider.redact(failure(key, why, transient=True))


def _distinct(requests: Sequence[Request]) -> dict[str, Request]:
    """The requests by key, in order; equal ones are one.

    Raises:
        ProviderError: one key for two different requests, whose answers could not be told apart.
    """
    unique: dict[str, Request] = {}
    for request in requests:
        if unique.setdefault(request.key, request) != request:
            raise ProviderError(
                f"request {request.key}", found="two different requests of this key", expected="one key each"
            )
    return unique
