"""What the documents say is true: the symbols they name exist, their links lead somewhere, every setting is told."""

import importlib
import re
from pathlib import Path

import pytest

from phr.core.settings import VARIABLES

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
_SYMBOL = re.compile(r"`((?:phr|fhir|auth)(?:\.[A-Za-z_]\w*)+)")
_PATH = re.compile(r"`((?:phr|fhir|auth|tests|docs|migrations)/[\w/.-]+)`")
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


def _exists(name: str) -> bool:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_what_exists(page: Path) -> None:
    text = page.read_text()
    assert [name for name in _SYMBOL.findall(text) if not _exists(name)] == []
    assert [path for path in _PATH.findall(text) if not (ROOT / path).exists()] == []
    assert [link for link in _LINK.findall(text) if not (page.parent / link).exists()] == []


def test_every_setting_is_told() -> None:
    told = re.findall(r"^\| `(PHR_\w+)` \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    assert told == list(VARIABLES)


def test_every_target_of_make_is_told() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"run", "test", "lint", "format", "bench", "clean"} <= set(targets)
