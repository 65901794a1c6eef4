"""The container files name only settings that exist, and what they promise is in them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from phr.core.settings import VARIABLES, from_environment

ROOT = Path(__file__).parents[1]


@pytest.fixture(name="compose")
def _compose() -> dict[str, Any]:
    parsed = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    assert isinstance(parsed, dict)
    return parsed


def test_compose_runs_the_application_its_database_and_a_mail_catcher(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {"app", "database", "mail"}
    assert services["database"]["image"] == "postgres:18"
    assert services["mail"]["image"] == "axllent/mailpit"
    assert all("healthcheck" in service for service in services.values())
    assert "/health/ready" in services["app"]["healthcheck"]["test"][-1]
    assert services["app"]["depends_on"]["database"]["condition"] == "service_healthy"


def test_compose_publishes_to_this_machine_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_volume_used_is_declared(compose: dict[str, Any]) -> None:
    used = {volume.split(":")[0] for s in compose["services"].values() for volume in s.get("volumes", [])}
    assert used == set(compose["volumes"])


@pytest.mark.parametrize("name", ["docker-compose.yml", "Dockerfile"])
def test_every_setting_named_is_one_the_settings_know(name: str) -> None:
    named = set(re.findall(r"\bPHR_[A-Z_]+", (ROOT / name).read_text("utf-8")))
    assert named
    assert named <= set(VARIABLES)


def test_the_settings_accept_the_environment_of_the_compose_file(compose: dict[str, Any]) -> None:
    environment = compose["services"]["app"]["environment"]
    assert all(isinstance(value, str) for value in environment.values())
    settings = from_environment(environment)
    assert settings.sandbox
    assert settings.database_url is not None
    volumes = {volume.split(":")[1] for volume in compose["services"]["app"]["volumes"]}
    assert {str(settings.data_dir), str(settings.key_file.parent)} == volumes


def test_the_image_installs_pinned_packages_and_does_not_run_as_root() -> None:
    steps = (ROOT / "Dockerfile").read_text("utf-8")
    assert "--require-hashes -r requirements.txt" in steps
    users = re.findall(r"^USER (\S+)$", steps, re.MULTILINE)
    assert users
    assert users[-1] not in ("root", "0")
    assert 'CMD ["python", "-m", "phr", "serve"]' in steps


def test_the_image_takes_in_only_what_is_named() -> None:
    rules = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    kept = [rule for rule in rules if rule and not rule.startswith("#")]
    assert kept[0] == "*"
    assert not {"!var", "!.git", "!.env", "!tests"} & set(kept)
