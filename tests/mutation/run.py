"""Do the tests notice when the code is changed? ``PYTHONPATH=tests python -m mutation.run``.

Needs cosmic-ray (``pip install cosmic-ray``), whose operators make the mutants. Annotations and texts are
left as they are, and of mutants that are one program all but the first. Each is tested in a fork of a
process that has collected the tests: the module runs again, changed, and whoever imported a name from
it gets the new one.
"""

import argparse
import ast
import difflib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

TESTS = {
    "envs/rewards.py": ["tests/envs/test_rewards.py"],
    "envs/metrics.py": ["tests/envs/test_metrics.py"],
    "baselines/orders.py": ["tests/baselines/test_orders.py"],
    "baselines/reordering.py": ["tests/baselines/test_orders.py"],
}
"""What is changed, and the tests that should notice."""
SECONDS = 120
"""A mutant that takes longer counts as noticed: it hangs."""
WITHOUT = ("core/VariableReplacer", "core/VariableInserter")
"""Operators that must be told what to do."""


def program(code):
    """What the interpreter makes of a text, annotations and documentation left out."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        for name in ("annotation", "returns"):
            if getattr(node, name, None) is not None:
                setattr(node, name, None if name == "returns" else ast.Constant(None))
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [each for each in body if not is_text(each)] or [ast.Pass()]
    return ast.dump(tree)


def is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def mutants(path):
    """Changed versions of a file, each another program."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    sound = path.read_text()
    seen = {program(sound)}
    for name in operator_names():
        if name in WITHOUT:
            continue
        operator = get_operator(name)()
        number = 0
        while (code := mutate_code(sound, operator, number)) is not None:
            number += 1
            try:
                key = program(code)
            except SyntaxError:
                continue
            if key not in seen:
                seen.add(key)
                yield name.removeprefix("core/"), code


def change(module, code):
    """Run a module again with other code."""
    before = dict(vars(module))
    exec(compile(code, module.__file__, "exec"), vars(module))
    # What the module imports itself is still the same.
    new = {name: value for name, value in vars(module).items() if value is not before.get(name)}
    for other in list(sys.modules.values()):
        for name, value in list(vars(other).items()) if other is not module else ():
            if name in new and name in before and value is before[name] and not name.startswith("__"):
                setattr(other, name, new[name])


def passes(session):
    """Whether all collected tests pass."""
    for item in session.items:
        reports = runtestprotocol(item, nextitem=None, log=False)
        if any(report.failed for report in reports):
            return False
    return True


class Loop:
    """Runs the collected tests once for each mutant, in a fork."""

    def __init__(self, path):
        self.path, self.count, self.survivors = path, 0, []

    def pytest_runtestloop(self, session):
        sound = self.path.read_text()
        module = sys.modules["labelchain." + ".".join(self.path.with_suffix("").parts)]
        if not self.survives(session, module, sound):
            pytest.exit(f"{self.path}: its tests fail without any change", 1)
        for name, code in mutants(self.path):
            self.count += 1
            if self.survives(session, module, code):
                lines = difflib.unified_diff(sound.splitlines(), code.splitlines(), lineterm="", n=0)
                told = " ".join(line for line in lines if line[:3] not in ("---", "+++"))
                self.survivors.append(f"{name}: {told}")
        return True

    def survives(self, session, module, code):
        child = os.fork()
        if child == 0:
            try:
                signal.alarm(SECONDS)
                change(module, code)
                os._exit(not passes(session))
            finally:
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--module", choices=list(TESTS), help="one of them (default: each, one after the other)"
    )
    args = parser.parse_args()
    if args.module is None:
        for module in TESTS:
            subprocess.run([sys.executable, "-m", "mutation.run", "--module", module], check=True)
        return
    loop = Loop(Path(args.module))
    pytest.main(["-q", "-p", "no:cacheprovider", *TESTS[args.module]], plugins=[loop])
    killed = loop.count - len(loop.survivors)
    print(f"| `{args.module}` | {loop.count} | {killed} | {len(loop.survivors)} |")
    print("\n".join(loop.survivors), flush=True)


if __name__ == "__main__":
    main()
