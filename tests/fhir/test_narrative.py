"""The XHTML that may be stored: layout passes, what acts does not (FHIR R4 txt-1, txt-2)."""

import pytest

from fhir.narrative import judge
from fhir.validation import validate
from tests.fhir.sound import DIV, OBSERVATION


@pytest.mark.parametrize(
    "inside",
    [
        "Généré",
        "x<br/>&#160;&amp;",
        '<a href="https://a.org/b?c=d">x</a><a href="mailto:a@b.fr">y</a><a name="z">t</a><a href="#z">u</a>',
        '<table><thead><tr><th colspan="2">a</th></tr></thead><tbody><tr><td>b</td></tr></tbody></table>',
        '<img src="#i" alt="x"/>',
        '<p style="color: red; text-align:center">x</p>',
        '<p xml:lang="fr">x</p>',
    ],
)
def test_plain_narratives_pass(inside: str) -> None:
    assert judge(DIV.format(inside)) is None


@pytest.mark.parametrize(
    "div",
    [
        "x",
        "<div>x</div>",
        '<p xmlns="http://www.w3.org/1999/xhtml">x</p>',
        DIV.format(""),
        DIV.format(" <p> </p>"),
        DIV.format("x") + DIV.format("y"),
        *map(
            DIV.format,
            [
                "<script>alert(1)</script>",
                '<p onclick="alert(1)">x</p>',
                '<img src="https://a.org/track.png"/>',
                '<img src="data:image/png;base64,AA=="/>',
                "<iframe src='#'>x</iframe>",
                "<object>x</object>",
                "<form>x</form>",
                "<input/>x",
                "<svg xmlns='http://www.w3.org/2000/svg'><a>x</a></svg>",
                "<style>p{}</style>x",
                "<link rel='stylesheet' href='x'/>x",
                '<a href="javascript:alert(1)">x</a>',
                '<a href=" JaVaScRiPt:alert(1)">x</a>',
                '<a href="java&#10;script:alert(1)">x</a>',
                '<a href="data:text/html,x">x</a>',
                '<a href="//evil.org">x</a>',
                '<p style="background: url(https://a.org)">x</p>',
                '<p style="width: expression(1)">x</p>',
                '<p style="background: u\\72l(x)">x</p>',
                "<![CDATA[x><script>alert(1)</script>]]>",
                "<!--><script>alert(1)</script>-->x",
                "<?php x ?>y",
                "&nbsp;",
                "<p>x",
                "x & y",
                "<p a='1' a='2'>x</p>",
            ],
        ),
        '<!DOCTYPE div [<!ENTITY a "b">]>' + DIV.format("&a;"),
        '<?xml version="1.0" encoding="utf-16"?>' + DIV.format("x"),
        "<div" * 5000,
        DIV.format("<p>" * 20000 + "x" + "</p>" * 20000 + "<script/>"),
    ],
)
def test_active_or_broken_narratives_are_refused(div: str) -> None:
    found = judge(div)
    assert found is not None
    assert "x" not in found.split()
    text = {"status": "generated", "div": div}
    (issue,) = validate("Observation", {**OBSERVATION, "text": text})
    assert (issue.code, issue.expression) == ("value", "Observation.text.div")
