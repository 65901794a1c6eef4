"""Mistakes someone could make in the policy, by hand: each must be found by the kill-set (`tests.access.killers`)."""

from tests.access.decisions import CONSENT, MATRIX, PROVISION, RIGHTS
from tests.access.mutant import Mutant, of
from tests.access.traces import AUDIT, CHAIN, JOURNAL, WHO

SIGHT = of(
    "phr.access.sight",
    ("policy", "closed a moment too late", "facts.closed <= now", "facts.closed < now"),
    ("policy", "a closed record stays open", "if facts.closed is not None and facts.closed <= now:", "if False:"),
    ("policy", "every citizen in every record", " if record == facts.record:", ":"),
    ("policy", "the wrong label", "Not(Withheld(now))))", 'Not(Flagged("masked"))))'),
    ("policy", "the label backwards", "Not(Withheld(now))))", "Withheld(now)))"),
    ("policy", "no label at all", "And((inside, Not(Withheld(now))))", "inside"),
    ("policy", "the announcement never comes", "Not(Withheld(now))))", 'Not(Flagged("hidden_from_patient"))))'),
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
        "a delegate in every record",
        "case Delegate(record=record) if record == facts.record:",
        "case Delegate(record=record):",
    ),
    ("policy", "a professional is software that deposits", "case Professional():", "case None:"),
    (
        "policy",
        "an import sees the record",
        "Sight(And((inside, AuthoredBy(facts.author))), Because.IMPORTING)",
        "Sight(inside, Because.IMPORTING)",
    ),
    (
        "policy",
        "an operator sees the record",
        "    return BLIND\n\n\ndef _delegate",
        "    return Sight(inside, Because.COMMONS)\n\n\ndef _delegate",
    ),
    ("views", "everything is commons", "Sight(Commons(), Because.COMMONS)", "Sight(Not(Commons()), Because.COMMONS)"),
)
SCOPE = of(
    "phr.access.scope",
    ("policy", "any verb will do", "and verb in scope.verbs and", "and"),
    ("policy", "any context will do", "if scope.context in counted and verb", "if verb"),
    ("policy", "no scope is every scope", "return Nothing()", "return Everything()"),
    ("policy", "one type is every type", 'if "*" in kinds:', "if kinds:"),
    ("views", "granted for any type", 'scope.kind in ("*", kind) and not', "not"),
    ("policy", "a query is ignored", "        parts.append(asked)\n", ""),
    ("policy", "a query is any of its parameters", "return And(tuple(parts))", "return Or(tuple(parts))"),
    (
        "policy",
        "a type asked in part is given whole",
        "for scope in giving if not scope.query)",
        "for scope in giving)",
    ),
    (
        "policy",
        "of several queries, all",
        "parts[0] if len(parts) == 1 else Or(tuple(parts))",
        "parts[0] if len(parts) == 1 else And(tuple(parts))",
    ),
    (
        "scopes",
        "what cannot be asked is forgotten",
        "            return None\n        try:",
        "            continue\n        try:",
    ),
    ("scopes", "any parameter is a token", 'or parameter.type != "token":', "or not parameter.type:"),
    ("scopes", "ids are tokens", "        if not isinstance(asked, TokenAny):\n            return None\n", ""),
    ("scopes", "everything by a query", "return None if scope.query else Everything()", "return Everything()"),
    ("scopes", "the journal by a query", "kind.name in VIRTUAL or ", ""),
    ("scopes", "records opened by a query", 'kind.name == "Patient" and CREATE in scope.verbs', "False"),
    ("scopes", "part is whole", "not (whole and scope.query)", "not (whole and False)"),
    ("scopes", "what cannot be asked is granted", " and expressible(scope)]", "]"),
    (
        "policy",
        "a patient context in every record",
        "launched is not None and record in (None, launched)",
        "bool(launched)",
    ),
    ("scopes", "a patient context without a launch", "launched is not None and record in (None, launched)", "True"),
    ("policy", "a professional's scopes are software's", 'if inside else {"user"})', 'if inside else {"system"})'),
    ("policy", "contexts exchanged", 'return frozenset({"system"})', 'return frozenset({"patient"})'),
    ("policy", "a delegate's scopes are software's", "case Citizen() | Delegate():", "case Citizen():"),
)
READER = of(
    "phr.access.reader",
    (
        "readers",
        "a delegate is the person",
        "            if claims.actor is None:\n",
        "            if claims.client:\n",
    ),
    ("readers", "anybody is a delegate", "if claims.actor == claims.subject:", "if claims.actor:"),
    ("readers", "the assistant is forgotten", "claims.record, claims.assistant)", "claims.record, None)"),
    (
        "readers",
        "an actor without a name",
        "if claims.actor == (claims.assistant.id if claims.assistant is not None else None):",
        "if claims.client:",
    ),
    (
        "readers",
        "any pharmacy deposits",
        'claims.actor is None and all(scope.startswith("system/") for scope in claims.scopes)',
        "claims.client",
    ),
    (
        "readers",
        "an assistant signs",
        'f"professional:{reader.identity.id}"',
        'f"professional:{(reader.assistant or reader.identity).id}"',
    ),
    (
        "readers",
        "professionals sign as their software",
        '        case Professional():\n            return f"professional:{reader.identity.id}"\n',
        "",
    ),
)
SCOPES = of(
    "auth.scopes",
    ("policy", "write is read", '"write": "cud"', '"write": "rs"'),
    ("policy", "read is everything", '"read": "rs"', '"read": "cruds"'),
    (
        "policy",
        "the query is dropped",
        "Scope(context, kind, frozenset(verbs), query)",
        "Scope(context, kind, frozenset(verbs))",
    ),
    ("policy", "one parameter is enough", "return tuple(pairs) if", "return tuple(pairs[:1]) if"),
)
RIGHT = of(
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
        "isinstance(reader, Person | Professional | Depositor | System)",
        "isinstance(reader, Person | Professional | Depositor | Operator | System)",
    ),
    ("rights", "anybody writes the commons", "if isinstance(reader, Operator | System):", "if reader:"),
    ("rights", "software lifts a mask", "if MASK in lifted and not isinstance(reader, Person):", "if False:"),
    (
        "rights",
        "a professional lifts a mask",
        'not isinstance(reader, Person):\n        return Refused("Only the person lifts',
        'not isinstance(reader, Person | Professional):\n        return Refused("Only the person lifts',
    ),
    (
        "rights",
        "a delegate does not mask",
        "isinstance(reader, Person) and change.only",
        "isinstance(reader, Depositor) and change.only",
    ),
    (
        "rights",
        "a professional deletes documents",
        'and not isinstance(reader, Person):\n        return Refused("Software does',
        'and not isinstance(reader, Person | Professional):\n        return Refused("Software does',
    ),
    ("rights", "everything is mine", "if change.mine:", "if True:"),
    ("rights", "a citizen changes any label", "if moved <= {MASK} | (", "if moved and (True or"),
    (
        "rights",
        "a citizen changes content",
        "isinstance(reader, Person) and change.only_visibility()",
        "isinstance(reader, Person)",
    ),
    ("rights", "anybody deletes", "if not mine:", "if False:"),
    ("rights", "software deletes documents", "kind.name in NEVER_DELETED and not", "False and not"),
)
PREDICATE = of(
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
CRITERIA = of(
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
LENS = of(
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
VIEW = of(
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
VISIT = of(
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
        "await self._check_token(session)\n                opened = await",
        "opened = await",
    ),
    ("views", "keys for who sees nothing", "        if decision is BLIND:\n", "        if False:\n"),
    (
        "views",
        "scopes do not narrow",
        "inside = Lens(And((decision.predicate, self._narrowing(verb, opened.keys))))",
        "inside = Lens(decision.predicate)",
    ),
    (
        "views",
        "scopes do not narrow the commons",
        "Lens(And((commons_sight(self.reader).predicate, narrow)))",
        "Lens(commons_sight(self.reader).predicate)",
    ),
    (
        "views",
        "queries hashed under the commons' key",
        "self._narrowing(verb, opened.keys)",
        "self._narrowing(verb, self.installation.commons)",
    ),
    ("trust", "an action leaves no trail", "                await deed.leave_trail(tag, asked)\n", ""),
    ("trust", "a reading leaves no trail", ".add_cte(trail(returned, gate))", ""),
    ("trust", "a refusal leaves a trail", ".add_cte(trail(returned, gate))", ".add_cte(trail(returned))"),
    (
        "journal",
        "the trail names nothing",
        'returned = select(reference).limit(bindparam("j_listed", type_=Integer()))',
        "returned = select(reference).where(page.c.id == bindparam('j_listed', type_=String()).concat('x')).limit(1)",
    ),
)

MUTANTS: tuple[Mutant, ...] = (
    *(*SIGHT, *RIGHTS, *PROVISION, *CONSENT, *MATRIX),
    *(*SCOPE, *READER, *SCOPES, *RIGHT, *PREDICATE, *CRITERIA, *LENS, *VIEW, *VISIT),
    *(*JOURNAL, *WHO, *CHAIN, *AUDIT),
)
