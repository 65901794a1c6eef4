"""The files of a zip that came by mail, read within bounds.

The rule: what a zip says of itself is not believed: bytes are counted as they come out, and a name stays inside.
"""

import stat
from io import BytesIO
from struct import error as StructError  # noqa: N812
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo
from zlib import error as DeflateError  # noqa: N812

MAGIC = b"PK\x03\x04"
MOST_FILES = 200
LONGEST_NAME = 200
LARGEST = 64 << 20
"""Bytes of all the files together, unpacked."""

_END, _END_BYTES = b"PK\x05\x06", 22
_LOCATOR_64 = b"PK\x06\x07"
_LARGEST_DIRECTORY = MOST_FILES * (46 + 2 * LONGEST_NAME)
_ENCRYPTED = 0x1

_UNREADABLE = (BadZipFile, DeflateError, EOFError, NotImplementedError, OSError, RuntimeError, StructError, ValueError)


class ArchiveError(Exception):
    """A zip that is not read; the message says why, and names nothing that is in it."""


def is_zip(data: bytes) -> bool:
    """Whether these bytes begin as a zip does."""
    return data.startswith((MAGIC, _END))


def unpacked(data: bytes) -> dict[str, bytes]:
    """Its files by name, folders aside. Raises ArchiveError.

    Refused: too many files or bytes, names that leave the archive or come twice, links, encryption, zips in the zip.
    """
    _check_directory(data)
    found: dict[str, bytes] = {}
    left = LARGEST
    try:
        with ZipFile(BytesIO(data)) as archive:
            listed = archive.infolist()
            if len(listed) > MOST_FILES:
                raise ArchiveError("The archive holds too many files.")
            for info in listed:
                _check_name(info, found)
                if info.is_dir():
                    continue
                content = _read(archive, info, left)
                left -= len(content)
                found[info.filename] = content
    except _UNREADABLE:
        raise ArchiveError("The archive cannot be read.") from None
    return found


def _check_directory(data: bytes) -> None:
    """The end of the archive, where `zipfile` will look for it: a directory of a million entries is never read."""
    end = data[-_END_BYTES:]
    if not end.startswith(_END) or end[-2:] != b"\0\0" or data[-_END_BYTES - 20 :].startswith(_LOCATOR_64):
        raise ArchiveError("The archive cannot be read.")
    if int.from_bytes(end[12:16], "little") > _LARGEST_DIRECTORY:
        raise ArchiveError("The archive holds too many files.")


def _check_name(info: ZipInfo, found: dict[str, bytes]) -> None:
    name = info.filename
    parts = name.removesuffix("/").split("/")
    # `filename` ends at a NUL, `orig_filename` does not; a system may take a backslash or a colon for a separator.
    odd = info.orig_filename != name or "\\" in name or ":" in name or not name.isprintable()
    if odd or len(name) > LONGEST_NAME or any(part in ("", ".", "..") for part in parts):
        raise ArchiveError("A name in the archive leaves it, or cannot be read.")
    if name.lower() in (one.lower() for one in found):
        raise ArchiveError("A name comes twice in the archive.")
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveError("The archive holds something that is not a file.")
    if info.flag_bits & _ENCRYPTED or info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise ArchiveError("The archive is encrypted, or packed in a way that is not read.")


def _read(archive: ZipFile, info: ZipInfo, left: int) -> bytes:
    with archive.open(info) as file:
        content = file.read(left + 1)
    if len(content) > left:
        raise ArchiveError("The archive holds too many bytes.")
    if is_zip(content):
        raise ArchiveError("The archive holds another archive.")
    return content
