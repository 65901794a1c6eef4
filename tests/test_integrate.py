"""The integration guides, run as printed: every ```sh and ```python block, in order, against a served sandbox.

Replaced: the sandbox's address, the interpreter's path, and the browser, in which a demo person signs in. A ```text
block holds what the block before it printed ("…" for what changes from one day to the next).
"""

import ast
import builtins
import contextlib
import io
import re
import subprocess
import sys
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest

from tests import signing_in
from tests.test_crash import ROOT, environment, free_port, until

GUIDES = ROOT / "docs" / "integrate"
ADDRESS = "http://127.0.0.1:8000"
_BLOCK = re.compile(r"^```(sh|python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"^\| `([a-z_]+)` \|", re.MULTILINE)

Browse = Callable[[str, str, str], str]
"""From the sandbox, the address opened, and what the guide says to choose, to the address it ends on."""


@dataclass(frozen=True, slots=True)
class Served:
    """A sandbox, and how its operator's commands find it."""

    address: str
    environment: dict[str, str]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """As the guides start it: a sandbox that believes the certificates a proxy on this machine passes."""
    port = free_port()
    with TemporaryDirectory(prefix="phr-", ignore_cleanup_errors=True) as folder:
        proxy = {"PHR_TRUSTED_PROXIES": "127.0.0.1/32", "PHR_CLIENT_CERT_HEADER": "Client-Cert"}
        known = environment(Path(folder), PHR_PORT=str(port), **proxy)
        child = subprocess.Popen([sys.executable, "-m", "phr", "serve"], env=known, stdout=subprocess.DEVNULL)
        address = f"http://127.0.0.1:{port}"
        try:
            until(lambda: httpx.get(f"{address}/health/ready").status_code == 200, "the sandbox")
            yield Served(address, known)
        finally:
            child.terminate()
            child.wait(60)


class Reader:
    """Somebody who follows a guide at a keyboard: a shell, a Python prompt, a browser."""

    def __init__(self, served: Served, browse: Browse) -> None:
        self.served = served
        self.opened: list[str] = []
        self._browse, self._choice = browse, ""
        self._names: dict[str, Any] = {"__name__": "guide"}

    def follow(self, guide: str) -> None:
        printed = ""
        for kind, block in _BLOCK.findall((GUIDES / guide).read_text()):
            here = block.replace(ADDRESS, self.served.address)
            if kind == "text":
                wanted = ".*".join(map(re.escape, here.strip().split("…")))
                assert re.fullmatch(wanted, printed.strip(), re.DOTALL), f"{guide} promises:\n{here}\nbut:\n{printed}"
            else:
                printed = self._shell(here) if kind == "sh" else self._python(here)

    def _shell(self, block: str) -> str:
        asked = block.replace(".venv/bin/python", sys.executable)
        done = subprocess.run(["bash", "-euc", asked], env=self.served.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _python(self, block: str) -> str:
        told = re.search(r"# choose (\w+)", block)
        for early in ast.parse(block).body[:-1]:
            assert not _asks(early), "what is pasted after a question would be its answer"
        self._choice = told[1] if told else ""
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(block, "guide", "exec"), self._names)
        return printed.getvalue()

    def open(self, address: str) -> bool:
        self.opened.append(address)
        return True

    def paste(self, prompt: str = "") -> str:
        """The address the browser ended on."""
        return self._browse(self.served.address, self.opened[-1], self._choice)


def _asks(statement: ast.stmt) -> bool:
    """Whether it waits for somebody to sign in."""
    called = [one.func for one in ast.walk(statement) if isinstance(one, ast.Call)]
    asks = {one.id for one in called if isinstance(one, ast.Name)} & {"ask", "browse"}
    return bool(asks) and not isinstance(statement, ast.FunctionDef)


@pytest.fixture
def reading(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Reader]:
    """A reader of guides in a folder of their own, who browses as told."""

    def made(browse: Browse) -> Reader:
        reader = Reader(served, browse)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(webbrowser, "open", reader.open)
        monkeypatch.setattr(builtins, "input", reader.paste)
        return reader

    return made


def _claire(carnet: str, address: str, choice: str) -> str:
    return signing_in.as_citizen(carnet, address, whose=choice)


def _garnier(carnet: str, address: str, choice: str) -> str:
    if "/sandbox/psc/" in address:
        return signing_in.at_the_provider(address)
    return signing_in.as_professional(carnet, address)


def _nobody(carnet: str, address: str, choice: str) -> str:
    raise AssertionError("nobody signs in to a server")


@pytest.mark.parametrize(
    ("guide", "browse"),
    [
        ("citizen-app.md", _claire),
        ("professional-software.md", _garnier),
        ("backend.md", _nobody),
        ("cds-hooks.md", _nobody),
    ],
)
def test_a_guide_does_what_it_says(guide: str, browse: Browse, reading: Callable[..., Reader]) -> None:
    reading(browse).follow(guide)


@pytest.mark.parametrize("guide", sorted(path.name for path in GUIDES.glob("*.md")))
def test_every_error_told_is_one_we_answer(guide: str) -> None:
    import authlib.oauth2
    import authlib.oidc

    folders = [ROOT / "auth", ROOT / "phr", *(Path(found.__path__[0]) for found in (authlib.oauth2, authlib.oidc))]
    known = "".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))
    told = _CODE.findall((GUIDES / guide).read_text())
    assert told
    assert [code for code in told if f'"{code}"' not in known and f"={code}" not in known] == []
