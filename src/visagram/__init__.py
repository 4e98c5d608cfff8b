"""Visagram: a video in, a chart of apparent facial expression for every person out.

import visagram
report = visagram.analyze("talk.mp4")
report.people, report.to_pandas(), report.save("results/talk")
"""

# Nothing is imported here: `python -m visagram` comes by before the working folder is out of `sys.path`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from visagram.analysis import Analysis, analyze
    from visagram.errors import VisagramError
    from visagram.report import Report, open_report
    from visagram.settings import Settings

__version__ = "0.2.0.dev0"
__all__ = ["Analysis", "Report", "Settings", "VisagramError", "__version__", "analyze", "open_report"]

_HOMES = {
    "Analysis": "visagram.analysis",
    "analyze": "visagram.analysis",
    "VisagramError": "visagram.errors",
    "Report": "visagram.report",
    "open_report": "visagram.report",
    "Settings": "visagram.settings",
}


def __getattr__(name: str) -> object:
    """Public names load when first used, so that `import visagram` costs next to nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'visagram' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
