"""`clients` and `signing` on the command line, run against a real database."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from joserfc.jwk import ECKey
from typer.testing import CliRunner, Result

from phr.commands.clients import clients_cli
from phr.commands.signing import signing_cli
from phr.core.vault import KeyFile
from phr.demo.clients import demo_clients

Run = Callable[..., Result]
KEY, OTHER = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
APP = ("add", "app", "citizen-app", "Mon Suivi", "--redirect-uri", "https://app.test/cb", "--scope", "patient/*.rs")


@pytest.fixture
def environment(tmp_path: Path, database_url: str) -> dict[str, str | None]:
    """A sandbox that has been started before."""
    KeyFile.create(tmp_path / "keys" / "kek.json", "sandbox-1")
    return {"PHR_ENV": "sandbox", "PHR_DATA_DIR": str(tmp_path), "PHR_DATABASE_URL": database_url}


@pytest.fixture
def run(environment: dict[str, str | None]) -> Run:
    cli = typer.Typer()
    cli.add_typer(clients_cli, name="clients")
    cli.add_typer(signing_cli, name="signing")

    def invoke(noun: str, *arguments: str, **changes: str | None) -> Result:
        wide: dict[str, str | None] = {"COLUMNS": "300"}
        return CliRunner().invoke(cli, [noun, *arguments], env=wide | environment | changes)

    return invoke


def written(tmp_path: Path, value: Any) -> str:
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(path)


def jwks(tmp_path: Path, *keys: ECKey, private: bool = False) -> str:
    return written(tmp_path, {"keys": [key.as_dict(private=private) for key in keys]})


def refused(result: Result) -> str:
    """The one sentence that says why."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr.strip()


def test_a_client_is_registered_and_shown(run: Run, tmp_path: Path) -> None:
    more = written(tmp_path, {"dpop_bound_access_tokens": True, "application_type": "web"})
    result = run("clients", *APP, "--scope", "openid", "--metadata", more)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "client_id": "app",
        "client_name": "Mon Suivi",
        "kind": "citizen-app",
        "redirect_uris": ["https://app.test/cb"],
        "scope": "patient/*.rs openid",
        "application_type": "web",
        "dpop_bound_access_tokens": True,
        "token_endpoint_auth_method": "none",
        "sector_identifier": "app.test",
        "disabled": False,
    }


def test_clients_are_listed_as_a_table_and_as_json(run: Run, tmp_path: Path) -> None:
    assert run("clients", *APP).exit_code == 0
    lab = ("add", "lab", "deposit", "Laboratoire", "--scope", "system/*.cruds", "--jwks", jwks(tmp_path, KEY))
    assert run("clients", *lab).exit_code == 0
    listed = json.loads(run("clients", "list", "--json").stdout)
    assert [one["client_id"] for one in listed] == ["app", "lab"]
    assert listed[1]["jwks"]["keys"][0]["x"] == KEY.as_dict(private=False)["x"]
    table = run("clients", "list").stdout
    assert all(word in table for word in ("app", "Laboratoire", "private_key_jwt", "active"))


@pytest.mark.parametrize("scope", ["patient/Blob.rs", "patient/Observation.rs?date=2020"])
def test_a_scope_that_could_never_be_granted_is_refused_at_once(run: Run, scope: str) -> None:
    result = run("clients", *APP, "--scope", scope)
    assert result.exit_code == 2
    assert "could never be granted" in result.stderr
    assert json.loads(run("clients", "list", "--json").stdout) == []


def test_a_disabled_client_says_so(run: Run) -> None:
    run("clients", *APP)
    assert json.loads(run("clients", "disable", "app").stdout)["disabled"] is True
    assert "disabled" in run("clients", "list").stdout


def test_keys_are_rotated_in_two_steps(run: Run, tmp_path: Path) -> None:
    run("clients", "add", "lab", "deposit", "Laboratoire", "--jwks", jwks(tmp_path, KEY))
    new = jwks(tmp_path, OTHER)
    both = json.loads(run("clients", "rotate", "lab", "--jwks", new).stdout)["jwks"]["keys"]
    assert [key["x"] for key in both] == [key.as_dict(private=False)["x"] for key in (OTHER, KEY)]
    left = json.loads(run("clients", "rotate", "lab", "--jwks", new, "--drop-old").stdout)["jwks"]["keys"]
    assert [key["x"] for key in left] == [OTHER.as_dict(private=False)["x"]]


def test_what_is_refused_changes_nothing_and_says_why(run: Run, tmp_path: Path) -> None:
    assert run("clients", *APP).exit_code == 0
    before = run("clients", "list", "--json").stdout
    nothing = "Nothing was changed: "
    assert refused(run("clients", *APP)) == f"{nothing}a client has this id already."
    assert "cannot hold system/*.rs" in refused(run("clients", "add", "x", *APP[2:], "--scope", "system/*.rs"))
    unknown = written(tmp_path, {"client_secret": "x"})
    assert "client_secret" in refused(run("clients", "add", "x", *APP[2:], "--metadata", unknown))
    for text in ("{", "[]", '"x"'):
        bad = written(tmp_path, text)
        assert "JSON" in refused(run("clients", "add", "x", *APP[2:], "--metadata", bad))
    assert "cannot be read" in refused(run("clients", "add", "x", *APP[2:], "--jwks", str(tmp_path / "none.json")))
    secret = jwks(tmp_path, KEY, private=True)
    said = refused(run("clients", "add", "x", *APP[2:], "--jwks", secret))
    assert "public keys only" in said
    assert str(KEY.as_dict(private=True)["d"]) not in said
    assert refused(run("clients", "disable", "nobody")) == f"{nothing}no client is called nobody."
    assert "nobody" in refused(run("clients", "rotate", "nobody", "--jwks", jwks(tmp_path, KEY)))
    assert "no key to replace" in refused(run("clients", "rotate", "app", "--jwks", jwks(tmp_path, KEY)))
    assert run("clients", "list", "--json").stdout == before


def test_only_who_holds_the_key_file_is_the_operator(run: Run, tmp_path: Path) -> None:
    assert run("clients", *APP).exit_code == 0
    other = tmp_path / "other.json"
    KeyFile.create(other, "sandbox-1")
    assert "does not open" in refused(run("clients", "list", PHR_KEY_FILE=str(other)))
    assert "is not there" in refused(run("clients", "list", PHR_KEY_FILE=str(tmp_path / "none.json")))
    assert "not a setting" in refused(run("clients", "list", PHR_NONSENSE="x"))


def test_without_a_database_it_says_so(run: Run) -> None:
    answer = run("clients", "list", PHR_DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")
    assert refused(answer) == "The database does not answer."


def test_without_a_schema_it_says_what_to_do(run: Run, empty_database_url: str) -> None:
    assert "phr migrate" in refused(run("clients", "list", PHR_DATABASE_URL=empty_database_url))


@pytest.mark.parametrize("step", ["add", "rotate"])
def test_production_refuses_a_demo_key(run: Run, tmp_path: Path, step: str) -> None:
    key_file = str(tmp_path / "keys" / "kek.json")
    production = {"PHR_ENV": "production", "PHR_ISSUER": "https://carnet.test", "PHR_KEY_FILE": key_file}
    demo = next(one.public_jwk for one in demo_clients() if one.public_jwk)
    keys = written(tmp_path, {"keys": [{name: demo[name] for name in ("kty", "crv", "x", "y")}]})
    lab = ("add", "lab", "deposit", "Laboratoire", "--jwks")
    assert run("clients", *lab, jwks(tmp_path, KEY), **production).exit_code == 0
    what = ("rotate", "lab", "--jwks", keys) if step == "rotate" else ("add", "x", *lab[2:], keys)
    assert "demo key" in refused(run("clients", *what, **production))
    assert run("clients", *what).exit_code == 0, "the sandbox is for it"


def test_the_help_says_who_may(run: Run) -> None:
    said = run("clients", "--help").output
    assert "Only the operator" in said
    assert all(word in said for word in ("add", "list", "disable", "rotate"))


def test_signing_keys_are_rotated_and_listed(run: Run) -> None:
    first = run("signing", "list")
    assert first.exit_code == 0, first.output
    assert first.stdout.count("signing") == 1
    done = run("signing", "rotate")
    assert done.exit_code == 0, done.output
    kid = done.stdout.split(" ")[0]
    table = run("signing", "list").stdout
    assert kid in table
    assert table.count("published") == 2, "a heading and a state"
    assert table.count("signing") == 1


def test_a_leaked_signing_key_is_not_believed_any_more(run: Run) -> None:
    kid = run("signing", "rotate").stdout.split(" ")[0]
    done = run("signing", "distrust", kid)
    assert done.exit_code == 0, done.output
    rows = run("signing", "list").stdout.splitlines()
    assert any(kid in row and "over" in row for row in rows)
    unknown = run("signing", "distrust", "nobody")
    assert (unknown.exit_code, unknown.stdout) == (2, "")
