"""House rules that a machine can check: who imports what, what starts fast, what is documented and what ships."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

import visagram
from visagram.cli import app
from visagram.errors import BY_CODE
from visagram.settings import ServerSettings, Settings

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(visagram.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

LEVELS = [
    {"errors", "interpreter", ""},
    {"core"},
    {"settings", "digest", "files", "values", "wire"},
    {"media", "models", "export", "plots", "report"},
    {"compose", "worker", "workers", "analysis", "evaluate", "learn", "synth"},
    {"jobs"},
    {"screen", "cli", "web", "__main__", "__init__"},
]
"""Imports stay on their level or go down. The empty name is the package itself, which holds the version."""

TRAINING = tuple(
    f"synth/{name}.py"
    for name in ("checkpoint", "encoding", "export", "flowing", "graph", "learning", "networks", "train")
)
"""Of the generator; the rest of `synth` does without PyTorch."""
HOMES = {
    "alembic": ("jobs/",),
    "apiflask": ("web/",),
    "av": ("media/",),
    "deepface": ("models/deepface.py",),
    "diffusers": ("synth/hub.py",),
    "flask": ("web/",),
    "gunicorn": ("web/",),
    "jinja2": ("web/",),
    "onnxruntime": ("models/",),
    "retinaface": ("models/deepface.py",),
    "safetensors": ("learn/", *TRAINING),
    "sqlalchemy": ("jobs/",),
    "torch": ("learn/", *TRAINING, "synth/hub.py", "models/huggingface.py", "models/narrator.py"),
    "transformers": ("models/huggingface.py", "models/narrator.py"),
    "typer": ("cli/",),
    "waitress": ("web/",),
    "werkzeug": ("web/",),
}
"""The only places that may import a library."""

LAZY = ("onnxruntime", "cv2", "av", "torch", "flask", "sqlalchemy", "pandas", "pyarrow", "plotly", "scipy", "numpy")
"""What neither `import visagram` nor `visagram --help` may load: each costs more than the start-up may take."""


def _name(module):
    return module.relative_to(PACKAGE).as_posix()


def _part(name):
    """'core/types.py' and 'visagram.core.types' to 'core'."""
    if name.startswith("visagram"):
        return [*name.split("."), ""][1]
    return name.split("/")[0].removesuffix(".py")


def _level(part):
    (level,) = [k for k, parts in enumerate(LEVELS) if part in parts]
    return level


@dataclasses.dataclass(frozen=True)
class _Import:
    module: str
    lazy: bool


def _imports(path):
    """What a module imports when it runs; imports for type checkers alone do not count."""
    found = []

    def visit(node, lazy):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            children = node.orelse
        elif isinstance(node, ast.Import):
            found.extend(_Import(alias.name, lazy) for alias in node.names)
            return
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            # `from visagram import x` may name a module or the version.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            whole = node.module == "visagram"
            found.extend(_Import(n if whole and (PACKAGE / _part(n)).exists() else node.module, lazy) for n in names)
            return
        else:
            children = list(ast.iter_child_nodes(node))
        inside = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in children:
            visit(child, inside)

    visit(ast.parse(path.read_text("utf-8")), False)
    return found


def test_the_rules_are_checked_on_the_real_files():
    assert {"core/pipeline.py", "media/decode.py", "cli/root.py"} <= {_name(module) for module in MODULES}
    assert _Import("numpy", False) in _imports(PACKAGE / "core" / "geometry.py")
    assert _Import("scipy.optimize", True) in _imports(PACKAGE / "core" / "tracking.py")


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_imports_point_one_way(module):
    ours = _level(_part(_name(module)))
    for found in _imports(module):
        if found.module.split(".")[0] == "visagram":
            assert _level(_part(found.module)) <= ours, f"{_name(module)} imports {found.module} from above"


@pytest.mark.parametrize("module", sorted((PACKAGE / "core").glob("*.py")), ids=_name)
def test_the_core_imports_numpy_and_scipy_and_nothing_else(module):
    for found in _imports(module):
        top = found.module.split(".")[0]
        allowed = top in sys.stdlib_module_names or top in ("numpy", "scipy")
        assert allowed or _part(found.module) in ("core", "errors"), f"{_name(module)} imports {found.module}"


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_libraries_stay_in_their_homes(module):
    for found in _imports(module):
        homes = HOMES.get(found.module.split(".")[0])
        assert homes is None or _name(module).startswith(homes), f"{_name(module)} imports {found.module}"


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_training_and_generation_are_only_imported_when_they_are_used(module):
    if _part(_name(module)) in ("learn", "synth"):
        return
    for found in _imports(module):
        if _part(found.module) in ("learn", "synth") and found.module.startswith("visagram"):
            assert found.lazy, f"{_name(module)} imports {found.module} at its top"
            assert _part(_name(module)) in ("cli", "jobs", "compose")


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_only_the_settings_read_the_environment(module):
    # The other one reads PYTHONPATH, which is Python's own.
    if _name(module) in ("settings.py", "interpreter.py"):
        return
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        of_os = isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os"
        named = [node.attr] if of_os else []
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            named = [alias.name for alias in node.names]
        assert not {"environ", "environb", "getenv"} & set(named), f"{_name(module)}:{node.lineno}"


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_only_the_command_line_prints(module):
    if _part(_name(module)) == "cli":
        return
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        printing = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        assert not printing, f"{_name(module)}:{node.lineno}"


@pytest.mark.parametrize(
    "code",
    [
        "import visagram",
        "import visagram; visagram.Settings; visagram.VisagramError; dir(visagram)",
        "import sys; sys.argv = ['visagram', '--help']; from visagram.cli import main; main()",
        "import sys; sys.argv = ['visagram', 'analyze', '--help']; from visagram.cli import main; main()",
        "import sys; sys.argv = ['visagram', '--version']; from visagram.cli import main; main()",
    ],
    ids=["import", "names", "help", "analyze-help", "version"],
)
def test_starting_loads_nothing_heavy(code, tmp_path):
    report = f"import atexit, sys; atexit.register(lambda: sys.stderr.write(' '.join({{*sys.modules}} & {{*{LAZY}}})))"
    child = subprocess.run(
        [sys.executable, "-c", f"{report}\n{code}"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=60,
    )
    assert (child.returncode, child.stderr) == (0, "")


@pytest.mark.parametrize(
    "module", ["core/types.py", "report.py", "settings.py", "analysis.py", "errors.py", "__init__.py"]
)
def test_the_public_api_is_documented(module):
    tree = ast.parse((PACKAGE / module).read_text("utf-8"))
    assert ast.get_docstring(tree)
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        # Errors are documented where they are drawn: in the tree of the module's docstring.
        drawn = module == "errors.py" and re.search(rf"─ {node.name} ", ast.get_docstring(tree))
        assert drawn or ast.get_docstring(node), f"{module}: {node.name}"
        for member in node.body if isinstance(node, ast.ClassDef) and module != "core/types.py" else ():
            if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
                assert ast.get_docstring(member), f"{module}: {node.name}.{member.name}"


def test_public_names_can_be_imported_and_unknown_ones_cannot():
    for name in visagram.__all__:
        assert getattr(visagram, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = visagram.nonsense


def _rows(page):
    """The table rows of a page as lists of cells."""
    lines = (ROOT / "docs" / page).read_text("utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("|")]


@pytest.mark.parametrize(
    "field", [*dataclasses.fields(Settings), *dataclasses.fields(ServerSettings)], ids=lambda field: field.name
)
def test_every_setting_is_documented_as_it_is(field):
    (row,) = [row for row in _rows("settings.md") if row[0] == f"`{field.name}`"]
    default = {None: "", "": "", (): ""}.get(field.default, str(field.default))
    assert row[1].strip("`") == default
    assert row[2] == f"`VISAGRAM_{field.name.upper()}`"
    assert row[3] == field.metadata["help"]


def test_no_setting_is_documented_that_does_not_exist():
    documented = {row[0].strip("`") for row in _rows("settings.md") if row[0].startswith("`") and len(row) == 4}
    assert documented == {f.name for kind in (Settings, ServerSettings) for f in dataclasses.fields(kind)}


def _sections():
    """Each command's part of docs/cli.md."""
    parts = re.split(r"^## ", (ROOT / "docs" / "cli.md").read_text("utf-8"), flags=re.MULTILINE)
    return {part.splitlines()[0].strip("`").removeprefix("visagram "): part for part in parts[1:]}


def _commands(group, before=""):
    """Every command by its full name, those of groups included."""
    found = {}
    for name, command in group.commands.items():
        found[before + name] = command
        found |= _commands(command, f"{before}{name} ") if hasattr(command, "commands") else {}
    return found


COMMANDS = _commands(get_command(app))


def _parameters():
    return [(name, option) for name, command in COMMANDS.items() for option in command.params]


@pytest.mark.parametrize(("command", "option"), _parameters(), ids=lambda value: getattr(value, "name", value))
def test_every_option_of_every_command_is_documented(command, option):
    section = _sections()[command]
    for name in option.opts if option.param_type_name == "option" else [option.name.upper()]:
        assert re.search(rf"`[^`]*{re.escape(name)}\b[^`]*`", section), name
    if option.help:
        assert option.help in section, option.help


def test_no_option_is_documented_that_does_not_exist():
    known = {name for _, option in _parameters() for name in [*option.opts, *option.secondary_opts]}
    for command, section in _sections().items():
        if command in COMMANDS:
            assert set(re.findall(r"`(--[a-z-]+)", section)) <= known | {"--help"}, command


def test_every_error_code_is_documented_with_its_exit_status():
    rows = {row[0].strip("`"): row[1] for row in _rows("cli.md") if len(row) == 3}
    for code, kind in BY_CODE.items():
        if kind.__subclasses__() and code != "internal":
            continue
        assert rows.pop(code, None) == str(kind.exit_status), code
    assert set(rows) <= {"code", "---"}


@pytest.mark.parametrize("status", [0, 1, 2, 3, 130])
def test_every_exit_status_is_documented(status):
    assert [row for row in _rows("cli.md") if len(row) == 2 and row[0] == str(status)]


def _pins(name):
    text = (ROOT / name).read_text("utf-8").replace("\\\n", " ")
    lines = [re.sub(r"\s+--hash=\S+", "", line).strip() for line in text.splitlines()]
    return {line for line in lines if line and not line.startswith("#")}


def test_requirements_are_the_core_of_the_lock():
    requirements = _pins("requirements.txt")
    assert len(requirements) > 10
    assert requirements <= _pins("requirements.lock")


def test_every_requirement_is_pinned_to_hashes():
    for line in (ROOT / "requirements.txt").read_text("utf-8").replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            assert re.search(r"==\S+.*--hash=sha256:", line), line[:60]


CARDS = sorted((PACKAGE / "models" / "data").glob("*.json"))


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_an_embedded_model_is_the_one_that_its_card_describes(card):
    facts = json.loads(card.read_text("utf-8"))
    content = (card.parent / facts["file"]).read_bytes()
    assert facts["name"] == card.stem
    assert hashlib.sha256(content).hexdigest() == facts["sha256"]
    assert len(content) == facts["bytes"]
    for text in ("task", "licence", "trained_on", "input", "output", "intended_use", "limits"):
        assert facts[text], text


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_an_embedded_model_has_its_licence_beside_it(card):
    # The expression model is our own; its licence is the project's.
    ours = card.stem == "visagram-emotion"
    licence = ROOT / "LICENSE" if ours else card.with_name(f"{card.stem}.LICENSE.txt")
    assert json.loads(card.read_text("utf-8"))["licence"] in ("MIT", "Apache-2.0")
    assert len(licence.read_text("utf-8")) > 500


def test_nothing_else_lies_among_the_models_and_the_media():
    named = {json.loads(card.read_text("utf-8"))["file"] for card in CARDS} | {card.name for card in CARDS}
    files = {path.name for path in (PACKAGE / "models" / "data").iterdir() if not path.name.startswith(".")}
    assert {name for name in files if not name.endswith(".LICENSE.txt")} == named | {"visagram-emotion.safetensors"}
    assert {path.name for path in (PACKAGE / "data").iterdir()} == {
        "sample.mp4",
        "sample.LICENSE.txt",
        "sample.ORIGIN.md",
    }
