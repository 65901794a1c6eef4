"""Settings, from the environment only. `production` refuses what a sandbox forgives, and says which.

Every variable is in `VARIABLES`; docker-compose.yml and docs/operations.md are tested against it.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
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
    "PHR_TRUSTED_PROXIES": "networks of the proxies whose X-Forwarded-For and certificate header are believed (none)",
    "PHR_CLIENT_CERT_HEADER": "header in which those proxies pass the client's certificate (RFC 9440 or escaped PEM)",
    "PHR_CLIENT_CA_FILE": "PEM file of the authorities whose certificates authenticate clients (tls_client_auth)",
    "PHR_SMTP": "smtp://, smtp+starttls:// or smtps:// URL of the mail server; unset: mail waits in the database",
    "PHR_SMTP_PASSWORD_FILE": "file that holds the mail server's password",
    "PHR_MAIL_FROM": "sender of the mail (carnet@ the issuer's host)",
    "PHR_PUSH_WEBHOOK": "URL of the operator that pushes to mobile applications; unset: none registers",
    "PHR_PUSH_SECRET_FILE": "file that holds the secret with which what is posted there is signed",
    "PHR_TERMS_VERSION": "version of the terms a citizen accepts (1)",
    "PHR_PSC_DISCOVERY": "discovery document of the professionals' identity provider, like Pro Santé Connect",
    "PHR_PSC_CLIENT_ID": "this installation's client id at that provider",
    "PHR_PSC_SECRET_FILE": "file that holds the client secret at that provider",
    "PHR_FC_DISCOVERY": "discovery document of the citizens' identity provider, like FranceConnect",
    "PHR_FC_CLIENT_ID": "this installation's client id at that provider",
    "PHR_FC_SECRET_FILE": "file that holds the client secret at that provider",
    "PHR_FC_ACR": "lowest eIDAS level with which that provider may open a record (eidas2)",
    "PHR_ACCESS_MATRIX": "TOML file of the access matrix, instead of Carnet's own",
    "PHR_RELATION_DAYS": "how long a care relation lasts, in calendar days (90)",
    "PHR_PHARMACY_DAYS": "the same when a pharmacy opens it (3)",
    "PHR_MESSAGE_YEARS": "years after its last message a thread is deleted (unset: never)",
    "PHR_EMERGENCY_DAYS": "how long an emergency access lasts, in calendar days (5)",
    "PHR_MOST_CAREGIVERS": "most caregivers of one person (3)",
    "PHR_MOST_CARED_FOR": "most people one caregiver cares for (5)",
    "PHR_ARCHIVE_YEARS": "how long a closed record is kept before it is destroyed (10)",
    "PHR_MSSANTE_DOMAIN": "domain of the people's addresses of secure messaging, `<INS>@domain`; unset: no gateway",
    "PHR_MSSANTE_LISTEN": "host:port the gateway listens on (127.0.0.1:8025)",
    "PHR_MSSANTE_PEERS": "TOML file of the operators that are trusted, their domains, and structures' mailboxes",
    "PHR_MSSANTE_CERTIFICATE": "PEM file of the gateway's certificate, its chain and its private key",
    "PHR_MSSANTE_CA_FILE": "PEM file of the authorities whose certificates authenticate the operators",
    "PHR_MSSANTE_SMTP": "smtp+starttls:// or smtps:// URL of the relay that mail goes out by; unset: it waits",
    "PHR_MSSANTE_BYTES": "largest mail, in bytes (25 MiB)",
}

INS_OFFICIAL = ("1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9")
INS_TEST = ("1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.11")
EIDAS = ("eidas1", "eidas2", "eidas3")
MAIL_SCHEMES = ("smtp", "smtp+starttls", "smtps")


class UnsafeSettingsError(Exception):
    """Settings that would run production like a sandbox. The message lists every one."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider that people of one kind sign in with. `secret` is never shown."""

    discovery: str
    client_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mail:
    """Where mail goes out, and from whom. `url` without a password."""

    url: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mssante:
    """The gateway of secure health messaging. `certificate` and `ca_file` are missing, both, in a sandbox only."""

    domain: str
    host: str
    port: int
    peers: Path
    certificate: Path | None
    ca_file: Path | None
    smtp: str | None
    mail_bytes: int


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where the operator takes what is to be pushed to mobile applications. `secret` signs it, and is never shown."""

    url: str
    secret: str = field(repr=False)


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
    trusted_proxies: tuple[str, ...] = ()
    client_cert_header: str | None = None
    client_ca_file: Path | None = None
    mail: Mail | None = None
    mail_from: str = "carnet@localhost"
    push_webhook: Webhook | None = None
    terms_version: str = "1"
    psc: Provider | None = None
    fc: Provider | None = None
    fc_acr: str = "eidas2"
    access_matrix: Path | None = None
    relation_days: int = 90
    pharmacy_days: int = 3
    message_years: int | None = None
    emergency_days: int = 5
    most_caregivers: int = 3
    most_cared_for: int = 5
    archive_years: int = 10
    mssante: Mssante | None = None

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
    issuer = environ.get("PHR_ISSUER", f"http://127.0.0.1:{port}").rstrip("/")
    proxies = tuple(environ.get("PHR_TRUSTED_PROXIES", "").split())
    faults += [f"PHR_TRUSTED_PROXIES: {one} is not a network" for one in proxies if not _is_network(one)]
    header = environ.get("PHR_CLIENT_CERT_HEADER") or None
    if header is not None and not proxies:
        faults.append("PHR_CLIENT_CERT_HEADER needs PHR_TRUSTED_PROXIES: whose header would it be?")
    level = environ.get("PHR_FC_ACR", "eidas2")
    if level not in EIDAS:
        faults.append(f"PHR_FC_ACR must be one of {', '.join(EIDAS)}")
    settings = Settings(
        env=env,
        host=environ.get("PHR_HOST", "127.0.0.1"),
        port=port,
        data_dir=data_dir,
        database_url=environ.get("PHR_DATABASE_URL") or None,
        issuer=issuer,
        key_file=Path(environ.get("PHR_KEY_FILE") or data_dir / "keys" / "kek.json"),
        clamd=environ.get("PHR_CLAMD") or None,
        resource_bytes=number("PHR_RESOURCE_BYTES", 1 << 20),
        document_bytes=number("PHR_DOCUMENT_BYTES", 25 << 20),
        transaction_bytes=number("PHR_TRANSACTION_BYTES", 64 << 20),
        transaction_entries=number("PHR_TRANSACTION_ENTRIES", 5000),
        json_depth=number("PHR_JSON_DEPTH", 50),
        pool=number("PHR_POOL", 16),
        ins_oids=tuple(environ["PHR_INS_OIDS"].split()) if environ.get("PHR_INS_OIDS") else default_oids,
        trusted_proxies=proxies,
        client_cert_header=header,
        client_ca_file=Path(environ["PHR_CLIENT_CA_FILE"]) if environ.get("PHR_CLIENT_CA_FILE") else None,
        mail=_mail(environ, faults),
        mail_from=environ.get("PHR_MAIL_FROM") or f"carnet@{urlsplit(issuer).hostname or 'localhost'}",
        push_webhook=_webhook(environ, faults),
        terms_version=environ.get("PHR_TERMS_VERSION") or "1",
        psc=_provider("PHR_PSC", environ, faults),
        fc=_provider("PHR_FC", environ, faults),
        fc_acr=level,
        access_matrix=Path(environ["PHR_ACCESS_MATRIX"]) if environ.get("PHR_ACCESS_MATRIX") else None,
        relation_days=number("PHR_RELATION_DAYS", 90),
        pharmacy_days=number("PHR_PHARMACY_DAYS", 3),
        message_years=number("PHR_MESSAGE_YEARS", 1) if environ.get("PHR_MESSAGE_YEARS") else None,
        emergency_days=number("PHR_EMERGENCY_DAYS", 5),
        most_caregivers=number("PHR_MOST_CAREGIVERS", 3),
        most_cared_for=number("PHR_MOST_CARED_FOR", 5),
        archive_years=number("PHR_ARCHIVE_YEARS", 10),
        mssante=_mssante(environ, number("PHR_MSSANTE_BYTES", 25 << 20), faults),
    )
    if not sandbox:
        faults += _production_faults(settings, environ)
    if faults:
        raise UnsafeSettingsError("; ".join(faults))
    return settings


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _read(name: str, environ: Mapping[str, str], faults: list[str]) -> str:
    """The secret in the file a variable names; the variable itself never holds it."""
    try:
        return Path(environ[name]).read_text().strip()
    except (OSError, UnicodeDecodeError):
        faults.append(f"{name} names a file that cannot be read")
        return ""


def _mail(environ: Mapping[str, str], faults: list[str]) -> Mail | None:
    url = environ.get("PHR_SMTP")
    if not url:
        return None
    if urlsplit(url).scheme not in MAIL_SCHEMES or not urlsplit(url).hostname or urlsplit(url).password:
        faults.append(f"PHR_SMTP must be a {', '.join(MAIL_SCHEMES)} URL with a host and without a password")
    password = _read("PHR_SMTP_PASSWORD_FILE", environ, faults) if environ.get("PHR_SMTP_PASSWORD_FILE") else ""
    return Mail(url, password)


def _mssante(environ: Mapping[str, str], mail_bytes: int, faults: list[str]) -> Mssante | None:
    """The gateway; in production it neither listens nor sends without TLS and without knowing who it speaks to."""
    sandbox = environ.get("PHR_ENV") == "sandbox"

    def path(name: str, *, needed: bool) -> Path | None:
        given = environ.get(name)
        if given is None and not needed:
            return None
        if given is None or not Path(given).is_file():
            faults.append(f"{name} names a file that is not there" if given else f"{name} is needed for the gateway")
        return Path(given or "")

    domain = environ.get("PHR_MSSANTE_DOMAIN")
    if not domain:
        return None
    host, _, port = environ.get("PHR_MSSANTE_LISTEN", "127.0.0.1:8025").rpartition(":")
    if not host or not port.isdecimal():
        faults.append("PHR_MSSANTE_LISTEN must be host:port")
    url = environ.get("PHR_MSSANTE_SMTP") or None
    if url and (urlsplit(url).scheme not in MAIL_SCHEMES[not sandbox :] or not urlsplit(url).hostname):
        faults.append(f"PHR_MSSANTE_SMTP must be a {', '.join(MAIL_SCHEMES[not sandbox :])} URL with a host")
    peers = path("PHR_MSSANTE_PEERS", needed=True) or Path()
    certificate = path("PHR_MSSANTE_CERTIFICATE", needed=not sandbox)
    authorities = path("PHR_MSSANTE_CA_FILE", needed=not sandbox)
    if (certificate is None) is not (authorities is None):
        faults.append("PHR_MSSANTE_CERTIFICATE and PHR_MSSANTE_CA_FILE are set together or not at all")
    return Mssante(
        domain.lower(), host, int(port) if port.isdecimal() else 0, peers, certificate, authorities, url, mail_bytes
    )


def _webhook(environ: Mapping[str, str], faults: list[str]) -> Webhook | None:
    url = environ.get("PHR_PUSH_WEBHOOK")
    if not url:
        return None
    parts = urlsplit(url)
    known = ("https",) if environ.get("PHR_ENV") != "sandbox" else ("https", "http")
    if parts.scheme not in known or not parts.hostname or parts.password:
        faults.append("PHR_PUSH_WEBHOOK must be an https URL with a host and without a password")
    if not environ.get("PHR_PUSH_SECRET_FILE"):
        faults.append("PHR_PUSH_WEBHOOK needs PHR_PUSH_SECRET_FILE: what is posted there is signed")
        return None
    return Webhook(url, _read("PHR_PUSH_SECRET_FILE", environ, faults))


def _provider(prefix: str, environ: Mapping[str, str], faults: list[str]) -> Provider | None:
    names = [f"{prefix}_{part}" for part in ("DISCOVERY", "CLIENT_ID", "SECRET_FILE")]
    given = [name for name in names if environ.get(name)]
    if not given:
        return None
    if given != names:
        faults.append(f"{', '.join(names)} are set together or not at all")
        return None
    discovery, client_id, _ = (environ[name] for name in names)
    if urlsplit(discovery).scheme != "https" and environ.get("PHR_ENV") != "sandbox":
        faults.append(f"{names[0]} must be an https URL in production")
    return Provider(discovery, client_id, _read(names[2], environ, faults))


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
