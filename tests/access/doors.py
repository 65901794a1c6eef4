"""The list of doors: every route, who it asks for, what it leaves in the journal. A new route is added here first."""

from dataclasses import dataclass

from phr.access.journal import Tag


@dataclass(frozen=True, slots=True)
class Door:
    """`reader`: bearer (a token, or 401), client, person or browser (the authorization server's own),
    nobody (open to all).

    `tags`: one entry each, in order. A conditional write looks first, then writes; a batch leaves those of its parts.
    """

    reader: str
    tags: tuple[Tag, ...] = ()


OPEN = Door("nobody")
CLIENT = Door("client")
BROWSER = Door("browser")
PERSON = Door("person")


def bearer(*tags: Tag) -> Door:
    return Door("bearer", tags)


DOORS: dict[tuple[str, str], Door] = {
    ("GET", "/health/live"): OPEN,
    ("GET", "/health/ready"): OPEN,
    ("GET", "/openapi.json"): OPEN,
    ("GET", "/sandbox"): OPEN,
    ("GET", "/.well-known/openid-configuration"): OPEN,
    ("GET", "/.well-known/oauth-authorization-server"): OPEN,
    ("GET", "/fhir/.well-known/smart-configuration"): OPEN,
    ("GET", "/fhir/metadata"): OPEN,
    ("GET", "/oauth/jwks"): OPEN,
    ("POST", "/oauth/token"): CLIENT,
    ("POST", "/oauth/revoke"): CLIENT,
    ("POST", "/oauth/introspect"): CLIENT,
    ("POST", "/oauth/par"): CLIENT,
    ("POST", "/oauth/launch"): PERSON,
    ("GET", "/oauth/userinfo"): PERSON,
    ("POST", "/oauth/userinfo"): PERSON,
    ("OPTIONS", "/oauth/{endpoint}"): OPEN,
    ("OPTIONS", "/.well-known/{document}"): OPEN,
    ("GET", "/.well-known/oauth-protected-resource"): OPEN,
    ("GET", "/.well-known/oauth-protected-resource/fhir"): OPEN,
    ("POST", "/oauth/providers/professional/logout"): CLIENT,
    ("GET", "/static/{name}"): OPEN,
    ("GET", "/fhir/{kind}/{id}"): bearer(Tag.READ),
    ("GET", "/fhir/{kind}/{id}/_history/{version}"): bearer(Tag.HISTORY),
    ("GET", "/fhir/{kind}/{id}/_history"): bearer(Tag.HISTORY),
    ("GET", "/fhir/{kind}/_history"): bearer(Tag.HISTORY),
    ("GET", "/fhir/{kind}"): bearer(Tag.SEARCH),
    ("POST", "/fhir/{kind}/_search"): bearer(Tag.SEARCH),
    ("GET", "/fhir/Patient/{id}/$everything"): bearer(Tag.EVERYTHING),
    ("POST", "/fhir/{kind}"): bearer(Tag.CREATE),
    ("PUT", "/fhir/{kind}/{id}"): bearer(Tag.UPDATE),
    ("PUT", "/fhir/{kind}"): bearer(Tag.SEARCH, Tag.UPDATE),
    ("PATCH", "/fhir/{kind}/{id}"): bearer(Tag.UPDATE),
    ("PATCH", "/fhir/{kind}"): bearer(Tag.SEARCH, Tag.UPDATE),
    ("DELETE", "/fhir/{kind}/{id}"): bearer(Tag.DELETE),
    ("DELETE", "/fhir/{kind}"): bearer(Tag.SEARCH, Tag.DELETE),
    ("POST", "/fhir"): bearer(Tag.TRANSACTION),
    ("POST", "/fhir/"): bearer(Tag.TRANSACTION),
    ("POST", "/fhir/{kind}/$validate"): bearer(),
    ("POST", "/fhir/{kind}/{id}/$validate"): bearer(),
}
OPERATED = {
    Tag.ACCESS: "open-access end-access",
    Tag.SHARE: "mask unmask block allow designate share revoke-code",
    Tag.DELEGATE: "invite-caregiver invite-parent answer-invitation change-delegation end-delegation",
    Tag.APPLICATION: "withdraw-application",
    Tag.CLOSE: "close reopen erase",
}
DOORS |= {
    ("POST", f"/fhir/Patient/{{id}}/${name}"): bearer(tag) for tag, names in OPERATED.items() for name in names.split()
}
DOORS |= {
    ("POST", "/fhir/Patient/$open-access"): bearer(Tag.ACCESS),
    ("POST", "/fhir/Patient/$redeem"): bearer(Tag.REDEEM),
    ("GET", "/fhir/Patient/$relations"): bearer(Tag.LOOKUP),
    ("GET", "/fhir/Patient/$told"): bearer(Tag.LOOKUP),
    ("GET", "/fhir/Patient/{id}/$preferences"): bearer(Tag.READ),
    ("POST", "/fhir/Patient/{id}/$preferences"): bearer(Tag.SHARE),
    ("GET", "/fhir/Patient/{id}/$invitations"): bearer(Tag.DELEGATE),
    ("GET", "/fhir/Patient/{id}/$prevention"): bearer(Tag.PREVENTION),
    ("POST", "/fhir/Patient/{id}/$answer-prevention"): bearer(Tag.CREATE),
    ("GET", "/fhir/Patient/{id}/$populate-check-up"): bearer(Tag.PREVENTION),
    ("POST", "/fhir/Patient/{id}/$complete-check-up"): bearer(Tag.PREVENTION),
    ("POST", "/fhir/Patient/{id}/$share-check-up"): bearer(Tag.PREVENTION),
    ("GET", "/fhir/Patient/{id}/$contents"): bearer(Tag.PREVENTION),
    ("POST", "/fhir/Patient/{id}/$calendar-address"): bearer(Tag.PREVENTION),
    ("POST", "/fhir/Patient/{id}/$end-calendar-address"): bearer(Tag.PREVENTION),
    ("GET", "/calendar/{secret}.ics"): OPEN,
    ("POST", "/fhir/$immds-forecast"): bearer(Tag.PREVENTION),
    ("GET", "/fhir/Patient/{id}/$immds-forecast"): bearer(Tag.PREVENTION),
    ("GET", "/fhir/Patient/$due"): bearer(Tag.LOOKUP, Tag.PREVENTION),
    ("GET", "/cds-services"): OPEN,
    ("POST", "/cds-services/{id}"): CLIENT,
    ("POST", "/cds-services/{id}/feedback"): CLIENT,
    ("GET", "/fhir/Patient/{id}/$journal"): bearer(Tag.JOURNAL),
    ("GET", "/fhir/{kind}/{id}/$provenance"): bearer(Tag.READ),
    ("GET", "/catalogue"): OPEN,
    ("GET", "/catalogue/{id}"): OPEN,
}
FOLLOWED = "open-prescription accept dispense release reject complete cancel renew-code send take-back"
DOORS |= {
    ("POST", f"/fhir/Task/{'' if name == 'open-prescription' else '{id}/'}${name}"): bearer(Tag.PRESCRIPTION)
    for name in FOLLOWED.split()
}
DOORS |= {
    ("POST", "/fhir/Patient/{id}/$prescribe"): bearer(Tag.PRESCRIPTION),
    ("GET", "/fhir/Medication/$lookup"): bearer(Tag.MEDICINE),
    ("POST", "/fhir/Patient/{id}/$check-medicines"): bearer(Tag.MEDICINE),
    ("GET", "/fhir/Task/{id}/$prescription"): bearer(Tag.PRESCRIPTION),
    ("GET", "/fhir/Task/{id}/$code"): bearer(Tag.PRESCRIPTION),
    ("GET", "/fhir/Patient/{id}/$usual-pharmacy"): bearer(Tag.PRESCRIPTION),
    ("POST", "/fhir/Patient/{id}/$usual-pharmacy"): bearer(Tag.PRESCRIPTION),
}
DOORS |= {
    (method, f"/fhir/Subscription{path}"): bearer(Tag.SUBSCRIPTION)
    for method, path in (("POST", ""), ("PUT", "/{id}"), ("DELETE", "/{id}"))
}
DOORS |= {
    (method, f"/fhir/Subscription{path}"): bearer(Tag.SUBSCRIPTION)
    for method in ("GET", "POST")
    for path in ("/$status", "/{id}/$status", "/{id}/$events")
}
MESSAGED = "read-thread archive-thread close-thread show-thread recall-message report-message"
DOORS |= {("POST", f"/fhir/Communication/{{id}}/${name}"): bearer(Tag.MESSAGE) for name in MESSAGED.split()}
DOORS |= {
    ("POST", "/fhir/Patient/{id}/$send-message"): bearer(Tag.MESSAGE),
    ("GET", "/fhir/Patient/{id}/$threads"): bearer(Tag.MESSAGE),
    ("GET", "/fhir/Patient/{id}/$draft-message"): bearer(Tag.MESSAGE),
    ("POST", "/fhir/Patient/{id}/$draft-message"): bearer(Tag.MESSAGE),
    ("GET", "/fhir/Patient/{id}/$recipients"): bearer(Tag.SEARCH),
    ("GET", "/fhir/Communication/$threads"): bearer(Tag.MESSAGE),
    ("GET", "/fhir/Communication/{id}/$thread"): bearer(Tag.MESSAGE),
    ("POST", "/fhir/Communication/$allow-messages"): bearer(Tag.MESSAGE),
}
NOTIFIED = (
    "notification-read notification-unread notification-read-all notification-delete register-device remove-device"
)
DOORS |= {("POST", f"/fhir/Patient/{{id}}/${name}"): bearer(Tag.NOTIFICATION) for name in NOTIFIED.split()}
DOORS |= {
    ("GET", "/fhir/Patient/{id}/$notifications"): bearer(Tag.NOTIFICATION),
    ("GET", "/fhir/Patient/{id}/$devices"): bearer(Tag.NOTIFICATION),
}
DOORS |= {
    ("POST", "/fhir/Patient/{id}/$remind"): bearer(Tag.AGENDA),
    ("GET", "/fhir/Patient/{id}/$reminders"): bearer(Tag.AGENDA),
    ("POST", "/fhir/Task/{id}/$change-reminder"): bearer(Tag.AGENDA),
    ("POST", "/fhir/Task/{id}/$end-reminder"): bearer(Tag.AGENDA),
    ("POST", "/fhir/Task/{id}/$snooze-reminder"): bearer(Tag.AGENDA),
    ("POST", "/fhir/Appointment/{id}/$cancel-appointment"): bearer(Tag.AGENDA),
}
PAGES = {
    "GET": (
        "/ /me /me/access /me/choices /me/journal /me/journal/export /me/people /me/share /pro/record/{record} "
        "/me/prevention /me/prevention/vaccinations /me/prevention/examinations /me/prevention/print "
        "/me/prevention/rule/{id} /me/check-up /me/check-up/answer /me/check-up/review /me/check-up/content/{id} "
        "/me/contents /me/contents/{id} "
        "/me/agenda /me/agenda/{kind}/{mark} /me/notifications "
        "/me/messages /me/messages/new /me/messages/{id} /me/messages/{id}/file/{binary} "
        "/me/prescriptions /me/prescriptions/pharmacy /me/prescriptions/{id} /me/prescriptions/{id}/paper "
        "/me/prescriptions/{id}/code /me/prescriptions/{id}/send /p "
        "/pro/pharmacy /pro/pharmacy/{id} /pro/pharmacy/{id}/paper "
        "/pro/record/{record}/content/{id} /pro/redeem /pro/prevention /pro/record/{record}/prevention "
        "/account /account/security /account/security/passkey /account/security/password /account/security/recovery "
        "/account/security/totp /enrol /enrol/details /enrol/done /enrol/verify /oauth/authorize /oauth/logout "
        "/professional/assistants /reset /reset/done /reset/new /reset/{ticket} /signin /signin/again "
        "/signin/franceconnect /signin/franceconnect/callback /signin/professional /signin/professional/activity "
        "/signin/professional/callback /signin/second /terms /terms/accept"
    ),
    "POST": (
        "/me/access /me/choices /me/people /me/share /me/share/end /pro/redeem "
        "/me/messages/new /me/messages/{id} /me/notifications /me/notifications/device "
        "/me/agenda "
        "/me/prescriptions/pharmacy /me/prescriptions/{id} /me/prescriptions/{id}/code /me/prescriptions/{id}/send "
        "/pro/pharmacy /pro/pharmacy/scan /pro/pharmacy/{id} /pro/record/{record}/prevention "
        "/me/prevention /me/check-up /me/check-up/answer /me/check-up/review "
        "/account/end /account/security/passkey /account/security/passkey/options /account/security/password "
        "/account/security/recovery /account/security/remove /account/security/totp /enrol /enrol/details "
        "/enrol/verify /oauth/authorize /oauth/consent /oauth/logout /oauth/logout/confirm /professional/assistants "
        "/reset /reset/new /reset/{ticket} /reset/{ticket}/options /signin /signin/again /signin/again/options "
        "/signin/passkey /signin/passkey/options /signin/professional/activity /signin/second /signin/second/options "
        "/signout /terms/accept"
    ),
}
DOORS |= {(method, path): BROWSER for method, paths in PAGES.items() for path in paths.split()}

PROVIDED = {"GET": "auth certs logout userinfo", "POST": "auth introspect logout token userinfo"}
"""Of each of the sandbox's own identity providers, which production never has."""

DOORS |= {
    (method, f"/sandbox/{slug}/{name}"): OPEN
    for slug in ("psc", "fc")
    for method, names in PROVIDED.items()
    for name in names.split()
}
DOORS |= {
    ("GET", "/sandbox/mail"): OPEN,
    ("GET", "/sandbox/psc/.well-known/wallet-openid-configuration"): OPEN,
    ("GET", "/sandbox/fc/.well-known/openid-configuration"): OPEN,
}

DOORS |= {
    (method, path): bearer()
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    for path in ("/fhir", "/fhir/{rest}")
    if (method, path) not in DOORS
}
"""Nothing is there, and only who has a token is told."""


def is_ours(path: str) -> bool:
    """Whether a door is one of Carnet's own operations: `test_operations.py` goes through them."""
    ours = "$" in path or path.startswith("/fhir/Subscription")
    return ours and not path.endswith(("$everything", "$validate"))
