"""What a reader keeps for themself of a thread: read or not, put away, without news."""

from dataclasses import replace

from phr.access.journal import Tag
from phr.access.scope import READ
from phr.access.visit import Visit, asked_of
from phr.messages import marks
from phr.messages.listing import last_of
from phr.messages.marks import Mark
from phr.messages.thread import COMMUNICATION, find
from phr.reading import home_of, require


async def keep_read(visit: Visit, id: str, *, read: bool) -> Mark:
    """Up to its last message in sight, it is read; or (`read` False) nothing of it is. Raises ABSENT."""
    return await _keep(visit, id, "$read-thread", read=read)


async def put_away(visit: Visit, id: str, *, archived: bool | None, unsubscribed: bool | None) -> Mark:
    """Archive a thread until its next message, or take it back; want no news of it, or want it again. Raises ABSENT.

    None: as it was.
    """
    return await _keep(visit, id, "$archive-thread", archived=archived, unsubscribed=unsubscribed)


async def _keep(
    visit: Visit,
    id: str,
    operation: str,
    *,
    read: bool | None = None,
    archived: bool | None = None,
    unsubscribed: bool | None = None,
) -> Mark:
    require(visit, READ, COMMUNICATION)
    home = await home_of(visit, COMMUNICATION, id)
    async with visit.act(home, READ, Tag.MESSAGE, asked_of((COMMUNICATION.name, id, operation))) as deed:
        thread = await find(deed, id)
        mark, last = (await marks.mine(deed, [id])).get(id, Mark()), await last_of(deed, thread)
        if read is not None:
            mark = replace(mark, read=last if read else None)
        if archived is not None:
            mark = replace(mark, archived=last if archived else None)
        if unsubscribed is not None:
            mark = replace(mark, unsubscribed=unsubscribed)
        await marks.keep(deed, id, mark)
        return mark
