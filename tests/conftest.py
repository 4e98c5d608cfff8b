"""What all tests share. Its folder is on the path, so that tests can import the factories."""

from __future__ import annotations

import os
import signal

import hypothesis
import pytest

# Before numpy and torch are loaded, and for children too: networks this small gain nothing from a second thread, and
# threads that wait for each other by spinning take ten times as long beside other work.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# No limits of time, because machines are noisy; the same examples every time, because a red test must stay red.
hypothesis.settings.register_profile(
    "visagram", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("visagram")

# Whoever starts the tests in the background may have them ignore signals, and children inherit that: they would not end
# when a test interrupts them. What is handled, children get as it is by default; the tests themselves stay as deaf.
for _number in (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Side by side, the tests of one file share a process and its fixtures, and those in the browser a server too."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "browser" if "tests/browser/" in nodeid else nodeid.split("::")[0]

    # In the order of their names: those in the browser take the longest and come first.
    config.option.loadscopereorder = False
    return ByFile(config, log)
