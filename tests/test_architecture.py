"""The shape of the code: who imports whom, how long a module is, what it is called, and what it must not say."""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("phr", "fhir", "auth")


def modules(*folders: str) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            yield name, path


MODULES = dict(modules(*PACKAGES))
ALL = dict(modules(*PACKAGES, "tests", "bench", "migrations"))


def imported(path: Path) -> Iterator[str]:
    """What a module imports of this project; `from phr import x` means phr.x when that is a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            for one in node.names:
                inside = f"{module}.{one.name}"
                yield inside if inside in MODULES else module


LAYERS = (
    ("core", 0),
    ("fhir", 1),
    ("auth", 1),
    ("access", 2),
    ("feature", 3),
    ("api", 4),
    ("web", 4),
    ("app", 5),
    ("command", 6),
)
RANK = dict(LAYERS)


def layer(module: str) -> str:
    head, _, rest = module.partition(".")
    second = rest.partition(".")[0]
    if head in ("fhir", "auth"):
        return head
    if second in ("core", "access", "api", "web", "app"):
        return second
    return "command" if second in ("__main__", "commands") else "feature"


def test_imports_point_downward() -> None:
    wrong = []
    for module, path in MODULES.items():
        here = layer(module)
        for name in imported(path):
            if name.partition(".")[0] not in PACKAGES or name == "phr" or name.startswith("fhir.resources"):
                continue
            there = layer(name)
            down = RANK[there] < RANK[here] or there == here
            if not down:
                wrong.append(f"{module} → {name}")
    assert wrong == []


def test_fhir_and_auth_know_nothing_of_each_other_nor_of_consent() -> None:
    for module, path in MODULES.items():
        if layer(module) in ("fhir", "auth"):
            for name in imported(path):
                head = name.partition(".")[0]
                if head in PACKAGES and head != layer(module):
                    assert name.startswith("phr.core."), f"{module} → {name}"


def test_only_the_application_knows_all() -> None:
    for module, path in MODULES.items():
        if module not in ("phr.app", "phr.__main__"):
            assert "phr.app" not in set(imported(path)), module


def test_the_models_judge_from_one_file() -> None:
    for module, path in MODULES.items():
        models = {name for name in imported(path) if name.startswith("fhir.resources")}
        assert not models or module == "fhir.models"
        assert all(name.startswith("fhir.resources.R4B") for name in models)


def test_fhir_resources_can_be_imported_beside_our_own_fhir() -> None:
    code = "import fhir.models, fhir.resources.R4B.patient; print(fhir.__path__)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert str(ROOT / "fhir") in found.stdout
    tree = ast.parse((ROOT / "fhir" / "__init__.py").read_text())
    assert len(tree.body) == 3
    assert not list((ROOT / "fhir").glob("resources*"))


def lengths(*folders: str) -> dict[str, int]:
    return {name: len(path.read_text().splitlines()) for name, path in modules(*folders)}


def test_no_module_is_long() -> None:
    long = {name: n for name, n in lengths(*PACKAGES, "migrations", "bench").items() if n > 400}
    assert long == {}


def test_most_modules_are_short() -> None:
    """Design §9 asks for a median of 100 lines; it may not grow beyond what it is."""
    median = statistics.median(lengths(*PACKAGES).values())
    assert median <= 115, f"the median module has {median} lines"


def test_every_module_says_why_it_exists() -> None:
    for name, path in dict(modules(*PACKAGES, "bench", "migrations")).items():
        said = ast.get_docstring(ast.parse(path.read_text()))
        assert said, f"{name} has no docstring"
        if "versions" not in name:
            assert len(said.splitlines()) <= 8, f"{name} says too much"


FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "service", "services", "common", "misc"}


def test_no_module_is_named_for_nothing() -> None:
    for name in ALL:
        assert not FORBIDDEN_NAMES & set(name.split(".")), name


def test_the_policy_is_one_page() -> None:
    assert lengths("phr")["phr.access.sight"] <= 150


def test_the_policy_is_pure() -> None:
    names = set(imported(MODULES["phr.access.sight"]))
    policy = {f"phr.access.{name}" for name in ("decision", "provision", "reader")}
    assert names <= {"datetime", "fhir.criteria", "fhir.predicate", *policy}
    assert "sqlalchemy" not in Path(ROOT / "phr" / "access" / "sight.py").read_text()


def test_the_oracle_is_naive() -> None:
    names = set(imported(ROOT / "tests" / "oracle.py"))
    assert names <= {"collections.abc", "datetime", "typing"}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = [name for name in listed.stdout.split("\0") if name]
    if listed.returncode != 0 or not names:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in names if (ROOT / name).is_file()]


# Spelled in pieces, so that this file does not say them.
_MACHINE = re.compile(
    r"/(?:work|root|home/[a-z]+|Users)/|" + "pypi" + r"-mirror|--(?:extra-)?index-url[ =]|\.library|" + "/sha" + "red/"
)
_ALLOWED = re.compile("/sha" + "red/samples")


def test_no_file_mentions_the_machine_it_was_written_on() -> None:
    wrong = []
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for n, line in enumerate(text.splitlines(), start=1):
            if _MACHINE.search(line) and not _ALLOWED.search(line) and path != Path(__file__):
                wrong.append(f"{path.relative_to(ROOT)}:{n}: {line.strip()[:80]}")
    assert wrong == []
