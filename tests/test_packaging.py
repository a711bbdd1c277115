"""The package list, the floors, and the examples in docstrings."""

import ast
import doctest
import importlib
import pkgutil
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FLOORS = ("envs", "agents", "baselines", "cli")  # from the ground up


def python_files(floor):
    return sorted((ROOT / floor).rglob("*.py"))


def test_every_package_is_listed_and_typed():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = [file.parent.relative_to(ROOT) for floor in FLOORS for file in python_files(floor)]
    found = {f"labelchain.{'.'.join(folder.parts)}" for folder in folders}
    assert set(config["packages"]) == found
    for floor in FLOORS:
        assert config["package-dir"][f"labelchain.{floor}"] == floor
        assert (ROOT / floor / "py.typed").exists()


def test_what_to_cite_names_the_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert str(yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]) == version
    assert f"version = {{{version}}}" in (ROOT / "README.md").read_text()


def test_no_folder_shadows_the_package():
    assert not (ROOT / "labelchain").exists()


@pytest.mark.parametrize("floor", FLOORS)
def test_imports_run_down_only_and_by_the_public_name(floor):
    above = FLOORS[FLOORS.index(floor) + 1 :]
    for file in python_files(floor):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert not name.startswith(tuple(f"labelchain.{up}" for up in above)), f"{file}: {name}"
                assert name.split(".")[0] not in FLOORS, f"{file}: {name}"


@pytest.mark.parametrize("floor", FLOORS)
def test_modules_are_short(floor):
    for file in python_files(floor):
        # One file holds the single and the vector environment, as Gymnasium's own do.
        most = 400 if file.name == "chain_env.py" else 275
        assert len(file.read_text().splitlines()) <= most, file


def modules():
    for floor in FLOORS:
        package = importlib.import_module(f"labelchain.{floor}")
        yield package
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not info.name.endswith("__main__"):
                yield importlib.import_module(info.name)


def test_examples_in_docstrings_run():
    results = [doctest.testmod(module) for module in modules()]
    assert sum(result.attempted for result in results) > 0
    assert sum(result.failed for result in results) == 0


def test_constraints_pin_what_the_project_depends_on():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = {
        requirement.partition(">")[0].partition("[")[0].strip()
        for group in [project["dependencies"], *extras]
        for requirement in group
    } - {"labelchain"}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.partition("==")[0] for line in lines if "==" in line}
    assert wanted <= pinned


def test_the_readme_holds_the_two_commands():
    lines = (ROOT / "README.md").read_text().splitlines()
    commands = [line for line in lines if line.startswith("python3 -m venv")]
    assert len(commands) == 2
    assert "labelchain compare digit-scenes" in commands[0]
    assert "pytest" in commands[1]
    assert all("-c constraints.txt" in command for command in commands)


def test_the_examples_of_the_readme_run():
    result = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert result.attempted > 0
    assert result.failed == 0


def test_the_page_of_environments_is_up_to_date():
    module = importlib.import_module("make_environments")
    written = (ROOT / "docs" / "environments.md").read_text(encoding="utf-8")
    assert written == module.page(), "run python docs/make_environments.py"
