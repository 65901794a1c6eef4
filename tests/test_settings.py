"""Every setting is known, every fault is named, and all of them at once."""

from pathlib import Path

import pytest

from phr.core.settings import INS_TEST, VARIABLES, UnsafeSettingsError, from_environment
from phr.core.vault import KeyFile


@pytest.fixture
def production(tmp_path: Path) -> dict[str, str]:
    key_file = tmp_path / "kek.json"
    KeyFile.create(key_file, "2026-11")
    return {"PHR_ENV": "production", "PHR_ISSUER": "https://carnet.example", "PHR_KEY_FILE": str(key_file)}


def faults(environ: dict[str, str]) -> str:
    with pytest.raises(UnsafeSettingsError) as caught:
        from_environment(environ)
    return str(caught.value)


def test_a_sandbox_needs_nothing() -> None:
    settings = from_environment({"PHR_ENV": "sandbox"})
    assert settings.sandbox
    assert settings.issuer == "http://127.0.0.1:8000"
    assert settings.database_url is None
    assert settings.data_dir == Path("var").resolve()
    assert set(INS_TEST) < set(settings.ins_oids)


def test_production_is_the_default(production: dict[str, str]) -> None:
    del production["PHR_ENV"]
    settings = from_environment(production)
    assert not settings.sandbox
    assert set(INS_TEST).isdisjoint(settings.ins_oids)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"PHR_ISSUER": "http://carnet.example"}, "PHR_ISSUER must be an https URL"),
        ({"PHR_ISSUER": None}, "PHR_ISSUER must be an https URL"),
        ({"PHR_KEY_FILE": None}, "PHR_KEY_FILE must be set"),
        ({"PHR_KEY_FILE": "/nowhere/kek.json"}, "PHR_KEY_FILE names a file that is not there"),
        ({"PHR_INS_OIDS": INS_TEST[0]}, "PHR_INS_OIDS holds a test authority"),
        ({"PHR_ENV": "prod"}, "PHR_ENV must be sandbox or production"),
        ({"PHR_PORT": "http"}, "PHR_PORT must be a positive whole number"),
        ({"PHR_POOL": "0"}, "PHR_POOL must be a positive whole number"),
        ({"PHR_CLAMAV": "x"}, "PHR_CLAMAV is not a setting"),
    ],
)
def test_production_names_what_is_wrong(production: dict[str, str], change: dict[str, str | None], named: str) -> None:
    environ = {name: value for name, value in {**production, **change}.items() if value is not None}
    assert named in faults(environ)


def test_all_faults_are_named_at_once() -> None:
    found = faults({"PHR_PORT": "x", "PHR_JSON_DEPTH": "-1"})
    assert all(name in found for name in ("PHR_PORT", "PHR_JSON_DEPTH", "PHR_ISSUER", "PHR_KEY_FILE"))


def test_every_number_is_read() -> None:
    numbers = {
        "PHR_PORT": "port",
        "PHR_RESOURCE_BYTES": "resource_bytes",
        "PHR_DOCUMENT_BYTES": "document_bytes",
        "PHR_TRANSACTION_BYTES": "transaction_bytes",
        "PHR_TRANSACTION_ENTRIES": "transaction_entries",
        "PHR_JSON_DEPTH": "json_depth",
        "PHR_POOL": "pool",
    }
    environ = {name: str(n) for n, name in enumerate(numbers, 7)}
    settings = from_environment({"PHR_ENV": "sandbox", **environ})
    assert [getattr(settings, field) for field in numbers.values()] == list(range(7, 7 + len(numbers)))
    assert numbers.keys() < VARIABLES.keys()


def test_other_variables_are_nobodys_business() -> None:
    assert from_environment({"PHR_ENV": "sandbox", "PATH": "/bin", "PHRASE": "x"}).sandbox


def test_a_key_file_others_can_read_is_refused(production: dict[str, str]) -> None:
    path = Path(production["PHR_KEY_FILE"])
    path.chmod(0o644)
    with pytest.raises(ValueError, match="chmod 600"):
        KeyFile.load(path)
