"""What people are told when somebody acts on their record: in their centre, by mail, on their devices.

The rule: it is written in the transaction that causes it; a mail or a push says that something happened and to sign in
to know more: never who, nor what, nor any health data; and nobody is told of what they do not see.
"""

from auth import mail
from auth.accounts import Account
from phr import rights
from phr.access.visit import Deed
from phr.core import outbox
from phr.notifications import entry, pushing
from phr.notifications.audience import Listener, audience, listening
from phr.notifications.entry import Kind
from phr.preferences import prefers

ALWAYS = frozenset({"emergency"})
"""What no preference silences (R1111-48). The others have `notify-<kind>` for mail and `push-<kind>` for devices."""


async def tell(deed: Deed, kind: Kind, *, about: str = "", always: bool = False, confidential: bool = False) -> None:
    """Tell the person whose record this is, who represents them in law, and caregivers within their powers.

    `about`: the resource that it is about, `Type/id`, written already in this transaction. `always`: whatever the
    person prefers. `confidential`: kept from representatives and caregivers, as is all a confidential visit does. Each
    kind has its mail, `auth/mails/notice_<kind>.toml`.
    """
    for listener in await audience(deed, kind, about, confidential=confidential):
        await _tell(listener, kind, about, always=always)


async def remind(deed: Deed, account: Account, kind: Kind, about: str, *, mailed: bool, pushed: bool) -> None:
    """Tell one account, by these ways and the centre."""
    await _tell(await listening(deed, account, about), kind, about, mailed=mailed, pushed=pushed)


async def _tell(
    to: Listener, kind: Kind, about: str, *, always: bool = False, mailed: bool = True, pushed: bool = True
) -> None:
    """The entry, whatever they see now: the centre judges when they look. No mail or push of what they do not see."""
    deed, account, keys = to.deed, to.account, rights.keys_of(to.deed)
    now, system = deed.visit.now, deed.visit.installation.system_keys
    made = await entry.put(deed.session, keys, account.id, kind, about, now)
    if not to.sees:
        return

    def wants(channel: str) -> bool:
        return always or kind in ALWAYS or prefers(deed.provisions, f"{channel}-{kind}", now)

    if mailed and wants("notify"):
        subject, text = _written(kind, to)
        await outbox.enqueue(
            deed.session, system, mail.KIND, {"to": account.email, "subject": subject, "text": text}, now
        )
    if pushed and wants("push"):
        await pushing.enqueue(deed.session, system, account.id, keys.record, made, now)


def _written(kind: Kind, to: Listener) -> tuple[str, str]:
    """Subject and text, in every language: which one a person reads is not known here."""
    now = to.deed.visit.now
    parts = [
        mail.written(f"notice_{kind}", language).filled({"moment": mail.moment(now, language)})
        for language in mail.LANGUAGES
    ]
    return " / ".join(subject for subject, _ in parts), "\n\n".join(text.strip() for _, text in parts) + "\n"


__all__ = ["Kind", "remind", "tell"]
