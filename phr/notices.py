"""What a person is told by mail when somebody acts on their record, in the transaction that causes it.

The rule: a mail says that something happened and to sign in to know more: never who, nor what, nor any health data.
"""

from collections.abc import Iterable
from typing import Literal
from uuid import UUID

from auth import accounts, mail
from phr import rights
from phr.access.consent import terms_of
from phr.access.provision import Right, in_force, preference
from phr.access.visit import Deed
from phr.core import outbox

Kind = Literal["access", "emergency", "document", "delegation", "application"]
"""What happened; each has its mail, `auth/mails/notice_<kind>.toml`."""

PREFERENCES = {
    "access": "notify-access",
    "document": "notify-document",
    "delegation": "notify-delegation",
    "application": "notify-application",
}
"""The preference that silences a kind. An emergency (R1111-48) is always told."""


async def tell(deed: Deed, kind: Kind, *, always: bool = False, confidential: bool = False) -> None:
    """Mail the person whose record this is, and who represents them in law; nothing for who has no account.

    `always`: whatever the person prefers. `confidential`: kept from representatives, as is all a confidential visit
    does: set it when what happened is about something they do not see.
    """
    visit, keys = deed.visit, rights.keys_of(deed)
    preferred = PREFERENCES.get(kind, "")
    if not always and preference(deed.provisions, preferred, visit.now) is False:
        return
    others = [] if confidential or deed.confidential else await _representatives(deed)
    system = visit.installation.system_keys
    for account in await accounts.reached(deed.session, system, keys.record, others):
        subject, text = _written(kind, deed)
        message = {"to": account.email, "subject": subject, "text": text}
        await outbox.enqueue(deed.session, system, mail.KIND, message, visit.now)


async def _representatives(deed: Deed) -> list[UUID]:
    """The accounts of who represents the person, read from their Consents: the register has hashes only."""
    standing = in_force(
        await rights.listed(deed, [Right.LEGAL_REPRESENTATIVE]), Right.LEGAL_REPRESENTATIVE, deed.visit.now
    )
    return list(_accounts(await rights.find(deed, [one.id for one in standing])))


def _accounts(found: Iterable[rights.Held]) -> Iterable[UUID]:
    for one in found:
        actor = terms_of(one.json).actor
        if actor is not None and actor.name.startswith("account:"):
            yield UUID(actor.name.removeprefix("account:"))


def _written(kind: Kind, deed: Deed) -> tuple[str, str]:
    """Subject and text, in every language: which one a person reads is not known here."""
    now = deed.visit.now
    parts = [
        mail.written(f"notice_{kind}", language).filled({"moment": mail.moment(now, language)})
        for language in mail.LANGUAGES
    ]
    return " / ".join(subject for subject, _ in parts), "\n\n".join(text.strip() for _, text in parts) + "\n"
