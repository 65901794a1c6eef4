"""The CapabilityStatement, built from the registry: what is declared is what is implemented (a test compares)."""

from collections.abc import Collection, Mapping
from typing import Any

from fhir.parameters import COMMON, KINDS, Kind

FHIR_VERSION = "4.0.1"
_READING = ("read", "search-type")
VIRTUAL: Mapping[str, tuple[str, ...]] = {
    "AuditEvent": _READING,
    "Subscription": (*_READING, "create", "update", "delete"),
}
"""Types that are not stored as the others are, and what is done with them."""
_WRITING = (
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "create",
)
_DEFINITIONS = "http://hl7.org/fhir/OperationDefinition"
_BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport"
_STANDARD = {
    "everything": f"{_DEFINITIONS}/Patient-everything",
    "validate": f"{_DEFINITIONS}/Resource-validate",
    "status": f"{_BACKPORT}/OperationDefinition/backport-subscription-status",
    "events": f"{_BACKPORT}/OperationDefinition/backport-subscription-events",
}
_TOPIC = f"{_BACKPORT}/StructureDefinition/capabilitystatement-subscriptiontopic-canonical"
_OURS = "https://carnet.example/OperationDefinition"
EVERY = "*"
"""Of operations: on every stored type."""
_SMART = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


def _parameters(kind: Kind) -> list[dict[str, str]]:
    listed = {**COMMON, **kind.parameters}
    if kind.name in VIRTUAL:
        listed = {name: one for name, one in listed.items() if name == "_id" or name in kind.parameters}
    return [{"name": name, "type": parameter.type} for name, parameter in listed.items()]


def _resource(kind: Kind, operations: Mapping[str, Collection[str]]) -> dict[str, Any]:
    virtual = kind.name in VIRTUAL
    references = [name for name, p in kind.parameters.items() if p.type == "reference"]
    reverse = [
        f"{other.name}:{name}"
        for other in KINDS.values()
        for name, p in other.parameters.items()
        if p.type == "reference" and kind.name in p.targets and other.name not in VIRTUAL
    ]
    interactions = VIRTUAL.get(kind.name, (*_READING, *_WRITING))
    found: dict[str, Any] = {
        "type": kind.name,
        "interaction": [{"code": code} for code in interactions if (kind.name, code) != ("Binary", "patch")],
        "versioning": "no-version" if virtual else "versioned-update",
        "readHistory": not virtual,
        "updateCreate": False,
        "conditionalCreate": not virtual,
        "conditionalRead": "not-supported" if virtual else "full-support",
        "conditionalUpdate": not virtual,
        "conditionalDelete": "not-supported" if virtual else "single",
        "referencePolicy": ["literal", "logical", "local", "enforced"],
        "searchParam": _parameters(kind),
        "operation": [
            {"name": name, "definition": _STANDARD.get(name, f"{_OURS}/{name}")}
            for name in sorted({*operations.get(kind.name, ()), *(() if virtual else operations.get(EVERY, ()))})
        ],
    }
    if references and not virtual:
        found["searchInclude"] = ["*", *[f"{kind.name}:{name}" for name in references]]
    if reverse and not virtual:
        found["searchRevInclude"] = reverse
    return {name: value for name, value in found.items() if value != []}


def _subscriptions(topics: Collection[str]) -> dict[str, Any]:
    """What is said of subscriptions alone: their profile, and their topics (Subscriptions R5 Backport)."""
    profile = f"{_BACKPORT}/StructureDefinition/backport-subscription"
    listed = [{"url": _TOPIC, "valueCanonical": topic} for topic in topics]
    return {"supportedProfile": [profile], **({"extension": listed} if listed else {})}


def capability_statement(
    base: str,
    issuer: str,
    date: str,
    version: str,
    operations: Mapping[str, Collection[str]],
    topics: Collection[str] = (),
) -> dict[str, Any]:
    """FHIR R4 CapabilityStatement of this installation.

    `date`: of the software, ISO; `operations`: their names by resource type, under `EVERY`; under "" the system's;
    `topics`: the canonical URLs of what software subscribes to.
    """
    uris = {
        "url": _URIS,
        "extension": [
            {"url": name, "valueUri": f"{issuer}/oauth/{path}"}
            for name, path in (
                ("authorize", "authorize"),
                ("token", "token"),
                ("introspect", "introspect"),
                ("revoke", "revoke"),
            )
        ],
    }
    security = {
        "extension": [uris],
        "cors": True,
        "service": [{"coding": [{"system": _SMART, "code": "SMART-on-FHIR"}]}],
        "description": "OAuth 2 with PKCE; SMART App Launch 2.2 (standalone, EHR launch, backend services; v1 and v2 "
        "scopes, with a query); tokens bound by DPoP or mutual TLS on wish. No endpoint answers without a token but "
        "metadata and .well-known.",
    }
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "kind": "instance",
        "instantiates": ["https://interop.esante.gouv.fr/ig/fhir/pdsm/CapabilityStatement/PDSm-Gestionnaire"],
        "software": {"name": "Carnet", "version": version},
        "implementation": {"description": "Carnet, a personal health record", "url": base},
        "fhirVersion": FHIR_VERSION,
        "format": ["application/fhir+json", "json"],
        "patchFormat": ["application/json-patch+json"],
        "rest": [
            {
                "mode": "server",
                "documentation": "A search on a record's types opens one record: there is no search across people. "
                "Parameters that are not understood are ignored and named in the bundle's outcome entry, or refused "
                "under Prefer: handling=strict. JSON only.",
                "security": security,
                "resource": [
                    _resource(kind, operations) | (_subscriptions(topics) if kind.name == "Subscription" else {})
                    for kind in KINDS.values()
                ],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
                "operation": [{"name": n, "definition": f"{_OURS}/{n}"} for n in sorted(operations.get("", ()))],
            }
        ],
    }
