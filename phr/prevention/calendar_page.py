"""The schedule as one HTML page that needs nothing else: the drawing, wide or narrow, and the same as a table.

The rule: what the drawing shows, the table says; nothing is fetched, nothing is run.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from html import escape
from itertools import groupby

from phr.prevention.calendar import Lane
from phr.prevention.drawing import REQUIREMENTS, THEME_TITLES, drawn
from phr.prevention.layout import NARROW, WIDE
from phr.prevention.words import audience

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5a6475; --line: #d9dee7; --paper: #ffffff; --link: #17508f; }
body { margin: 0 auto; max-width: 1240px; padding: 16px 20px 48px; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 8px 0; font-size: 28px; line-height: 1.2; } h2 { margin: 40px 0 8px; }
p { max-width: 70ch; } a { color: var(--link); } .soft { color: var(--soft); font-weight: 400; }
svg { display: block; width: 100%; height: auto; } .narrow { display: none; }
fieldset { display: flow-root; border: 0; margin: 0 0 12px; padding: 0; }
legend { float: left; margin-right: 12px; padding: 4px 0; }
label { display: inline-block; margin-right: 14px; padding: 4px 0; } input { margin-right: 6px; }
body:has(#women:checked) .mark.male, body:has(#men:checked) .mark.female { opacity: .1; }
body:has(#women:checked) tr.male, body:has(#men:checked) tr.female { display: none; }
table { border-collapse: collapse; width: 100%; } thead th { width: 16%; }
thead th:nth-child(1), thead th:nth-child(2) { width: 30%; } thead th:nth-child(n + 4) { width: 11%; }
caption { text-align: left; padding: 8px 0; }
th, td { border-bottom: 1px solid var(--line); padding: 8px 12px 8px 0; text-align: left; vertical-align: top; }
tbody th { font-weight: 600; } tbody th.theme { padding-top: 20px; font-size: 18px; }
@media (max-width: 760px) {
  body { padding: 12px 5px 40px; } h1, h2, p, fieldset { margin-left: 8px; } caption { padding-left: 8px; }
  .wide { display: none; } .narrow { display: block; }
  thead { display: none; } tr, td, tbody th { display: block; border: 0; padding: 0 8px; }
  tr { border-bottom: 1px solid var(--line); padding: 10px 0; }
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ecf3; --soft: #a7b1c2; --line: #333d4d; --paper: #12171f; --link: #8fc1f5; }
}
@media print { fieldset { display: none; } }
"""


def page(lanes: Sequence[Lane], on: date) -> str:
    """The page, a whole HTML document."""
    title = "Prevention, from birth to a hundred years"
    choices = (("everybody", "everybody", " checked"), ("women", "women", ""), ("men", "men", ""))
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title><style>{_STYLE}</style></head><body><main>",
            f"<h1>{title}</h1>",
            f"<p>What is recommended in France, as the rules of Carnet say on {on}. Each line is a thing that is done; "
            "each bar is a recommendation, and the ages it is for. A circle is a dose, or a given age. The first two "
            "years and childhood are magnified. It does not replace a doctor.</p>",
            "<fieldset><legend>Show what is for</legend>",
            *(
                f'<label><input type="radio" name="sex" id="{name}"{checked}>{told}</label>'
                for name, told, checked in choices
            ),
            "</fieldset>",
            f'<div class="wide">{drawn(lanes, WIDE, "By age", "wide")}</div>',
            f'<div class="narrow">{drawn(lanes, NARROW, "By age", "narrow")}</div>',
            "<h2>The same, as a table</h2>",
            *_table(lanes),
            "</main></body></html>",
            "",
        ]
    )


def _table(lanes: Sequence[Lane]) -> Iterator[str]:
    yield "<table><caption>Each name leads to the rule’s own page: its source, its history and its examples.</caption>"
    heads = ("Recommendation", "For whom", "When", "How strongly", "Source")
    yield f"<thead><tr>{''.join(f'<th scope=col>{one}</th>' for one in heads)}</tr></thead>"
    for theme, listed in groupby(lanes, key=lambda one: one.theme):
        yield f'<tbody><tr><th colspan="5" scope="rowgroup" class="theme">{THEME_TITLES[theme]}</th></tr>'
        for bar in (bar for lane in listed for bar in lane.bars):
            rule, version = bar.rule, bar.version
            verified = "source verified" if version.source.verified else "source not verified"
            yield (
                f'<tr class="{version.who.sex or "all"}"><th scope="row">'
                f'<a href="{rule.id}.md">{escape(rule.title.en)}</a><br>'
                f'<span class="soft" lang="fr">{escape(rule.title.fr)}</span></th>'
                f"<td>{escape(audience(version, 'en'))}</td><td>{escape(bar.caption)}</td>"
                f"<td>{REQUIREMENTS[version.requirement]}</td><td>{verified}</td></tr>"
            )
        yield "</tbody>"
    yield "</table>"
