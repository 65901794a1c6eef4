"""An IHE XDM zip (IHE_XDM.ZIP): its documents, each with the metadata that describes it.

Source: IHE ITI Technical Framework, volume 2, §3.32. The rule: a document whose bytes are not those its metadata says,
by size and by hash, is not believed, and neither is the rest of the zip.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from phr.core.identifiers import INS
from phr.mssante.ebrim import Entry, MetadataError, entries

_METADATA = re.compile(r"IHE_XDM/([^/]+)/METADATA\.XML", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a submission: what is said of it, and its bytes."""

    entry: Entry
    data: bytes

    @property
    def ins(self) -> str | None:
        """The INS of the person it is about, when its metadata names one."""
        return next((ins for text in (self.entry.patient, self.entry.source_patient) if (ins := _ins(text))), None)


def is_xdm(files: Mapping[str, bytes]) -> bool:
    """Whether these files are those of an XDM medium."""
    return any(_METADATA.fullmatch(name) for name in files)


def documents(files: Mapping[str, bytes]) -> tuple[Document, ...]:
    """The documents of every submission set of the medium. Raises MetadataError."""
    by_name = {name.lower(): data for name, data in files.items()}
    found: list[Document] = []
    for name in sorted(files):
        matched = _METADATA.fullmatch(name)
        if matched is None:
            continue
        folder = f"ihe_xdm/{matched.group(1).lower()}/"
        found += [Document(entry, _content(entry, folder, by_name)) for entry in entries(files[name])]
    if len({one.ins for one in found}) > 1:
        raise MetadataError("The documents are not all about one person.")
    return tuple(found)


def _content(entry: Entry, folder: str, files: Mapping[str, bytes]) -> bytes:
    # A name of the archive never holds `..`, so what is found is in the archive.
    data = files.get(folder + entry.uri.lower()) if entry.uri else None
    if data is None:
        raise MetadataError("The metadata describes a document that is not in the archive.")
    if entry.size != str(len(data)):
        raise MetadataError("A document is not of the size its metadata says.")
    digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    if not hmac.compare_digest(entry.hash.lower().encode(), digest.encode()):
        raise MetadataError("A document does not have the hash its metadata says.")
    return data


def _ins(text: str) -> str | None:
    """The INS in a CX (HL7 v2.5 §2.A.14): `number^^^&oid&ISO^type`."""
    number, _, rest = text.partition("^")
    authority = rest.split("^")[2] if rest.count("^") >= 2 else ""
    try:
        return INS.parse(number, authority.partition("&")[2].partition("&")[0]).value
    except ValueError:
        return None
