"""The command line: parsing and printing, nothing else. Data goes to standard output, messages to standard error.

`root.py` puts the commands together; each has a module of its own.
"""

from visagram.cli.root import app, main
from visagram.cli.sample import SAMPLE

__all__ = ["SAMPLE", "app", "main"]
