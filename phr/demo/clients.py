"""The demo world's software clients. DEMO ONLY: their private keys can be computed by anyone who reads this.

Production refuses any client whose key thumbprint is in `demo_key_thumbprints()`.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric import ec

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

ClientKind = Literal["citizen-app", "professional", "pharmacy", "deposit", "operator"]


@dataclass(frozen=True, slots=True)
class DemoClient:
    """One registered client. `private_jwk` is None for a public client; scopes are SMART v2 strings.

    `metadata`: what else is registered, under the names of RFC 7591, and what the catalogue says (`auth.purposes`).
    """

    client_id: str
    kind: ClientKind
    name: str
    redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    private_jwk: Mapping[str, str] | None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def public_jwk(self) -> dict[str, str] | None:
        """The key to register, without its private part."""
        if self.private_jwk is None:
            return None
        return {name: value for name, value in self.private_jwk.items() if name != "d"}


_OPENID = ("openid", "fhirUser", "profile", "offline_access")
CITIZEN_SCOPES = (*_OPENID, "launch/patient", "patient/*.cruds")
PRACTICE_SCOPES = (*_OPENID, "launch", "launch/patient", "user/*.cruds", "patient/*.rs")
PHARMACY_SCOPES = (*_OPENID, "user/*.cruds", "system/Patient.s")
DEPOSIT_SCOPES = ("system/Patient.s", "system/*.cruds")
OPERATOR_SCOPES = (
    "system/Patient.cs",
    "system/Practitioner.cruds",
    "system/PractitionerRole.cruds",
    "system/Organization.cruds",
    "system/Location.cruds",
    "system/HealthcareService.cruds",
    "system/Questionnaire.cruds",
)

APP = {
    "publisher": "Carnet, démonstration",
    "description_fr": "Pour essayer : elle demande ce qu’elle veut, et vous décochez ce que vous refusez.",
    "description_en": "To try with: it asks for what it likes, and you untick what you refuse.",
    "version": "1.0",
    "status": "EN_LIGNE",
}
WEB = {
    "publisher": "Carnet, démonstration",
    "description_fr": "Un site qui suit vos mesures, montre vos documents et note vos rendez-vous : à vous de choisir.",
    "description_en": "A site that follows your measurements, shows your documents, notes appointments: you choose.",
    "version": "1.0",
    "status": "EN_LIGNE",
    "purposes": [
        {
            "code": "measures",
            "label_fr": "Suivre vos mesures",
            "label_en": "Follow your measurements",
            "description_fr": "Le site montre comment change votre poids ou votre tension, et note vos mesures.",
            "description_en": "The site shows how your weight or blood pressure changes, and notes what you measure.",
            "direction": "both",
            "scopes": ["patient/Observation.crs"],
        },
        {
            "code": "documents",
            "label_fr": "Retrouver vos documents",
            "label_en": "Find your documents",
            "description_fr": "Le site liste vos documents de santé et les affiche.",
            "description_en": "The site lists your health documents and shows them.",
            "direction": "read",
            "scopes": ["patient/DocumentReference.rs", "patient/Binary.r"],
        },
        {
            "code": "agenda",
            "label_fr": "Noter vos rendez-vous",
            "label_en": "Note your appointments",
            "description_fr": "Le site ajoute à votre carnet les rendez-vous que vous y prenez.",
            "description_en": "The site adds to your record the appointments you make there.",
            "direction": "write",
            "scopes": ["patient/Appointment.cu"],
        },
    ],
}
"""What the catalogue says of them (`auth.purposes.Service`): one without purposes, one with three."""


def _encode(number: bytes) -> str:
    return base64.urlsafe_b64encode(number).rstrip(b"=").decode("ascii")


def thumbprint(jwk: Mapping[str, str]) -> str:
    """The SHA-256 thumbprint of an EC key, base64url without padding (RFC 7638 §3)."""
    required = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    canonical = json.dumps(required, sort_keys=True, separators=(",", ":"))
    return _encode(hashlib.sha256(canonical.encode()).digest())


def _demo_key(client_id: str) -> dict[str, str]:
    seed = hashlib.sha512(f"carnet DEMO key, never for production: {client_id}".encode()).digest()
    scalar = int.from_bytes(seed, "big") % (_P256_ORDER - 1) + 1
    point = ec.derive_private_key(scalar, ec.SECP256R1()).public_key().public_numbers()
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "x": _encode(point.x.to_bytes(32, "big")),
        "y": _encode(point.y.to_bytes(32, "big")),
        "d": _encode(scalar.to_bytes(32, "big")),
        "alg": "ES256",
        "use": "sig",
    }
    return jwk | {"kid": thumbprint(jwk)}


@cache
def demo_clients() -> tuple[DemoClient, ...]:
    """The seven clients of the sandbox, always the same, keys included."""
    return (
        DemoClient(
            "carnet-demo-app",
            "citizen-app",
            "Application citoyenne de démonstration",
            ("http://127.0.0.1:8765/callback", "http://localhost:8765/callback"),
            CITIZEN_SCOPES,
            None,
            {"application_type": "native", "service": APP},
        ),
        DemoClient(
            "carnet-demo-web",
            "citizen-app",
            "Site citoyen de démonstration",
            ("http://localhost:8767/callback",),
            CITIZEN_SCOPES,
            None,
            {
                "application_type": "web",
                "sector_identifier": "localhost",
                "post_logout_redirect_uris": ["http://localhost:8767/"],
                "service": WEB,
            },
        ),
        _confidential(
            "carnet-demo-practice",
            "professional",
            "Logiciel de cabinet de démonstration",
            PRACTICE_SCOPES,
            ("http://127.0.0.1:8766/callback",),
            {"subject_token_clients": ["demo-practice"]},
        ),
        _confidential(
            "carnet-demo-pharmacy",
            "pharmacy",
            "Logiciel d'officine de démonstration",
            PHARMACY_SCOPES,
            ("http://127.0.0.1:8768/callback",),
            {"subject_token_clients": ["demo-pharmacy"]},
        ),
        _confidential("carnet-demo-hospital", "deposit", "Logiciel de l'hôpital de démonstration", DEPOSIT_SCOPES),
        _confidential("carnet-demo-laboratory", "deposit", "Logiciel du laboratoire de démonstration", DEPOSIT_SCOPES),
        _confidential("carnet-demo-operator", "operator", "Exploitant de démonstration", OPERATOR_SCOPES),
    )


def _confidential(
    client_id: str,
    kind: ClientKind,
    name: str,
    scopes: tuple[str, ...],
    redirect_uris: tuple[str, ...] = (),
    metadata: Mapping[str, Any] | None = None,
) -> DemoClient:
    return DemoClient(client_id, kind, name, redirect_uris, scopes, _demo_key(client_id), metadata or {})


@cache
def demo_key_thumbprints() -> frozenset[str]:
    """The thumbprints of every demo key, for production to refuse."""
    return frozenset(thumbprint(client.private_jwk) for client in demo_clients() if client.private_jwk)
