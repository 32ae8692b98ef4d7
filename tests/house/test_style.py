"""The house's own rules that no linter knows."""

import ast
import importlib
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.facts.kinds import KINDS
from contracts.refusal import Refusal
from exchange.api.problems import STATUS

ROOT = Path(__file__).parents[2]
PACKAGES = ("contracts", "settlement", "listings", "exchange")
MOST_LINES = 400
MOST_FUNCTION_LINES = 50
# Whoever checks an auction carries one file, which holds all of the rules a second time.
ONE_FILE, MOST_LINES_OF_IT = "verify_auction.py", 1_400


def modules() -> list[Path]:
    return [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]


def import_everything() -> None:
    for name in PACKAGES:
        package = importlib.import_module(name)
        for found in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)


def refusals() -> Iterator[type[Refusal]]:
    import_everything()
    waiting = [Refusal]
    while waiting:
        current = waiting.pop()
        waiting.extend(current.__subclasses__())
        if current is not Refusal and current.__module__.split(".")[0] in PACKAGES:
            yield current


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_and_its_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    most = MOST_LINES_OF_IT if path.name == ONE_FILE else MOST_LINES
    assert len(text.splitlines()) <= most
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= MOST_FUNCTION_LINES, f"{node.name} has {lines} lines"


def test_a_package_file_holds_a_docstring_and_nothing_else() -> None:
    for path in modules():
        if path.name == "__init__.py":
            body = ast.parse(path.read_text(encoding="utf-8")).body
            assert len(body) == 1, path
            assert isinstance(body[0], ast.Expr), path


def test_refusal_codes_are_unique_stable_words_with_a_status() -> None:
    found = list(refusals())
    codes = Counter(refusal.code for refusal in found)
    assert [code for code, count in codes.items() if count > 1] == []
    for refusal in found:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", refusal.code), refusal
        assert refusal.kind in STATUS
        assert (refusal.__doc__ or "").strip(), refusal


def test_every_refusal_tells_what_to_do_next() -> None:
    assert [refusal.__name__ for refusal in refusals() if not refusal.hint.strip()] == []


def test_every_kind_of_fact_is_recorded_somewhere_and_none_is_recorded_without_a_schema() -> None:
    written, recorded = set(), set()
    for path in modules():
        names_kinds = path.parent.name == "facts" or path.name == "reactions.py"
        if names_kinds or "exchange" in path.parts[-4:-1]:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in KINDS:
                written.add(node.value)
            if _records(node):
                recorded.add(node.args[1].value)
    assert set(KINDS) - written == set()
    assert recorded - set(KINDS) == set()


def _records(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "record"
        and len(node.args) >= 2
        and isinstance(node.args[1], ast.Constant)
    )


def test_the_readme_maps_every_slice() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in PACKAGES:
        for folder in sorted((ROOT / name).iterdir()):
            if (folder / "__init__.py").exists():
                assert f"`{name}/{folder.name}/`" in readme, folder


def test_an_ignore_says_why() -> None:
    for path in [*modules(), *sorted((ROOT / "tests").rglob("*.py"))]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if path.name == "test_style.py":
                continue
            if "# noqa" in line:
                reason = re.search(r"# noqa: [A-Z0-9, ]+ - \S.{9,}", line)
                assert reason, f"{path.relative_to(ROOT)}:{number}"
            if "type: ignore" in line:
                reason = re.search(r"# type: ignore\[[a-z, -]+\]  # \S", line)
                assert reason, f"{path.relative_to(ROOT)}:{number}"
