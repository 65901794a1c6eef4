"""What tests of the decision need of a process, without one."""

from pathlib import Path

import pytest

from phr.access.installation import Installation
from phr.core.keys import KeyEncryptionKeys, SystemKeys
from phr.core.settings import Settings
from phr.core.vault import KeyFile


@pytest.fixture
def installation(settings: Settings, tmp_path: Path) -> Installation:
    """An installation without a database."""
    keks = KeyEncryptionKeys(KeyFile.create(tmp_path / "keks.json", "test"))
    return Installation.make(settings, None, keks, SystemKeys({"commons": b"c" * 32}))  # type: ignore[arg-type]
