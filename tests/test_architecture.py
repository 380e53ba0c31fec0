"""What must stay true of the code as a whole: who imports whom, and what the repository may not hold."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "stillwatch"
STAGES = sorted(
    path.name for path in SOURCE.iterdir() if (path / "__init__.py").is_file() and path.name != "app"
)
MODULES = sorted(SOURCE.rglob("*.py"))
ENGINES = {"duckdb", "pyspark", "sqlglot", "ibis"}
FOUNDATIONS = {
    "contracts": set(),
    "settings": {"contracts"},
    "toml_file": {"contracts"},
    "engines": {"contracts", "settings"},
    "persistence": {"contracts", "settings"},
}
SHARED = set(FOUNDATIONS)

MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|farm|root|opt|home/\w+)/")
REGISTRY = re.compile(
    r"https?://[\w.-]*(?:pypi|pythonhosted|npmjs|debian)|^\s*--?(?:extra-)?index-url", re.MULTILINE
)


def imported(module: Path) -> Iterator[str]:
    """Dotted names that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(module: Path) -> str:
    """The stage or top-level module that a file belongs to."""
    return module.relative_to(SOURCE).parts[0].removesuffix(".py")


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def texts() -> Iterator[tuple[Path, str]]:
    for path in tracked():
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a binary file holds no prose


@pytest.mark.parametrize("stage", [*STAGES, "contracts", "settings"])
def test_a_stage_imports_no_sibling(stage):
    allowed = {stage} | FOUNDATIONS.get(stage, SHARED)
    strays = {
        f"{module.relative_to(SOURCE)} imports {name}"
        for module in MODULES
        if part(module) == stage
        for name in imported(module)
        if name.startswith("stillwatch.") and name.split(".")[1] not in allowed
    }
    assert strays == set()


def test_only_engines_import_an_engine():
    strays = {
        f"{module.relative_to(SOURCE)} imports {name}"
        for module in MODULES
        if part(module) != "engines"
        for name in imported(module)
        if name.split(".")[0] in ENGINES
    }
    assert strays == set()


def test_the_engine_is_named_in_its_setting_alone():
    named = {part(module) for module in MODULES if "duckdb" in module.read_text(encoding="utf-8").lower()}
    assert named <= {"engines", "settings"}


def test_no_room_is_empty():
    for stage in STAGES:
        modules = [path for path in (SOURCE / stage).rglob("*.py") if path.name != "__init__.py"]
        assert modules, f"{stage}/ holds no module"


def test_no_function_is_a_stub():
    stubs = {f"{module.relative_to(SOURCE)}:{line}" for module in MODULES for line in stub_lines(module)}
    assert stubs == set()


def stub_lines(module: Path) -> Iterator[int]:
    """Lines of functions without a body, protocols aside: there the signature is the content."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    declared = {
        id(function)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).startswith("Protocol") for base in node.bases)
        for function in node.body
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and id(node) not in declared:
            if any(ast.unparse(each) == "overload" for each in node.decorator_list):
                continue
            if all(says_nothing(statement) for statement in node.body):
                yield node.lineno


def says_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Pass):
        return True
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant) and statement.value.value is Ellipsis
    return isinstance(statement, ast.Raise) and "NotImplementedError" in ast.unparse(statement)


def test_the_repository_names_no_machine_and_no_registry():
    strays = {
        f"{path.relative_to(ROOT)}: {found.group().strip()}"
        for path, text in texts()
        for pattern in (MACHINE_PATH, REGISTRY)
        for found in [pattern.search(text)]
        if found
    }
    assert strays == set()


def test_every_lock_is_hashed():
    for lock in [path for path in tracked() if path.suffix == ".lock"]:
        text = lock.read_text(encoding="utf-8")
        assert "https://" not in text
        requirements = re.split(r"\n(?=\S)", text.strip())
        pinned = [each for each in requirements if not each.startswith("#")]
        assert all("==" in each and "--hash=sha256:" in each for each in pinned), lock
