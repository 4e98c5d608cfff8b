"""Python without the working folder: a `random.py` that lies beside somebody's video is theirs, and never imported.

`visagram` and `python -m visagram` take the folder out of `sys.path` before they import anything that it could shadow.
Child processes run this file by its path and with `-P`, so that they never have it there. So nothing is imported here,
nor on the way here, but what Python itself has loaded by then.
"""

import os
import sys

# pathlib would have to be imported.
_PACKAGE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
_ROOT = os.path.dirname(_PACKAGE)  # noqa: PTH120


def leave_working_folder(*, as_module: bool = False) -> None:
    """Take the working folder out of `sys.path`, where Python put it by itself: for `python -m` (as_module), and for an
    empty entry of PYTHONPATH, which comes from `PYTHONPATH=$PYTHONPATH:more` and is hardly ever meant.

    Where it was named it stays, and where Visagram or Python is installed in it, it is looked at last.
    """
    try:
        here = os.getcwd()  # noqa: PTH109
    except OSError:
        return  # a folder that was deleted holds nothing to import
    before = list(sys.path)
    if as_module and not sys.flags.safe_path and sys.path[:1] in ([here], [""]):
        del sys.path[0]
    given = [] if sys.flags.ignore_environment else _entries(os.environ.get("PYTHONPATH", ""))
    if "" in given and not any(entry and os.path.abspath(entry) == here for entry in given):  # noqa: PTH100
        sys.path[:] = [entry for entry in sys.path if entry not in ("", here)]
    homes = (_ROOT, os.path.dirname(os.__file__))  # noqa: PTH120
    if here in before and here in homes and here not in sys.path:
        sys.path.append(here)


def command(module: str) -> list[str]:
    """The command line of a child process that runs `main` of a module of Visagram, of this one and no other."""
    return [sys.executable, "-P", os.path.abspath(__file__), module]  # noqa: PTH100


def environment(**more: str) -> dict[str, str]:
    """The environment of a child process: our own and `more`, without the empty entries of PYTHONPATH."""
    kept = os.environ | {"PYTHONSAFEPATH": "1"} | more
    if "PYTHONPATH" in kept:
        named = [entry for entry in _entries(kept.pop("PYTHONPATH")) if entry]
        kept |= {"PYTHONPATH": os.pathsep.join(named)} if named else {}
    return kept


def _entries(path: str) -> list[str]:
    """What stands in PYTHONPATH; Python takes an empty one for none."""
    return path.split(os.pathsep) if path else []


def _run(module: str) -> None:
    """Run `main` of a module, out of the package that this file belongs to, wherever that was found."""
    import importlib.util

    init = os.path.join(_PACKAGE, "__init__.py")  # noqa: PTH118
    spec = importlib.util.spec_from_file_location("visagram", init, submodule_search_locations=[_PACKAGE])
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["visagram"] = package
    spec.loader.exec_module(package)
    # What was installed beside the package; last, because it may also hold somebody's files.
    if _ROOT not in sys.path:
        sys.path.append(_ROOT)
    importlib.import_module(module).main()


if __name__ == "__main__":
    _run(sys.argv[1])
