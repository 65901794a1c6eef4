"""Each rule's own examples are its tests."""

import pytest

from phr.prevention import form
from phr.prevention.engine import judge
from phr.prevention.rule import Rule
from phr.prevention.rulebook import person_of, read_all

READ = read_all()
EXAMPLES = [(one.rule, example) for one in READ for example in one.examples]


@pytest.mark.parametrize(("rule", "example"), EXAMPLES, ids=[f"{rule.id}: {one.name}" for rule, one in EXAMPLES])
def test_an_example_holds(rule: Rule, example: form.Example) -> None:
    found = judge(rule, person_of(example, rule.id), example.on)
    told = (found.status, example.on, found)
    assert found.status == example.status, told
    assert example.due is None or found.due == example.due, told
    assert example.missing is None or list(found.missing) == example.missing, told
    assert example.why is None or found.why[0].name == example.why, told
    assert example.step is None or found.step == example.step, told
