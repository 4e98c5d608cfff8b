"""Deliberate mistakes: do the tests of a file notice when something in it is wrong?

Changes one place of `src/visagram` at a time in a copy (a comparison, a sum, a condition, a number, a call left out),
runs the tests of the changed file against the copy, and lists the mistakes that none of them noticed. The sample is
drawn by a seed: as long as the sources stay the same, so do the mistakes. `mutants.toml` says which tests are whose.

    .venv/bin/python tools/mutants.py --sample 100 core export
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES, TESTS = ROOT / "src", ROOT / "tests"
PACKAGES = ("core", "export", "jobs", "media")
MOST = 0.10
"""Share of mistakes that may go unnoticed: some change nothing that can be seen."""
LEAST_SECONDS, PATIENCE = 60, 5
"""What takes longer than so many times the tests' usual time was noticed: some mistakes let a loop run for ever."""
FINE = 1e-3
"""Numbers below are tolerances: nobody sees whether they are twice as large."""
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq},
    **{ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And},
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult},
    **{ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd},
}
REVERSED = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}
"""For comparisons with what is measured, where hardly anything is exactly the limit."""
PAIRS = (("min", "max"), ("minimum", "maximum"), ("argmin", "argmax"), ("any", "all"), ("floor", "ceil"))
NAMES = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}


@dataclass(frozen=True)
class Mutant:
    """One mistake. file: below `src/visagram`. start, end: bytes that are replaced. text: by what."""

    file: str
    line: int
    start: int
    end: int
    text: str
    about: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.about}"


def mutants_of(file: str) -> Iterator[Mutant]:
    """Every mistake that can be made in a file."""
    source = (SOURCES / "visagram" / file).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    tree = ast.parse(source)
    seldom = _seldom(tree)
    for node in ast.walk(tree):
        if node in seldom:
            continue
        for place, changed in _changes(node):
            start, end = (
                starts[place.lineno - 1] + place.col_offset,
                starts[place.end_lineno - 1] + place.end_col_offset,
            )
            before = " ".join(source[start:end].decode().split())
            text = ast.unparse(ast.fix_missing_locations(changed))
            written = text if isinstance(changed, ast.stmt) else f"({text})"
            yield Mutant(file, place.lineno, start, end, written, f"{before[:90]}  ->  {text[:90]}")


def _seldom(tree: ast.AST) -> set[ast.AST]:
    """What does nothing while the program runs as it should: annotations, decorators, what only type checkers read,
    `strict`. The number of the -1 in `reshape`, where any other below zero says the same. And the parts of f-strings,
    whose places the parser does not tell everywhere."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        names = [getattr(node, name, None) for name in ("annotation", "returns", "decorator_list", "bases")]
        parts = [each for part in names for each in (part if isinstance(part, list) else [part]) if each is not None]
        if isinstance(node, ast.keyword) and node.arg == "strict":
            parts.append(node.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "reshape":
            parts += [each.operand for each in node.args if isinstance(each, ast.UnaryOp)]
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
            parts.append(node)
        found |= {each for part in parts for each in ast.walk(part)}
    return found


def _changes(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, ast.expr | ast.stmt]]:
    """Places in or of a node, each with a mistake to put there."""
    match node:
        case ast.If(test) | ast.While(test) | ast.IfExp(test) if not isinstance(test, ast.UnaryOp):
            yield test, ast.UnaryOp(ast.Not(), test)
        case ast.comprehension(ifs=conditions):
            yield from ((condition, ast.Constant(True)) for condition in conditions)
        case ast.Compare(left, [op, *more], others):
            swaps = SWAPS | REVERSED if any(map(_is_limit, (left, *others))) else SWAPS
            yield node, ast.Compare(left, [swaps[type(op)](), *more], others)
        case ast.BinOp(left, op, right) if type(op) in SWAPS:
            yield node, ast.BinOp(left, SWAPS[type(op)](), right)
        case ast.BoolOp(op, values):
            yield node, ast.BoolOp(SWAPS[type(op)](), values)
        case ast.UnaryOp(ast.Not() | ast.USub() | ast.Invert(), operand):
            yield node, operand
        case ast.Constant(bool(value)):
            yield node, ast.Constant(not value)
        case ast.Constant(int(value) | float(value)) if value == 0 or abs(value) >= FINE:
            yield node, ast.Constant(value + 1 if isinstance(value, int) and value < 10 else 2 * value or 1.0)
        case ast.Call(ast.Name(name) as function, arguments, keywords) if name in NAMES:
            yield node, ast.Call(ast.Name(NAMES[name], function.ctx), arguments, keywords)
        case ast.Call(ast.Attribute(value, name, ctx), arguments, keywords) if name in NAMES:
            yield node, ast.Call(ast.Attribute(value, NAMES[name], ctx), arguments, keywords)
        case ast.Expr(ast.Call()) | ast.AugAssign() | ast.Raise():
            yield node, ast.Pass()
        case ast.Continue():
            yield node, ast.Break()
        case ast.Break():
            yield node, ast.Continue()


def _is_limit(node: ast.expr) -> bool:
    """Whether this is a fraction, or a constant with a name."""
    named = isinstance(node, ast.Name) and node.id.isupper()
    return named or (isinstance(node, ast.Constant) and isinstance(node.value, float))


@cache
def tests_of(file: str) -> tuple[str, ...]:
    """The test modules of a file, below `ROOT`."""
    named: dict[str, list[str]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    package, stem = Path(file).parent.name, Path(file).stem
    usual = (
        f"unit/test_{stem}.py",
        f"unit/test_{stem}_*.py",
        f"unit/test_{package}_{stem}*.py",
        f"jobs/test_{stem}*.py",
    )
    found = {path for pattern in (*usual, *named.get(file, ())) for path in TESTS.glob(pattern)}
    found = found or {path for pattern in named.get(f"{package}/*", ()) for path in TESTS.glob(pattern)}
    # The quick ones first: most mistakes are noticed there.
    return tuple(str(path.relative_to(ROOT)) for path in sorted(found, key=lambda p: (p.parent.name != "unit", p)))


def passes(copy: Path, tests: Sequence[str], seconds: float | None = None) -> bool:
    """Whether tests pass against a copy of the sources within so many seconds."""
    # Without plugins that no test here needs: loading them takes longer than most tests.
    plugins = ("-p", "pytest_timeout", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", "-o", "addopts=", "-m", "not slow", "-x", "-q", *plugins]
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        [*command, *tests], cwd=ROOT, env=environment, stdout=quiet, stderr=quiet, start_new_session=True
    ) as process:
        try:
            return bool(process.wait(seconds) == 0)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return False


def unnoticed(drawn: Sequence[Mutant]) -> Iterator[Mutant]:
    """Make one mistake after the other; those that no test noticed. Prints how far it is."""
    usual: dict[tuple[str, ...], float] = {}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(SOURCES, Path(folder) / "src", ignore=shutil.ignore_patterns("__pycache__")))
        for number, mutant in enumerate(drawn, 1):
            tests = tests_of(mutant.file)
            if tests not in usual:
                began = time.monotonic()
                if not tests or not passes(copy, tests):
                    sys.exit(
                        f"The tests of {mutant.file} fail without a mistake ({' '.join(tests) or 'there are none'})."
                    )
                usual[tests] = max(LEAST_SECONDS, PATIENCE * (time.monotonic() - began))
            place = copy / "visagram" / mutant.file
            right = place.read_bytes()
            place.write_bytes(right[: mutant.start] + mutant.text.encode() + right[mutant.end :])
            seen = not passes(copy, tests, usual[tests])
            place.write_bytes(right)
            print(f"{number:4} {'noticed  ' if seen else 'UNNOTICED'} {mutant}", flush=True)
            if not seen:
                yield mutant


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="*", default=PACKAGES, help=f"by default {' '.join(PACKAGES)}")
    parser.add_argument("--sample", type=int, default=100, help="how many mistakes to make")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    chosen = parser.parse_args()
    if hasattr(os, "nice"):
        os.nice(15)
    place = SOURCES / "visagram"
    files = [file for package in chosen.packages for file in sorted((place / package).glob("*.py"))]
    known = [mutant for file in files for mutant in mutants_of(file.relative_to(place).as_posix())]
    drawn = random.Random(chosen.seed).sample(known, min(chosen.sample, len(known)))
    survivors = sorted(map(str, unnoticed(drawn)))
    print(f"\n{len(survivors)} of {len(drawn)} mistakes ({len(survivors) / len(drawn):.1%}) went unnoticed:")
    print("".join(f"  {survivor}\n" for survivor in survivors), end="")
    return int(len(survivors) > MOST * len(drawn))


if __name__ == "__main__":
    sys.exit(main())
