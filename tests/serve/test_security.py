"""Who may ask, how much, how often; and what is never opened or fetched."""

import contextlib
import http.server
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest

from emojudge.errors import EmojudgeError
from emojudge.serve.fetch import allowed, check_prefix, fetch, is_public, resolve
from emojudge.serve.problems import Problem
from emojudge.serve.security import Rates
from emojudge.serve.settings import Settings, read_token
from tests.serve.serving import Server, served, voice, wav

TOKEN = "a token of the tests"


def test_other_hosts_and_other_sites_are_refused(server: Server) -> None:
    for host, status in (
        (f"localhost:{server.port}", 200),
        ("127.0.0.1", 200),
        ("LOCALHOST", 200),
        ("[::1]:80", 200),
        ("example.org", 421),
        ("localhost.example.org", 421),
        ("", 421),
    ):
        assert server.ask("GET", "/v1/models", headers={"Host": host}).status == status, host
    own = f"127.0.0.1:{server.port}"
    for origin, status in ((f"http://{own}", 200), ("https://example.org", 403), ("null", 403)):
        assert server.ask("GET", "/v1/models", headers={"Host": own, "Origin": origin}).status == status, (
            origin
        )


def test_the_page_is_open_and_has_nothing_inline(server: Server) -> None:
    page = server.ask("GET", "/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.search(rb"<script(?![^>]*\ssrc=)|<style|\son\w+=|\sstyle=", page.body)
    for needed in re.findall(rb'(?:src|href)="(/page/[^"]+)"', page.body):
        assert server.ask("GET", needed.decode()).status == 200
    for path in ("/page/none.css", "/page/../app.py", "/page/%2e%2e/app.py", "/page//etc/passwd"):
        answer = server.ask("GET", path)
        assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")


def test_browsers_are_told_what_to_refuse(server: Server) -> None:
    for path in ("/v1/models", "/nowhere", "/healthz"):
        headers = server.ask("GET", path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert not [name for name in headers if name.startswith("access-control")]
        assert "server" not in headers


def test_the_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    with served(
        tmp_path / "data", "--host", "127.0.0.1", "--token-file", str(file), "--allow-host", "in.example"
    ) as server:
        assert server.ask("GET", "/healthz").status == 200
        assert server.ask("GET", "/readyz").status == 200
        assert server.ask("GET", "/").status == 200
        for path in ("/v1/models", "/metrics", "/openapi.json", "/v1/jobs", "/nowhere"):
            answer = server.ask("GET", path)
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer"), path
        for given in ("Bearer wrong", "Basic " + TOKEN, "Bearer " + TOKEN + "x", "Bearer \xff"):
            assert server.ask("GET", "/v1/models", headers={"Authorization": given}).status == 401
        good = {"Authorization": f"Bearer {TOKEN}"}
        assert server.ask("GET", "/v1/models", headers=good).status == 200
        assert server.ask("GET", "/v1/models", headers=good | {"Host": "in.example"}).status == 200
        assert server.ask("GET", "/v1/models", headers=good | {"Host": "out.example"}).status == 421
    log = (server.data / "audit.jsonl").read_text() + "".join(server.said)  # whole, since it has ended
    assert TOKEN not in log


def test_nothing_that_was_sent_is_in_the_audit_log(tmp_path: Path) -> None:
    with served(tmp_path / "data") as server:
        server.upload(
            "/v1/predict",
            ("secret-name.wav", wav(voice(0.5))),
            fields=(("transcript", "secret words"),),
        )
    (line,) = (server.data / "audit.jsonl").read_text().splitlines()  # a line comes after its answer
    assert "secret" not in line
    asked = json.loads(line)
    assert (asked["route"], asked["method"], asked["status"]) == ("/v1/predict", "POST", 200)
    assert asked["received_bytes"] > 16_000
    assert asked["client"] == "127.0.0.1"


def test_another_address_needs_a_token(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no token"), served(tmp_path / "data", "--host", "0.0.0.0"):
        pass
    with served(tmp_path / "data", "--host", "0.0.0.0", token=TOKEN) as server:
        good = {"Authorization": f"Bearer {TOKEN}", "Host": "anything.example"}
        assert server.ask("GET", "/v1/models", headers=good).status == 200


def test_tokens_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o644)
    with pytest.raises(EmojudgeError, match="everybody can read"):
        read_token(file)
    with pytest.raises(EmojudgeError, match="at least 16"):
        Settings(data=tmp_path, token="short")
    assert TOKEN not in repr(Settings(data=tmp_path, token=TOKEN))


def test_too_large_whatever_the_header_says(tmp_path: Path) -> None:
    content = wav(voice(4.0))
    with served(tmp_path / "data", "--max-upload", "0.1", "--rate", "0") as server:
        answer = server.upload("/v1/predict", ("a.wav", content))
        assert (answer.status, answer.headers["content-type"]) == (413, "application/problem+json")
        answer = chunked(server, "/v1/predict", content)
        assert answer[0] == 413
        assert chunked(server, "/v1/judge", b"[" * 2**21)[0] == 413
        small = server.upload("/v1/predict", ("a.wav", wav(voice(1.0))))
        assert small.status == 200


def test_a_client_has_a_budget_of_requests(tmp_path: Path) -> None:
    with served(tmp_path / "data", "--rate", "5") as server:
        answers = [server.ask("GET", "/v1/models") for _ in range(7)]
        assert [answer.status for answer in answers] == [200] * 5 + [429] * 2
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 13
        assert server.ask("GET", "/healthz").status == 200


def test_a_budget_fills_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    rates = Rates(60)
    for _ in range(60):
        rates.count("one")
    with pytest.raises(Problem, match="at most 60 a minute"):
        rates.count("one")
    rates.count("another")
    now = 1.0
    rates.count("one")
    with pytest.raises(Problem):
        rates.count("one")


def test_a_full_queue_says_when_to_come_back(tmp_path: Path) -> None:
    content = wav(voice(2.0))
    with served(tmp_path / "data", "--rate", "0", "--workers", "1") as server:
        files = [(f"{n}.wav", content) for n in range(32)]

        def ask(_: int) -> tuple[int, str | None]:
            answer = server.upload("/v1/predict", *files)
            return answer.status, answer.headers.get("retry-after")

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(ask, range(4)))
        assert sorted(status for status, _ in answers) == [200, 200, 429, 429]
        waits = [int(wait) for status, wait in answers if status == 429 and wait]
        assert len(waits) == 2
        assert all(1 <= wait <= 60 for wait in waits)
        assert server.upload("/v1/predict", ("a.wav", content)).status == 200
        assert b"emojudge_queue_depth 0.0" in server.ask("GET", "/metrics").body


def test_prefixes_are_compared_part_by_part() -> None:
    prefixes = [check_prefix("https://bucket.example.org/calls")]
    assert allowed("https://bucket.example.org/calls/a.wav?x=1", prefixes).path == "/calls/a.wav"
    assert allowed("https://BUCKET.example.org:443/calls/a.wav", prefixes)
    for url in (
        "http://bucket.example.org/calls/a.wav",
        "https://bucket.example.org:8443/calls/a.wav",
        "https://bucket.example.org.evil.example/calls/a.wav",
        "https://bucket.example.org@evil.example/calls/a.wav",
        "https://user@bucket.example.org/calls/a.wav",
        "https://bucket.example.org/calls-private/a.wav",
        "https://bucket.example.org/calls/../private/a.wav",
        "https://bucket.example.org/calls/%2e%2e/private/a.wav",
        "https://bucket.example.org/calls/%252e%252e/private/a.wav",
        "https://bucket.example.org/calls\\..\\private",
        "file:///calls/a.wav",
        "//bucket.example.org/calls/a.wav",
        "https://[::1/calls/",
        "",
    ):
        with pytest.raises(Problem):
            allowed(url, prefixes)
    for prefix in ("bucket", "ftp://x/", "https://", "https://u@x/", "https://x/?a", "https://x:99999/"):
        with pytest.raises(EmojudgeError):
            check_prefix(prefix)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.9.9", "169.254.169.254", "0.0.0.0", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1", "2002:7f00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_inner_addresses_in_all_their_spellings(address: str) -> None:
    assert not is_public(address)


def test_a_name_of_this_computer_is_not_fetched(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="inner address"):
        resolve("localhost", 80)
    with web({"/a.wav": wav(voice(0.5))}) as port:
        prefix = f"http://localhost:{port}/"
        with served(tmp_path / "data", "--allow-url-prefix", prefix) as server:
            answer = server.ask("POST", "/v1/predict", {"inputs": [{"url": f"{prefix}a.wav"}]})
            assert (answer.status, answer.json["found"]) == (403, "a host with an inner address")
            assert server.ask("POST", "/v1/jobs", {"url": f"{prefix}a.wav"}).status == 403


def test_what_is_allowed_is_fetched_by_the_number_that_was_checked() -> None:
    content = wav(voice(0.5))
    asked: list[str] = []

    def resolved(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with web({"/ok/a.wav": content, "/ok/moved": "/ok/a.wav", "/ok/out": "http://evil.invalid/"}) as port:
        prefixes = [check_prefix(f"http://name.invalid:{port}/ok/")]
        base = f"http://name.invalid:{port}/ok"
        for name in ("a.wav", "moved"):
            with fetch(f"{base}/{name}", prefixes, 10**6, resolved) as file:
                file.seek(0)
                assert file.read() == content
        assert asked == ["name.invalid"] * 3  # a redirect is checked as the first address was
        for url, status in (("out", 403), ("none", 422), ("loop", 422)):
            with pytest.raises(Problem) as problem:
                fetch(f"{base}/{url}", prefixes, 10**6, resolved)
            assert problem.value.status_code == status
        with pytest.raises(Problem) as problem:
            fetch(f"{base}/a.wav", prefixes, 1_000, resolved)
        assert problem.value.status_code == 413


@contextlib.contextmanager
def web(pages: dict[str, bytes | str]) -> Iterator[int]:
    """A web server on this computer: bytes are files, texts are where to go instead."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path, "/ok/loop" if self.path == "/ok/loop" else b"")
            self.send_response(302 if isinstance(page, str) else 200 if page else 404)
            if isinstance(page, str):
                self.send_header("Location", page)
            self.send_header("Content-Length", str(len(page) if isinstance(page, bytes) else 0))
            self.end_headers()
            if isinstance(page, bytes):
                self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield running.server_port
    finally:
        running.shutdown()
        running.server_close()


def chunked(server: Server, path: str, content: bytes) -> tuple[int, bytes]:
    """A body whose length is not said; the server may answer, and hang up, before it is through."""
    kind = "multipart/form-data; boundary=b" if path == "/v1/predict" else "application/json"
    head = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' if "form" in kind else b""
    )
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.putrequest("POST", path)
    connection.putheader("Content-Type", kind)
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    data = head + content + (b"\r\n--b--\r\n" if head else b"")
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for start in range(0, len(data), 65_536):
            piece = data[start : start + 65_536]
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        connection.send(b"0\r\n\r\n")
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_a_body_that_stops_coming_does_not_hold_up_the_others(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(
            b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b"
        )
        assert server.ask("GET", "/healthz").status == 200
        assert b"emojudge_queue_depth 0.0" in server.ask("GET", "/metrics").body
