"""The gateway's settings, its list of who is trusted, and the command that starts it: each fault is named."""

from pathlib import Path

import pytest
import typer

from phr.commands.gateway import gateway
from phr.core.settings import UnsafeSettingsError, from_environment
from phr.core.vault import KeyFile
from phr.mssante import peers
from phr.mssante.peers import PeersError
from tests.mssante.circle import OTHER, OTHER_STRUCTURE, PEERS


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Production settings of a gateway, whole."""
    KeyFile.create(tmp_path / "kek.json", "2026-11")
    for name in ("peers.toml", "own.pem", "ca.pem"):
        (tmp_path / name).write_text(PEERS)
    return {
        "PHR_ISSUER": "https://carnet.example",
        "PHR_KEY_FILE": str(tmp_path / "kek.json"),
        "PHR_MSSANTE_DOMAIN": "Patient.Example",
        "PHR_MSSANTE_PEERS": str(tmp_path / "peers.toml"),
        "PHR_MSSANTE_CERTIFICATE": str(tmp_path / "own.pem"),
        "PHR_MSSANTE_CA_FILE": str(tmp_path / "ca.pem"),
        "PHR_MSSANTE_SMTP": "smtp+starttls://relais.example",
    }


def test_there_is_no_gateway_unless_it_is_asked_for(files: dict[str, str]) -> None:
    assert from_environment({"PHR_ENV": "sandbox"}).mssante is None
    found = from_environment(files).mssante
    assert found is not None
    assert (found.domain, found.host, found.port, found.mail_bytes) == ("patient.example", "127.0.0.1", 8025, 25 << 20)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"PHR_MSSANTE_CERTIFICATE": None}, "PHR_MSSANTE_CERTIFICATE is needed"),
        ({"PHR_MSSANTE_CA_FILE": None}, "PHR_MSSANTE_CA_FILE is needed"),
        ({"PHR_MSSANTE_PEERS": None}, "PHR_MSSANTE_PEERS is needed"),
        ({"PHR_MSSANTE_PEERS": "/nowhere.toml"}, "PHR_MSSANTE_PEERS names a file that is not there"),
        ({"PHR_MSSANTE_SMTP": "smtp://relais.example"}, "PHR_MSSANTE_SMTP must be"),
        ({"PHR_MSSANTE_SMTP": "smtps://"}, "PHR_MSSANTE_SMTP must be"),
        ({"PHR_MSSANTE_LISTEN": "8025"}, "PHR_MSSANTE_LISTEN must be host:port"),
        ({"PHR_MSSANTE_BYTES": "0"}, "PHR_MSSANTE_BYTES must be"),
    ],
)
def test_production_neither_listens_nor_sends_unprotected(
    files: dict[str, str], change: dict[str, str | None], named: str
) -> None:
    environ = {name: value for name, value in {**files, **change}.items() if value is not None}
    with pytest.raises(UnsafeSettingsError, match=named):
        from_environment(environ)


def test_a_sandbox_does_without_tls_but_not_by_half(files: dict[str, str]) -> None:
    sandbox = {"PHR_ENV": "sandbox", **files, "PHR_MSSANTE_SMTP": "smtp://127.0.0.1:2525"}
    del sandbox["PHR_MSSANTE_CERTIFICATE"]
    with pytest.raises(UnsafeSettingsError, match="together"):
        from_environment(sandbox)
    del sandbox["PHR_MSSANTE_CA_FILE"]
    found = from_environment(sandbox).mssante
    assert found is not None
    assert found.certificate is None


def test_who_speaks_for_what(tmp_path: Path) -> None:
    listed = tmp_path / "peers.toml"
    listed.write_text(PEERS)
    found = peers.read(listed)
    assert found.speaks({"MX.operateur.test"}, "Cabinet.TEST")
    assert not found.speaks({"mx.autre.test"}, "cabinet.test")
    assert not found.speaks({"mx.operateur.test"}, "elsewhere.test")
    assert not found.speaks((), "cabinet.test")
    assert found.trusts("hopital.test")
    assert not found.trusts("sub.hopital.test")
    structure = found.structure(OTHER.upper())
    assert structure is not None
    assert structure.id == OTHER_STRUCTURE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[[operator]]\n",
        "operator = 3\n",
        "[[mailbox]]\naddress = 'x'\n",
        "not toml",
        '[[operator]]\ndomains = ["x"]\n',
    ],
)
def test_a_list_that_says_nothing_is_refused(tmp_path: Path, text: str) -> None:
    listed = tmp_path / "peers.toml"
    listed.write_text(text)
    with pytest.raises(PeersError):
        peers.read(listed)
    with pytest.raises(PeersError):
        peers.read(tmp_path / "nowhere.toml")


def test_without_a_domain_the_command_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    KeyFile.create(tmp_path / "kek.json", "sandbox-1")
    monkeypatch.setenv("PHR_ENV", "sandbox")
    monkeypatch.setenv("PHR_DATABASE_URL", database_url)
    monkeypatch.setenv("PHR_KEY_FILE", str(tmp_path / "kek.json"))
    with pytest.raises(typer.Exit):
        gateway()
    assert "PHR_MSSANTE_DOMAIN" in capsys.readouterr().err
