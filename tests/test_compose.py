"""The container files name only settings that exist, and what they promise is in them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from auth import psc
from auth.professionals import Professional
from auth.sandbox.people import professionals
from phr.core.settings import VARIABLES, from_environment
from phr.web.professional import CALLBACK, LOGOUT

ROOT = Path(__file__).parents[1]


@pytest.fixture(name="compose")
def _compose() -> dict[str, Any]:
    parsed = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    assert isinstance(parsed, dict)
    return parsed


def test_compose_runs_the_application_its_database_and_a_mail_catcher(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {"app", "worker", "database", "mail", "keycloak"}
    assert services["database"]["image"] == "postgres:18"
    assert services["mail"]["image"] == "axllent/mailpit"
    assert all("healthcheck" in service for name, service in services.items() if name != "worker")
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


def test_the_settings_accept_the_environment_of_the_compose_file(compose: dict[str, Any], tmp_path: Path) -> None:
    environment = compose["services"]["app"]["environment"]
    assert all(isinstance(value, str) for value in environment.values())
    [mounted] = compose["services"]["app"]["configs"]
    assert environment["PHR_PSC_SECRET_FILE"] == mounted["target"]
    secret = tmp_path / "secret"
    secret.write_text(compose["configs"][mounted["source"]]["content"])
    settings = from_environment({**environment, "PHR_PSC_SECRET_FILE": str(secret)})
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


@pytest.fixture(name="realm")
def _realm(compose: dict[str, Any]) -> dict[str, Any]:
    [mounted] = compose["services"]["keycloak"]["configs"]
    assert mounted["target"].startswith("/opt/keycloak/data/import/")
    parsed = json.loads((ROOT / compose["configs"][mounted["source"]]["file"]).read_text("utf-8"))
    assert isinstance(parsed, dict)
    return parsed


def test_the_realm_knows_this_application(compose: dict[str, Any], realm: dict[str, Any]) -> None:
    environment = compose["services"]["app"]["environment"]
    keycloak = compose["services"]["keycloak"]["environment"]
    path = f"{keycloak['KC_HTTP_RELATIVE_PATH']}/realms/{realm['realm']}"
    assert environment["PHR_PSC_DISCOVERY"] == f"http://keycloak:8080{path}/.well-known/openid-configuration"
    known = {client["clientId"]: client for client in realm["clients"]}
    mine = known[environment["PHR_PSC_CLIENT_ID"]]
    assert mine["secret"] == compose["configs"]["psc-secret"]["content"]
    assert mine["redirectUris"] == [environment["PHR_ISSUER"] + CALLBACK]
    assert mine["attributes"]["backchannel.logout.url"] == f"http://app:{environment['PHR_PORT']}{LOGOUT}"
    for client in known.values():
        assert client["attributes"]["pkce.code.challenge.method"] == "S256"
        assert client["attributes"]["id.token.signed.response.alg"] == "ES256"
        assert not client["implicitFlowEnabled"]
        assert not client["directAccessGrantsEnabled"]
    scopes = {scope["name"] for scope in realm["clientScopes"]}
    assert set(psc.REQUEST["scope"].split()) - {"openid"} <= scopes
    assert (realm["accessTokenLifespan"], realm["ssoSessionMaxLifespan"]) == (120, 4 * 3600)


def told(realm: dict[str, Any], user: dict[str, Any]) -> dict[str, Any]:
    """The userinfo that the realm's mappers make of a user."""
    found: dict[str, Any] = {"given_name": user["firstName"], "family_name": user["lastName"]}
    [scope] = [scope for scope in realm["clientScopes"] if scope["name"] == "scope_all"]
    for mapper in scope["protocolMappers"]:
        config = mapper["config"]
        assert config["userinfo.token.claim"] == "true"
        values = user["attributes"].get(config["user.attribute"])
        if values is not None:
            value = values if config["multivalued"] == "true" else values[0]
            found[config["claim.name"]] = json.loads(value) if config["jsonType.label"] == "JSON" else value
    return found


def test_the_realm_has_the_sandboxs_professionals(realm: dict[str, Any]) -> None:
    def read(userinfo: Any) -> tuple[Professional, ...]:
        return psc.professionals(userinfo, sandbox=True)

    found = {people[0].id: people for people in (read(told(realm, user)) for user in realm["users"])}
    assert found == {people[0].id: people for people in (read(person.userinfo) for person in professionals())}
