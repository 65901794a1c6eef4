"""Mistakes someone could make in the policy, by hand: each must be found by the kill-set (`tests.access.killers`)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old` stands in the module's source once or first; `early` is the check that should find it."""

    module: str
    early: str
    why: str
    old: str
    new: str


def _in(module: str, *rows: tuple[str, str, str, str]) -> tuple[Mutant, ...]:
    return tuple(Mutant(module, *row) for row in rows)


SIGHT = _in(
    "phr.access.sight",
    ("policy", "closed a moment too late", "facts.closed <= now", "facts.closed < now"),
    ("policy", "a closed record stays open", "if facts.closed is not None and facts.closed <= now:", "if False:"),
    ("policy", "every citizen in every record", " if record == facts.record:", ":"),
    ("policy", "the wrong label", 'Not(Flagged("hidden_from_patient"))', 'Not(Flagged("masked"))'),
    ("policy", "the label backwards", 'Not(Flagged("hidden_from_patient"))', 'Flagged("hidden_from_patient")'),
    ("policy", "no label at all", 'And((inside, Not(Flagged("hidden_from_patient"))))', "inside"),
    (
        "policy",
        "a depositor sees the record",
        "Sight(And((inside, AuthoredBy(facts.author))), Because.OWN_DEPOSITS)",
        "Sight(inside, Because.OWN_DEPOSITS)",
    ),
    (
        "policy",
        "a depositor sees their own anywhere",
        "Sight(And((inside, AuthoredBy(facts.author))), Because.OWN_DEPOSITS)",
        "Sight(AuthoredBy(facts.author), Because.OWN_DEPOSITS)",
    ),
    (
        "policy",
        "an import sees the record",
        "Sight(And((inside, AuthoredBy(facts.author))), Because.IMPORTING)",
        "Sight(inside, Because.IMPORTING)",
    ),
    (
        "policy",
        "an operator sees the record",
        "    return BLIND\n\n\ndef commons",
        "    return Sight(inside, Because.COMMONS)\n\n\ndef commons",
    ),
    ("views", "everything is commons", "Sight(Commons(), Because.COMMONS)", "Sight(Not(Nothing()), Because.COMMONS)"),
)
SCOPE = _in(
    "phr.access.scope",
    ("policy", "any verb will do", "and verb in scope.verbs}", "}"),
    (
        "policy",
        "any context will do",
        "if scope.context == _context(reader) and verb in scope.verbs}",
        "if verb in scope.verbs}",
    ),
    ("policy", "no scope is every scope", "if kinds else Nothing()", "if kinds else Everything()"),
    ("policy", "one type is every type", 'if "*" in kinds:', "if kinds:"),
    ("views", "granted for any type", 'scope.kind in ("*", kind)', "scope.kind"),
    ("views", "granted for any verb", "verb in scope.verbs and scope.kind", "scope.kind"),
    (
        "policy",
        "contexts exchanged",
        '"patient" if isinstance(reader, Citizen) else "system"',
        '"system" if isinstance(reader, Citizen) else "patient"',
    ),
)
RIGHT = _in(
    "phr.access.right",
    (
        "rights",
        "anybody writes the journal",
        'JOURNAL_ONLY = frozenset({"AuditEvent"})',
        "JOURNAL_ONLY = frozenset[str]()",
    ),
    (
        "rights",
        "an operator writes inside",
        "isinstance(reader, Citizen | Depositor | System)",
        "isinstance(reader, Citizen | Depositor | Operator | System)",
    ),
    ("rights", "anybody writes the commons", "if isinstance(reader, Operator | System):", "if reader:"),
    ("rights", "software lifts a mask", "if MASK in lifted and not isinstance(reader, Citizen):", "if False:"),
    ("rights", "everything is mine", "if change.mine:", "if True:"),
    ("rights", "a citizen changes any label", "if moved <= {MASK}:", "if moved:"),
    (
        "rights",
        "a citizen changes content",
        "isinstance(reader, Citizen) and change.only_visibility()",
        "isinstance(reader, Citizen)",
    ),
    ("rights", "anybody deletes", "if not mine:", "if False:"),
    ("rights", "software deletes documents", "kind.name in NEVER_DELETED and not", "False and not"),
)
PREDICATE = _in(
    "fhir.predicate",
    ("folds", "not says yes", "return not_(self.part.clause(columns, bind))", "return self.part.clause(columns, bind)"),
    (
        "folds",
        "unknown authors",
        "and_(columns.author.is_not(None), columns.author == bind(Uuid()))",
        "columns.author == bind(Uuid())",
    ),
    ("policy", "and is or", "return all(part.holds(row)", "return any(part.holds(row)"),
    ("folds", "and is or in SQL", "return and_(true(), *[part", "return or_(true(), *[part"),
    ("rows", "the deleted are present", "columns.gone.is_(False)", "columns.gone.is_not(None)"),
    ("folds", "one flag for another", "columns[self.flag].is_(True)", "columns.masked.is_(True)"),
    ("rows", "any record of the bucket", "columns.record == bind(String())", "columns.record != bind(String())"),
    ("policy", "any kind", "return row.kind in self.kinds", "return True"),
    (
        "policy",
        "nothing is something",
        "    def holds(self, row: Row) -> bool:\n        return False",
        "    def holds(self, row: Row) -> bool:\n        return True",
    ),
    ("shapes", "and and or share a statement", 'return ("or", *[', 'return ("and", *['),
    ("shapes", "not is forgotten in the shape", 'return ("not", self.part.shape())', "return self.part.shape()"),
)
CRITERIA = _in(
    "fhir.criteria",
    ("folds", "a missing date is unknown", "return func.coalesce(found, false())", "return found"),
    ("folds", "dates unwrapped", '"eq": "strict $[*]', '"eq": "lax $[*]'),
    ("folds", "ap touches", "@[0] < $hi && @[1] > $lo", "@[0] <= $hi && @[1] > $lo"),
    ("folds", "an instant at its end", "inside = and_(at >= low, at < high)", "inside = and_(at >= low, at <= high)"),
    ("folds", "a word anywhere", "func.strpos(found, wanted) > 0", "func.strpos(found, wanted) >= 0"),
    ("folds", "a word as a pattern", "func.starts_with(found, wanted)", 'found.like(wanted.op("||")("%"))'),
    (
        "shapes",
        "prefixes share a statement",
        'return ("date", self.parameter, self.prefix)',
        'return ("date", self.parameter)',
    ),
)
LENS = _in(
    "fhir.lens",
    ("rows", "the deleted are shown", "self.sight if gone else And((self.sight, Present()))", "self.sight"),
    ("guard", "no guard", "if element.name in _NAMES:", "if False:"),
    ("guard", "columns pass", "    if isinstance(table, ClauseElement):\n        yield table\n", ""),
    ("guard", "rows of values pass", 'getattr(element, "_multi_values", ())', "()"),
    ("guard", "only the statement is looked at", "pending.extend(_parts(element))", "continue"),
    ("guard", "narrowing widens", "Lens(And((self.sight, *parts)))", "Lens(And(parts))"),
    (
        "doors",
        "versions of everything",
        "and_(history.c.bucket == rows.c.bucket, history.c.id == rows.c.id)",
        "history.c.bucket == rows.c.bucket",
    ),
    ("doors", "no versions of the deleted", "rows = self.rows(bind, gone=True)", "rows = self.rows(bind)"),
)
VIEW = _in(
    "fhir.view",
    (
        "views",
        "the record through the commons' lens",
        "return self.commons if kind.commons else self.inside",
        "return self.commons",
    ),
    (
        "doors",
        "tokens hashed under the wrong key",
        "self.keyring.keys.get(self.home(kind) or COMMONS)",
        "self.keyring.keys.get(COMMONS)",
    ),
)
VISIT = _in(
    "phr.access.visit",
    ("trust", "revoked tokens live on", "return and_(not_(revoked), not_(disabled))", "return not_(disabled)"),
    ("trust", "disabled clients live on", "return and_(not_(revoked), not_(disabled))", "return not_(revoked)"),
    (
        "trust",
        "old rights live on",
        "still = and_(_own(), rights, record.c.closed.is_(None), _holding())",
        "still = and_(_own(), record.c.closed.is_(None), _holding())",
    ),
    (
        "trust",
        "closed records live on",
        "still = and_(_own(), rights, record.c.closed.is_(None), _holding())",
        "still = and_(_own(), rights, _holding())",
    ),
    ("trust", "the gate forgets the token", "record.c.closed.is_(None), _holding())", "record.c.closed.is_(None))"),
    ("trust", "a closed record opens for a write", 'if row is None or row["closed"] is not None:', "if row is None:"),
    (
        "trust",
        "a write does not look at the token",
        "            await self._check_token(session)\n            opened = await self._open(session, name, lock=True)",
        "            opened = await self._open(session, name, lock=True)",
    ),
    ("views", "keys for who sees nothing", "        if decision is BLIND:\n", "        if False:\n"),
    (
        "views",
        "scopes do not narrow",
        "inside = Lens(And((decision.predicate, narrow)))",
        "inside = Lens(decision.predicate)",
    ),
    (
        "views",
        "scopes do not narrow the commons",
        "Lens(And((commons_sight(self.reader).predicate, narrow)))",
        "Lens(commons_sight(self.reader).predicate)",
    ),
    ("trust", "an action leaves no trail", "            await deed.leave_trail(tag, asked)\n", ""),
    ("trust", "a reading leaves no trail", ".add_cte(trail(returned, gate))", ""),
    ("trust", "a refusal leaves a trail", ".add_cte(trail(returned, gate))", ".add_cte(trail(returned))"),
    (
        "journal",
        "the trail names nothing",
        'returned = select(reference).limit(bindparam("j_listed", type_=Integer()))',
        "returned = select(reference).where(page.c.id == bindparam('j_listed', type_=String()).concat('x')).limit(1)",
    ),
)
JOURNAL = _in(
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
CHAIN = _in(
    "phr.access.chain",
    ("journal", "entries may be missing", 'if row["seq"] != seq:', "if False:"),
    ("journal", "links are not looked at", 'sha256(digest).digest() != row["link"] or', "False or"),
    ("journal", "the end may be cut", "if seq != last or digest != head", "if False and digest != head"),
    ("journal", "the head is not looked at", 'seq != last or digest != head["digest"]', "seq != last"),
    ("journal", "headless records pass", "for query in (_ORPHANS, _HEADLESS):", "for query in (_ORPHANS,):"),
    ("journal", "orphans pass", "for query in (_ORPHANS, _HEADLESS):", "for query in (_HEADLESS,):"),
)
AUDIT = _in(
    "phr.access.audit",
    ("doors", "hidden resources are named", "if name in visible)", ")"),
    ("doors", "acts on hidden resources show", "    if act.resources and not kept:\n", "    if False:\n"),
)

MUTANTS = (*SIGHT, *SCOPE, *RIGHT, *PREDICATE, *CRITERIA, *LENS, *VIEW, *VISIT, *JOURNAL, *CHAIN, *AUDIT)
