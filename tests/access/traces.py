"""Mistakes someone could make in the journal: what it keeps, how it is chained, what it shows."""

from tests.access.mutant import of

JOURNAL = of(
    "phr.access.journal",
    ("journal", "no link to the entry before", "hmac.digest(chaining, digest + said", "hmac.digest(chaining, said"),
    (
        "journal",
        "SQL links nothing",
        "hashed(journal_head.c.digest, entry_hash)",
        "hashed(literal(GENESIS, LargeBinary()), entry_hash)",
    ),
    ("journal", "resources are not chained", 'stamped + b"\\0" + ",".join(resources).encode()', 'stamped + b"\\0"'),
    ("journal", "the digest itself is shown", "func.sha256(step.c.digest),", "step.c.digest,"),
)
WHO = of(
    "phr.access.journal",
    ("who", "the assistant is not named", "for who in (identity, assistant) if", "for who in (identity,) if"),
    ("who", "the assistant is named alone", "for who in (identity, assistant) if", "for who in (assistant,) if"),
    ("who", "for whom a delegate acts is not said", "(Actor(account, behalf=record),)", "(Actor(account),)"),
    ("who", "a trainee is a doctor", "name, who.system, who.profession", 'name, "TRE_G15", who.profession'),
    ("who", "nobody is named", "asked, _actors(reader))", "asked)"),
    ("who", "who acted is not sealed", "sealed = keys.seal(", "sealed = (lambda plain, _: plain)("),
)
CHAIN = of(
    "phr.access.chain",
    ("journal", "entries may be missing", 'if row["seq"] != seq:', "if False:"),
    ("journal", "links are not looked at", 'sha256(digest).digest() != row["link"] or', "False or"),
    ("journal", "the end may be cut", "if seq != last or digest != head", "if False and digest != head"),
    ("journal", "the head is not looked at", 'seq != last or digest != head["digest"]', "seq != last"),
    ("journal", "headless records pass", "for query in (_ORPHANS, _HEADLESS):", "for query in (_ORPHANS,):"),
    ("journal", "orphans pass", "for query in (_ORPHANS, _HEADLESS):", "for query in (_HEADLESS,):"),
)
AUDIT = of(
    "phr.access.audit",
    (
        "who",
        "only the last is shown",
        "        for actor in note.actors\n    ]",
        "        for actor in note.actors[-1:]\n    ]",
    ),
    ("who", "the professional asked", "last = note.actors[-1]", "last = note.actors[0]"),
    ("who", "a delegate is the person", 'if note.reader == "Citizen":', 'if note.reader in ("Citizen", "Delegate"):'),
    ("who", "the software is not shown", "return [*people, application]", "return people"),
    ("doors", "hidden resources are named", "if name in visible)", ")"),
    ("doors", "acts on hidden resources show", "    if act.resources and not kept:\n", "    if False:\n"),
)
