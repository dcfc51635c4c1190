"""Who asked for what, when, and what came of it: a line of JSON a request, without content or file names."""

import json
import logging
import os
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

FILE_BYTES, FILES = 10 * 2**20, 5  # then the oldest lines go


class Audit:
    """The audit log in a folder."""

    def __init__(self, folder: Path) -> None:
        path = folder / "audit.jsonl"
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        self._handler = RotatingFileHandler(path, maxBytes=FILE_BYTES, backupCount=FILES, encoding="utf-8")

    def note(
        self, *, client: str, method: str, route: str, status: int, seconds: float, received: int, sent: int
    ) -> None:
        """One request, or one live stream when it has ended. `route` is the path's pattern, without ids."""
        row = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "client": client,
            "method": method,
            "route": route,
            "status": status,
            "seconds": round(seconds, 4),
            "received_bytes": received,
            "sent_bytes": sent,
        }
        self._handler.emit(logging.makeLogRecord({"msg": json.dumps(row)}))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()
