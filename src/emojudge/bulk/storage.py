"""Files wherever they lie, through fsspec: listed, fetched, and written whole."""

import os
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emojudge.errors import EmojudgeError, MissingExtraError


@dataclass(frozen=True)
class Storage:
    """An address: a file system, and a path in it."""

    fs: Any  # an fsspec.AbstractFileSystem
    root: str

    @classmethod
    def at(cls, url: str) -> "Storage":
        """The storage at an address, local where it has no scheme.

        Raises:
            EmojudgeError: an unknown scheme.
            MissingExtraError: fsspec, or the package that it needs for the scheme, is not installed.
        """
        try:
            import fsspec
        except ImportError as error:
            raise MissingExtraError("bulk runs", "bulk") from error
        try:
            fs, root = fsspec.url_to_fs(url)
        except ImportError as error:
            raise EmojudgeError(
                url, found="storage whose package is not installed", expected="it", advice=str(error)
            ) from error
        except ValueError as error:
            raise EmojudgeError(url, found=str(error), expected="an address that fsspec knows") from error
        return cls(fs, os.path.abspath(root) if "file" in _protocols(fs) else str(root))

    def __truediv__(self, name: str) -> "Storage":
        return Storage(self.fs, posixpath.join(self.root, name))

    @property
    def local(self) -> bool:
        return "file" in _protocols(self.fs)

    def address(self, path: str) -> str:
        """A path in this storage as an address that `at` takes."""
        return path if self.local else str(self.fs.unstrip_protocol(path))

    def beside(self, name: str) -> str:
        """The address of a file that a manifest at this one names: as it is, or relative to the manifest."""
        if "://" in name or (self.local and name.startswith("/")):
            return name
        return self.address(posixpath.join(posixpath.dirname(self.root), name))

    def files(self, wanted: Callable[[str], bool]) -> Iterator[str]:
        """Paths of the file, of what a glob matches, or of what is wanted in and under the folder, sorted."""
        try:
            if any(sign in self.root for sign in "*?[") and not self.fs.exists(self.root):
                yield from sorted(p for p in self.fs.glob(self.root) if wanted(p) and not self.fs.isdir(p))
            elif self.fs.isfile(self.root):
                yield self.root
            else:
                hidden = len(self.root.rstrip("/"))  # files and folders below it whose name begins with a dot
                found = (p for p in self.fs.find(self.root) if "/." not in p[hidden:])
                yield from sorted(p for p in found if wanted(p))
        except OSError as error:
            raise EmojudgeError(self.root, found=str(error), expected="storage that can be read") from error

    def exists(self) -> bool:
        return bool(self.fs.exists(self.root))

    def read(self) -> bytes:
        """The file's bytes. Raises OSError."""
        with self.fs.open(self.root, "rb") as file:
            return bytes(file.read())

    def fetch(self, path: str, copy: Path) -> None:
        """Copy a file to a local one.

        Raises:
            EmojudgeError: it is not there, or cannot be read.
        """
        try:
            self.fs.get_file(path, str(copy))
        except Exception as error:  # each storage has errors of its own
            what = str(error) or type(error).__name__
            where = self.address(path)
            raise EmojudgeError(where, found=what, expected="a file that can be read") from error

    def write(self, content: bytes) -> None:
        """Write a file that is there whole or not at all, and takes the place of one that was there."""
        self.fs.makedirs(posixpath.dirname(self.root), exist_ok=True)
        if not self.local:  # an object appears when all of it has arrived
            self.fs.pipe_file(self.root, content)
            return
        temporary = f"{self.root}.tmp"
        self.fs.pipe_file(temporary, content)
        self.fs.mv(temporary, self.root)


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)
