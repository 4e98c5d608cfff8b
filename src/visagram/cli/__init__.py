"""The command line: parsing and printing, nothing else. Data goes to standard output, messages to standard error.

`root.py` puts the commands together; each has a module of its own. They load when `main` runs or a name is first used,
because nothing may be imported before the working folder is out of the way.
"""

from visagram.interpreter import leave_working_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from visagram.cli.root import app
    from visagram.cli.sample import SAMPLE

__all__ = ["SAMPLE", "app", "main"]


def main() -> "NoReturn":
    """Run the command line; turns every error into one sentence and an exit status."""
    leave_working_folder()
    from visagram.cli.root import main as run

    run()


def __getattr__(name: str) -> object:
    homes = {"app": "visagram.cli.root", "SAMPLE": "visagram.cli.sample"}
    if name not in homes:
        raise AttributeError(f"module 'visagram.cli' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(homes[name]), name)
