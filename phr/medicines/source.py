"""A text file the operator supplies: its encoding found, its bytes hashed, its lines given one at a time.

The rule: a file that cannot be read whole is refused with its name and the line, before anything is changed.
"""

import codecs
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ENCODINGS = ("utf-8-sig", "cp1252", "latin-1")
"""Tried in this order: the first that reads the whole file. Latin-1 reads anything."""
_PIECE = 1 << 20


class FileError(ValueError):
    """Why a file is refused: one sentence that names it, and the line when it is one line's fault."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file, examined: `sha256` of its bytes, and how many lines it has."""

    path: Path
    encoding: str
    sha256: str
    lines: int

    def __iter__(self) -> Iterator[tuple[int, str]]:
        """Its lines from 1, without their ends; blank ones left out. Raises FileError."""
        with self.path.open(encoding=self.encoding, newline="\n") as file:
            for number, line in enumerate(file, start=1):
                if "\0" in line:
                    raise self.fault(number, "this is not text")
                if kept := line.rstrip("\r\n"):
                    yield number, kept

    def fault(self, line: int, why: str) -> FileError:
        """The error to raise about one line."""
        return FileError(f"{self.path.name}, line {line}: {why}")


def examine(path: Path) -> Source:
    """Read a file once, for its hash, its encoding and its length. Raises FileError."""
    digest, lines = hashlib.sha256(), 0
    readers = {name: codecs.getincrementaldecoder(name)() for name in ENCODINGS}
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                lines += piece.count(b"\n")
                readers = {name: reader for name, reader in readers.items() if _reads(reader, piece)}
    except OSError as error:
        raise FileError(f"{path} cannot be read ({type(error).__name__})") from None
    readers = {name: reader for name, reader in readers.items() if _reads(reader, b"", final=True)}
    return Source(path, next(iter(readers)), digest.hexdigest(), lines)


def _reads(reader: codecs.IncrementalDecoder, piece: bytes, *, final: bool = False) -> bool:
    try:
        reader.decode(piece, final)
    except UnicodeDecodeError:
        return False
    return True
