"""The server under load, on this computer: many clients at once, live streams, jobs through a kill -9."""

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
from websockets.sync.client import connect

from emojudge.serve.settings import Settings
from tests.serve.serving import Server, form, served, speech, wav

CLIENTS, SECONDS, CLIP = 64, 60.0, 4.0  # clients at once; seconds that they ask; of a clip
ALONE = 80  # requests one by one, before the load and after it
STREAMS, STREAMED, BLOCK = 20, 40.0, 0.25  # live streams at once; seconds of each; seconds of a message
JOBS, JOB = 20, 12.0  # jobs; seconds of a recording
PERCENTILE = 99


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Figures and bars of issue 6; `--limit SECONDS` shortens the load, for a trial."""
    seconds = min(SECONDS, float(arguments.limit))
    with tempfile.TemporaryDirectory(prefix="emojudge-load-") as folder:
        with served(Path(folder) / "load", "--rate", "0") as server:
            before, together, after = _one_by_one(server), _together(server, seconds), _one_by_one(server)
            alone = {name: (before[name] + after[name]) / 2 for name in before}  # the machine's pace wanders
            memory = server.memory() / 2**20
        with served(Path(folder) / "live", "--rate", "0") as server:
            live = _live(server)
        killed = _killed(Path(folder) / "jobs")
    depth = Settings(data=Path(folder)).queue
    bars = {
        "errors": together["errors"] == 0,
        "p99": together["p99_s"] < 3 * alone["median_s"] * depth,
        "throughput": together["per_second"] >= 2 * alone["per_second"],
        "live": live["median_lag_s"] <= 1.5,
        "jobs": killed["done"] == JOBS and killed["twice"] == 0,
    }
    found = {
        "one_by_one": alone,
        "together": together,
        "throughput_ratio": together["per_second"] / alone["per_second"],
        "p99_bar_s": 3 * alone["median_s"] * depth,
        "resident_mb": memory,
        "live": live,
        "killed": killed,
        "bars": bars,
    }
    print(json.dumps(found, indent=1))
    return found


def _bodies() -> list[tuple[bytes, str]]:
    return [form((f"{n}.wav", wav(speech(CLIP, n), subtype="PCM_16"))) for n in range(16)]


def _ask(connection: HTTPConnection, body: tuple[bytes, str]) -> tuple[int, float]:
    """Status and, where there is no room, the seconds to wait."""
    connection.request("POST", "/v1/predict", body[0], {"Content-Type": body[1]})
    answer = connection.getresponse()
    answer.read()
    return answer.status, float(answer.getheader("Retry-After") or 0)


def _one_by_one(server: Server) -> dict[str, float]:
    connection, bodies, times = HTTPConnection("127.0.0.1", server.port), _bodies(), []
    for number in range(ALONE + 5):
        at = time.perf_counter()
        status, _ = _ask(connection, bodies[number % len(bodies)])
        assert status == 200
        times.append(time.perf_counter() - at)
    times = times[5:]  # the first ones load what comes later for nothing
    return {"median_s": statistics.median(times), "per_second": len(times) / sum(times)}


def _together(server: Server, seconds: float) -> dict[str, Any]:
    bodies, times, statuses = _bodies(), [], Counter[int]()
    end = time.perf_counter() + seconds

    def client(number: int) -> None:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=120)
        while time.perf_counter() < end:
            at = time.perf_counter()
            status, wait = _ask(connection, bodies[number % len(bodies)])
            statuses[status] += 1
            if status == 200:
                times.append(time.perf_counter() - at)
            else:
                time.sleep(min(wait, max(0.0, end - time.perf_counter())))

    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    took = time.perf_counter() - began
    return {
        "clients": CLIENTS,
        "answers": len(times),
        "per_second": len(times) / took,
        "median_s": statistics.median(times),
        "p99_s": float(np.percentile(times, PERCENTILE)),
        "no_room": statuses[429],
        "errors": sum(count for status, count in statuses.items() if status not in (200, 429)),
    }


def _live(server: Server) -> dict[str, Any]:
    """Lags: from when the last sample of a passage was sent to when its prediction came."""
    lags: list[float] = []

    def client(number: int) -> None:
        data = (speech(STREAMED, number) * 32_767).astype("<i2").tobytes()
        with connect(f"ws://127.0.0.1:{server.port}/v1/stream") as talk:
            talk.send(json.dumps({"format": "pcm16"}))
            talk.recv()
            began = time.perf_counter()
            listener = threading.Thread(target=listen, args=(talk, began))
            listener.start()
            size = int(BLOCK * 32_000)
            for place, start in enumerate(range(0, len(data), size), start=1):
                time.sleep(max(0.0, began + place * BLOCK - time.perf_counter()))
                talk.send(data[start : start + size])
            talk.send("end")
            listener.join()

    def listen(talk: Any, began: float) -> None:
        for text in talk:
            message = json.loads(text)
            if message["type"] == "passage":
                lags.append(time.perf_counter() - began - message["passage"]["end"])

    with ThreadPoolExecutor(STREAMS) as pool:
        list(pool.map(client, range(STREAMS)))
    return {
        "streams": STREAMS,
        "passages": len(lags),
        "median_lag_s": statistics.median(lags),
        "p95_lag_s": float(np.percentile(lags, 95)),
    }


def _killed(data: Path) -> dict[str, Any]:
    with served(data, "--rate", "0") as server:
        jobs = [server.upload("/v1/jobs", (f"{n}.wav", wav(speech(JOB, n)))).json["id"] for n in range(JOBS)]
        while server.ask("GET", f"/v1/jobs/{jobs[JOBS // 4]}").json["state"] != "done":
            time.sleep(0.05)
        before = {job: server.ask("GET", f"/v1/jobs/{job}").json for job in jobs}
        server.kill()
    with served(data, "--rate", "0") as server:
        after = {job: server.job_when(job, seconds=300) for job in jobs}
    done = [job for job in jobs if before[job]["state"] == "done"]
    twice = sum(
        after[job]["attempts"] > 1 or after[job]["timeline"] != before[job]["timeline"] for job in done
    )
    again = sum(after[job]["attempts"] > 1 for job in jobs)
    return {"jobs": JOBS, "done_before": len(done), "done": len(after), "twice": twice, "begun_again": again}
