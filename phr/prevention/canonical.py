"""The names of what prevention writes and answers in FHIR: our code systems, extensions and canonical addresses."""

_OURS = "https://carnet.example"
RULE = f"{_OURS}/CodeSystem/prevention-rule"
STATUS = f"{_OURS}/CodeSystem/prevention-status"
ANSWER = f"{_OURS}/CodeSystem/prevention-answer"
"""What was said of a rule."""
FACT = f"{_OURS}/CodeSystem/prevention-fact"
"""The facts of facts.toml."""
RULESET = f"{_OURS}/StructureDefinition/prevention-ruleset"
ADVICE = f"{_OURS}/StructureDefinition/prevention-advice"
PLAN = f"{_OURS}/PlanDefinition"
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
LAST_PERIOD = "8665-2"
"""LOINC: date of the first day of the last menstrual period."""


def plan_of(rule: str) -> str:
    """The canonical address of a rule, as a PlanDefinition."""
    return f"{PLAN}/{rule}"


def rule_of(canonical: object) -> str | None:
    """The id of the rule that a canonical address names, its version left out; None when it names none."""
    place, _, rule = str(canonical).partition("|")[0].rpartition("/")
    return rule if place == PLAN and rule else None
