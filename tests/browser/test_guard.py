"""The guard that every other test here relies on sees what pages must not do."""

from __future__ import annotations


def test_the_guard_sees_a_breach_of_policy_an_error_and_another_host(visit, guard):
    page = visit("/about")
    page.wait_for_load_state("networkidle")
    assert guard.trouble() == []
    page.evaluate("""async () => {
      document.body.append(Object.assign(document.createElement("script"), { textContent: "window.inline = 1" }));
      document.body.insertAdjacentHTML("beforeend", "<p style='color: red'>styled</p>");
      setTimeout(() => { throw new Error("thrown on purpose"); });
      await fetch("http://visagram.invalid/").catch(() => null);
      await new Promise((done) => setTimeout(done, 50));
    }""")
    page.goto("/about")
    seen = "\n".join(guard.trouble())
    for sign in ("policy violated: script-src-elem", "policy violated: style-src-attr", "thrown on purpose"):
        assert sign in seen
    assert "visagram.invalid" in seen
    guard.expect("")
