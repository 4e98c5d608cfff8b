"""What all tests share. Its folder is on the path, so that tests can import the factories."""

from __future__ import annotations

import hypothesis

# No deadlines, because machines are noisy; the same examples every time, because a red test must stay red.
hypothesis.settings.register_profile("visagram", deadline=None, derandomize=True)
hypothesis.settings.load_profile("visagram")
