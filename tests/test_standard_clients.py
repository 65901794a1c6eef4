"""Clients made by others, as they come, against a served sandbox: Authlib's, SMART on FHIR's, npm's openid-client.

The rule: none of them is patched; only what they themselves deprecate is let through the tests' zero warnings.
"""

import json
import os
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from authlib.common.security import generate_token
from authlib.deprecate import AuthlibDeprecationWarning
from authlib.oauth2.rfc7523 import PrivateKeyJWT, private_key_jwt_sign
from fhirclient.client import FHIRClient  # type: ignore[import-untyped]
from fhirclient.models.observation import Observation  # type: ignore[import-untyped]
from fhirclient.models.patient import Patient  # type: ignore[import-untyped]
from joserfc.jwk import ECKey

from tests.signing_in import as_citizen, as_professional, client, sandbox

with warnings.catch_warnings():
    # Authlib 1.9 prefers httpx's successor, and says so on the import when it only finds httpx.
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuth2Client

EXAMPLE = Path(__file__).parent.parent / "docs" / "examples" / "openid_client"
INSTALLED = Path(os.environ.get("CARNET_OPENID_CLIENT") or EXAMPLE)
"""Where `npm install --no-package-lock` was run: .ci/run does it elsewhere, by hand one does it there."""


class Signed(PrivateKeyJWT):  # type: ignore[misc]
    """Authlib's documented way in. Its default is RS256 for an hour; SMART App Launch 2.2 allows five minutes."""

    def sign(self, auth: Any, token_endpoint: str) -> str:
        signed: str = private_key_jwt_sign(
            auth.client_secret, auth.client_id, token_endpoint, alg="ES256", expires_in=60
        )
        return signed


def _metadata(carnet: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{carnet}/.well-known/oauth-authorization-server").json()
    return found


def test_authlib_as_a_citizens_app(carnet: str) -> None:
    """Public: code with PKCE, read, refresh, revoke."""
    server = _metadata(carnet)
    app = client(carnet, "carnet-demo-app")
    with OAuth2Client(
        app["client_id"],
        redirect_uri=app["redirect_uris"][0],
        scope="openid offline_access patient/*.rs",
        code_challenge_method="S256",
    ) as mine:
        verifier = generate_token(48)
        address, state = mine.create_authorization_url(server["authorization_endpoint"], code_verifier=verifier)
        ended = as_citizen(carnet, address, "nicolas.moreau")
        token = mine.fetch_token(
            server["token_endpoint"], authorization_response=ended, state=state, code_verifier=verifier
        )
        assert mine.get(f"{carnet}/fhir/Patient/{token['patient']}").status_code == 200
        again = dict(mine.refresh_token(server["token_endpoint"], refresh_token=token["refresh_token"]))
        assert again["refresh_token"] != token["refresh_token"]
        assert mine.get(f"{carnet}/fhir/Patient/{token['patient']}").status_code == 200
        assert mine.revoke_token(server["revocation_endpoint"], again["refresh_token"]).status_code == 200
        assert mine.get(f"{carnet}/fhir/Patient/{token['patient']}").status_code == 401


async def test_authlib_as_professional_software(carnet: str) -> None:
    """Confidential by private_key_jwt: code with PKCE, introspect, refresh, revoke, introspect."""
    server = _metadata(carnet)
    practice = client(carnet, "carnet-demo-practice")
    async with AsyncOAuth2Client(
        practice["client_id"],
        ECKey.import_key(practice["private_jwk"]),
        token_endpoint_auth_method="private_key_jwt",
        revocation_endpoint_auth_method="private_key_jwt",
        redirect_uri=practice["redirect_uris"][0],
        scope="openid profile offline_access user/*.cruds",
        code_challenge_method="S256",
    ) as mine:
        mine.register_client_auth_method(Signed(server["token_endpoint"]))
        verifier = generate_token(48)
        address, state = mine.create_authorization_url(server["authorization_endpoint"], code_verifier=verifier)
        ended = as_professional(carnet, address, "gp")
        token = await mine.fetch_token(
            server["token_endpoint"], authorization_response=ended, state=state, code_verifier=verifier
        )

        async def says(secret: str) -> dict[str, Any]:
            answer = await mine.introspect_token(server["introspection_endpoint"], secret)
            said: dict[str, Any] = answer.json()
            return said

        said = await says(token["access_token"])
        assert said["active"]
        assert said["professional"]["id"] == "899700990114"
        again = dict(await mine.refresh_token(server["token_endpoint"], refresh_token=token["refresh_token"]))
        assert (await says(token["refresh_token"])) == {"active": False}
        await mine.revoke_token(server["revocation_endpoint"], again["refresh_token"])
        assert (await says(again["access_token"])) == {"active": False}


def test_fhirclient_as_a_citizens_app(carnet: str) -> None:
    """SMART on FHIR's Python client: from our CapabilityStatement to a Patient, PKCE and all its own."""
    smart = FHIRClient(
        {
            "app_id": "carnet-demo-app",
            "api_base": f"{carnet}/fhir",
            "redirect_uri": "http://127.0.0.1:8765/callback",
            "scope": "openid fhirUser offline_access patient/*.read",
        }
    )
    assert not smart.prepare()
    asked = parse_qs(urlsplit(smart.authorize_url).query)
    assert asked["code_challenge_method"] == ["S256"]
    smart.handle_callback(as_citizen(carnet, smart.authorize_url, "jeanne.lefevre"))
    assert smart.ready
    assert smart.human_name(smart.patient.name[0]).startswith("Jeanne ")
    found = Observation.where({"patient": smart.patient_id, "_count": "5"}).perform_resources_iter(smart.server)
    assert next(found).subject.reference == f"Patient/{smart.patient_id}"
    assert smart.reauthorize()
    assert Patient.read(smart.patient_id, smart.server).id == smart.patient_id
    smart.server.session.close()


def test_fhirclient_as_a_hospitals_server(carnet: str) -> None:
    """SMART Backend Services, with an assertion the caller signs."""
    hospital = client(carnet, "carnet-demo-hospital")
    key = ECKey.import_key(hospital["private_jwk"])
    endpoint = sandbox(carnet)["endpoints"]["token"]
    smart = FHIRClient(
        {
            "app_id": hospital["client_id"],
            "api_base": f"{carnet}/fhir",
            "scope": "system/Patient.s",
            "jwt_token": private_key_jwt_sign(key, hospital["client_id"], endpoint, alg="ES256", expires_in=60),
        }
    )
    smart.wants_patient = False
    assert not smart.prepare()
    smart.authorize()
    ins = sandbox(carnet)["citizens"][0]["ins"]
    asked = Patient.where({"identifier": f"{ins['system']}|{ins['value']}"})
    assert len(list(asked.perform_resources_iter(smart.server))) == 1
    smart.server.session.close()


@pytest.mark.skipif(shutil.which("node") is None, reason="openid-client is run when Node is there")
@pytest.mark.skipif(not (INSTALLED / "node_modules").is_dir(), reason="openid-client is run when npm installed it")
@pytest.mark.parametrize(("way", "type"), [("plain", "bearer"), ("par", "bearer"), ("dpop", "dpop")])
def test_openid_client(carnet: str, tmp_path: Path, way: str, type: str) -> None:
    """Discovery, PAR, PKCE, the id_token's validation, userinfo, refresh, DPoP with nonces, revocation."""
    script = shutil.copy(EXAMPLE / "check.mjs", tmp_path)
    (tmp_path / "node_modules").symlink_to(INSTALLED / "node_modules")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    node = ["node", script, carnet, way]
    with subprocess.Popen(node, cwd=tmp_path, text=True, **pipes) as child:  # type: ignore[call-overload]
        address = child.stdout.readline().strip()
        assert address.startswith(f"{carnet}/oauth/authorize?"), child.stderr.read()
        printed, complaint = child.communicate(as_citizen(carnet, address, "karim.benali") + "\n", timeout=60)
    assert child.returncode == 0, complaint
    found = json.loads(printed)
    assert (found["type"], found["name"], found["refused"]) == (type, "Karim BENALI", 401)
    assert found["patient"] == found["given"]
