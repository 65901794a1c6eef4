"""Settings, from the environment only. `production` refuses what a sandbox forgives, and says which.

Every variable is in `VARIABLES`; docker-compose.yml and docs/operations.md are tested against it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

VARIABLES = {
    "PHR_ENV": "sandbox (demo data, demo keys, plain HTTP) or production (default)",
    "PHR_HOST": "address to listen on (127.0.0.1)",
    "PHR_PORT": "port to listen on (8000)",
    "PHR_DATA_DIR": "where the embedded database and sandbox keys live (./var)",
    "PHR_DATABASE_URL": "PostgreSQL 15 or later; unset: an embedded PostgreSQL in PHR_DATA_DIR",
    "PHR_ISSUER": "public base URL (http://127.0.0.1:PHR_PORT in the sandbox)",
    "PHR_KEY_FILE": "the key-encryption keys (PHR_DATA_DIR/keys/kek.json in the sandbox)",
    "PHR_CLAMD": "host:port of a clamd that scans what is deposited; unset: no scan",
    "PHR_RESOURCE_BYTES": "largest resource, in bytes (1 MiB)",
    "PHR_DOCUMENT_BYTES": "largest document, in bytes (25 MiB)",
    "PHR_TRANSACTION_BYTES": "largest transaction, in bytes (64 MiB)",
    "PHR_TRANSACTION_ENTRIES": "most entries in a transaction (5000)",
    "PHR_JSON_DEPTH": "deepest JSON nesting (50)",
    "PHR_POOL": "database connections per process (16)",
    "PHR_INS_OIDS": "assigning authorities whose INS a record may open under (official and test)",
}

INS_OFFICIAL = ("1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9")
INS_TEST = ("1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.11")


class UnsafeSettingsError(Exception):
    """Settings that would run production like a sandbox. The message lists every one."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the process was told. Sizes in bytes."""

    env: str
    host: str
    port: int
    data_dir: Path
    database_url: str | None
    issuer: str
    key_file: Path
    clamd: str | None
    resource_bytes: int
    document_bytes: int
    transaction_bytes: int
    transaction_entries: int
    json_depth: int
    pool: int
    ins_oids: tuple[str, ...]

    @property
    def sandbox(self) -> bool:
        """Whether demo data and plain HTTP are forgiven."""
        return self.env == "sandbox"


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Read the settings. Raises UnsafeSettingsError with every fault at once; unknown PHR_ names are faults."""
    faults = [f"{name} is not a setting" for name in environ if name.startswith("PHR_") and name not in VARIABLES]
    env = environ.get("PHR_ENV", "production")
    if env not in ("sandbox", "production"):
        faults.append("PHR_ENV must be sandbox or production")

    def number(name: str, default: int) -> int:
        raw = environ.get(name, str(default))
        if raw.isdecimal() and int(raw) > 0:
            return int(raw)
        faults.append(f"{name} must be a positive whole number")
        return default

    port = number("PHR_PORT", 8000)
    data_dir = Path(environ.get("PHR_DATA_DIR", "var")).resolve()
    sandbox = env == "sandbox"
    default_oids = INS_OFFICIAL + INS_TEST if sandbox else INS_OFFICIAL
    settings = Settings(
        env=env,
        host=environ.get("PHR_HOST", "127.0.0.1"),
        port=port,
        data_dir=data_dir,
        database_url=environ.get("PHR_DATABASE_URL") or None,
        issuer=environ.get("PHR_ISSUER", f"http://127.0.0.1:{port}").rstrip("/"),
        key_file=Path(environ.get("PHR_KEY_FILE") or data_dir / "keys" / "kek.json"),
        clamd=environ.get("PHR_CLAMD") or None,
        resource_bytes=number("PHR_RESOURCE_BYTES", 1 << 20),
        document_bytes=number("PHR_DOCUMENT_BYTES", 25 << 20),
        transaction_bytes=number("PHR_TRANSACTION_BYTES", 64 << 20),
        transaction_entries=number("PHR_TRANSACTION_ENTRIES", 5000),
        json_depth=number("PHR_JSON_DEPTH", 50),
        pool=number("PHR_POOL", 16),
        ins_oids=tuple(environ["PHR_INS_OIDS"].split()) if environ.get("PHR_INS_OIDS") else default_oids,
    )
    if not sandbox:
        faults += _production_faults(settings, environ)
    if faults:
        raise UnsafeSettingsError("; ".join(faults))
    return settings


def _production_faults(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    faults = []
    if urlsplit(settings.issuer).scheme != "https":
        faults.append("PHR_ISSUER must be an https URL in production")
    if not environ.get("PHR_KEY_FILE"):
        faults.append("PHR_KEY_FILE must be set in production")
    elif not settings.key_file.is_file():
        faults.append("PHR_KEY_FILE names a file that is not there")
    if any(oid in INS_TEST for oid in settings.ins_oids):
        faults.append("PHR_INS_OIDS holds a test authority, refused in production")
    return faults
