"""A Markdown page for each rule, and an index by theme, made from the files: whom, when, the source, the examples.

The rule: nothing is in a page that is not in its rule, so that a page made again is the same.
"""

from collections.abc import Iterable, Iterator, Sequence

from phr.prevention import form, sheet
from phr.prevention.drawing import REQUIREMENTS, THEME_TITLES
from phr.prevention.rule import Rule, Version
from phr.prevention.rulebook import Read
from phr.prevention.words import audience

MARK = "<!-- Made by `python -m phr rules pages`: change the rule, then make it again. -->"


def pages(read: Sequence[Read]) -> dict[str, str]:
    """Each page by the name of its file."""
    made = {"index.md": "\n".join(_index(read))}
    return made | {f"{one.rule.id}.md": "\n".join(_page(one)) for one in read}


def _index(read: Sequence[Read]) -> Iterator[str]:
    verified = sum(one.rule.versions[0].source.verified for one in read)
    yield from (MARK, "# The rules of prevention", "")
    yield (
        f"{len(read)} rules. [All of them by age and sex](calendar.html), [drawn](calendar.svg). "
        "[What of the French programmes is here, and what is not](coverage.md). "
        "[How a rule is written and read](../prevention.md)."
    )
    yield ""
    yield (
        f"The source of {verified} of them was read at the issuing authority; that of the others is secondary, "
        "and says so. A rule says what is recommended: it does not replace a doctor."
    )
    yield from ("", "![The schedule by age](calendar.svg)", "")
    for theme, title in THEME_TITLES.items():
        listed = [one.rule for one in read if one.rule.theme == theme]
        if listed:
            yield from (f"## {title}", "")
            yield from _table(("Rule", "In French", "Whom", "How strongly", "Source"), map(_line, listed))
            yield ""


def _line(rule: Rule) -> tuple[str, ...]:
    version = rule.versions[0]
    whom = audience(version, "en").partition(", if:")[0]
    verified = "verified" if version.source.verified else "not verified"
    return f"[{_plain(rule.title.en)}]({rule.id}.md)", rule.title.fr, whom, REQUIREMENTS[version.requirement], verified


def _page(read: Read) -> Iterator[str]:
    rule, version = read.rule, read.rule.versions[0]
    yield from (MARK, f"# {rule.title.en}", "", f"*{rule.title.fr}*", "")
    facts = [THEME_TITLES[rule.theme], REQUIREMENTS[version.requirement], f"in force from {version.in_force}"]
    yield f"`{rule.id}` · {' · '.join(facts)}" + (f" · journey `{rule.journey}`" if rule.journey else "")
    yield ""
    if not version.source.verified:
        yield from ("> **Not verified.** Our source is secondary: the issuing authority was not read.", "")
    yield from ("## For whom", "", f"{audience(version, 'en').capitalize()}.", "")
    yield from (f"*{audience(version, 'fr').capitalize()}.*", "")
    yield from (f"- {one}" for one in sheet.whom(version))
    yield from ("", "## What is said", "", f"> {version.say.en}", "", f"> *{version.say.fr}*", "")
    yield f"To do: {sheet.TODO[version.todo]}. {sheet.told_by(version)}"
    yield from ("", "## When", "")
    yield from _schedule(version)
    yield from ("", "## Source", "")
    yield from _source(version)
    yield from ("", "## History", "")
    heads = ("In force from", "How strongly", "Whom", "Source", "Last checked", "Verified")
    yield from _table(heads, map(_version, rule.versions))
    for one in rule.versions[1:]:
        yield from ("", f"### As it was from {one.in_force}", "")
        yield from (f"- {line}" for line in sheet.whom(one))
        yield from _schedule(one)
    yield from ("", "## Examples", "", "Each is a test of the rule.", "")
    yield from _table(("Example", "On", "Born", "Sex", "Known", "Answer"), map(_example, read.examples))
    yield from ("", "[All the rules](index.md)", "")


def _schedule(version: Version) -> Iterator[str]:
    yield from (f"- {one}" for one in sheet.when(version))
    for told, doses in sheet.courses(version):
        yield f"- {told}"
        yield from (f"  - {one}" for one in doses)
    for one in sheet.satisfied(version):
        yield f"- Satisfied by {one.title.en} (`{one.name}`): {sheet.codes(one)}."


def _source(version: Version) -> Iterator[str]:
    source = version.source
    yield f"[{_plain(source.title)}]({source.link})"
    yield from ("", f"> {source.quote}", "")
    verified = "Verified at the issuing authority" if source.verified else "Not verified"
    yield f"Last checked on {source.checked}. {verified}."


def _version(version: Version) -> tuple[str, ...]:
    source = version.source
    link = f"[{_plain(source.title)}]({source.link})"
    whom, strongly = audience(version, "en"), REQUIREMENTS[version.requirement]
    return str(version.in_force), strongly, whom, link, str(source.checked), "yes" if source.verified else "no"


def _example(one: form.Example) -> tuple[str, ...]:
    born, sex = str(one.born or "not known"), one.sex or "not known"
    return one.name, str(one.on), born, sex, "; ".join(sheet.known(one)), "; ".join(sheet.expected(one))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"


def _plain(text: str) -> str:
    """A text that can be the name of a link."""
    return text.replace("[", "(").replace("]", ")")
