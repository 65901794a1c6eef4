"""What people are told when somebody acts on their record: in their centre, by mail, on their devices.

The rule: it is written in the transaction that causes it; a mail or a push says that something happened and to sign in
to know more: never who, nor what, nor any health data; and nobody is told of what they do not see.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta

from auth import mail
from auth.accounts import Account
from phr import rights
from phr.access.reader import Citizen, Delegate, System
from phr.access.visit import Deed
from phr.core import outbox
from phr.notifications import entry, pushing, quiet
from phr.notifications.audience import Listener, audience, in_sight, listening
from phr.notifications.entry import Kind
from phr.preferences import prefers

ALWAYS = frozenset({"emergency"})
"""What no preference silences (R1111-48). The others have `notify-<kind>` for mail and `push-<kind>` for devices."""
EMAIL, PUSH = "email", "push"
_PREFERENCE = {EMAIL: "notify", PUSH: "push"}
TOGETHER = timedelta(hours=1)
"""Documents filed within it are announced once: by one mail and one push, until what was announced is read."""
_LOOKED = 100
Hours = Iterable[quiet.Hours]


async def tell(deed: Deed, kind: Kind, *, about: str = "", always: bool = False, confidential: bool = False) -> None:
    """Tell the person whose record this is, who represents them in law, and caregivers within their powers.

    `about`: the resource that it is about, `Type/id`, written already in this transaction. `always`: whatever the
    person prefers. `confidential`: kept from representatives and caregivers, as is all a confidential visit does. Each
    kind has its mail, `auth/mails/notice_<kind>.toml`.
    """
    for listener in await audience(deed, kind, about, confidential=confidential):
        await _tell(listener, kind, [about], {about} if listener.sees else (), preferred(listener, kind, always=always))


async def tell_filed(deed: Deed, documents: Sequence[str]) -> None:
    """Tell of documents that somebody else filed, all at once: an entry for each, one mail and one push at most.

    What the person files is told to nobody; what another files for them, not to that one; an import, to nobody.
    """
    reader = deed.visit.reader
    if not documents or isinstance(reader, Citizen | System):
        return
    filer = reader.account if isinstance(reader, Delegate) else ""
    for to in await audience(deed, "document", "", confidential=False):
        if str(to.account.id) == filer:
            continue
        seen = await in_sight(to.deed, to.deed.view, documents)
        by = () if await _waits(to, "document", TOGETHER) else preferred(to, "document")
        await _tell(to, "document", documents, seen, by)


async def remind(deed: Deed, account: Account, kind: Kind, about: str, *, by: Collection[str], hours: Hours) -> None:
    """Tell one account, by the centre and these ways, which keep these quiet hours."""
    to = await listening(deed, account, about)
    await _tell(to, kind, [about], {about} if to.sees else (), by, hours)


def preferred(to: Listener, kind: Kind, *, always: bool = False) -> frozenset[str]:
    """The ways, beside the centre, by which the person lets this kind be told."""
    now, provisions = to.deed.visit.now, to.deed.provisions
    silent = not always and kind not in ALWAYS
    return frozenset(
        way for way, name in _PREFERENCE.items() if not silent or prefers(provisions, f"{name}-{kind}", now)
    )


async def _tell(
    to: Listener, kind: Kind, abouts: Sequence[str], seen: Collection[str], by: Collection[str], hours: Hours = ()
) -> None:
    """The entries, whatever they see now: the centre judges when they look. One mail, one push, of what they see."""
    deed, account, keys = to.deed, to.account, rights.keys_of(to.deed)
    session, now, system = deed.session, deed.visit.now, deed.visit.installation.system_keys
    first = next((about for about in abouts if about in seen), None)
    for about in abouts:
        told = bool(by) and about == first
        made = await entry.put(session, keys, account.id, kind, about, now, announced=told)
        if told and EMAIL in by:
            subject, text = _written(kind, to)
            message = {"to": account.email, "subject": subject, "text": text, **quiet.said(hours)}
            await outbox.enqueue(session, system, mail.KIND, message, now)
        if told and PUSH in by:
            await pushing.enqueue(session, system, account.id, keys.record, made, now, quiet.said(hours))


async def _waits(to: Listener, kind: Kind, since: timedelta) -> bool:
    """Whether an entry of this kind was announced lately, and is not read yet."""
    deed, now = to.deed, to.deed.visit.now
    unread = await entry.after(
        deed.session, rights.keys_of(deed), to.account.id, entry.LATEST, now, _LOOKED, unread=True
    )
    return any(one.kind == kind and one.announced and one.at > now - since for one in unread)


def _written(kind: Kind, to: Listener) -> tuple[str, str]:
    """Subject and text, in every language: which one a person reads is not known here."""
    now = to.deed.visit.now
    parts = [
        mail.written(f"notice_{kind}", language).filled({"moment": mail.moment(now, language)})
        for language in mail.LANGUAGES
    ]
    return " / ".join(subject for subject, _ in parts), "\n\n".join(text.strip() for _, text in parts) + "\n"


__all__ = ["EMAIL", "PUSH", "Kind", "preferred", "remind", "tell", "tell_filed"]
