"""Every page in every state that it has, as something that a test can open."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page, Playwright, expect

from browser.clips import Clips
from browser.look import until
from browser.served import Served, serving
from cards import full_card
from command import wait_until
from media_factory import SAMPLE, hollow, loop_sample, numbered, sample_frames, write_clip
from weights import write_linear

TOKEN = "a-token-for-the-tests"
TABS = ("Statistics", "Moments", "Compare people", "Windows", "Files", "Method")
LONG = 40
"""So many times the sample is analysed for longer than any test looks at it."""


@dataclass
class World:
    """A server with something in every state, and what the states need; made as they are asked for."""

    playwright: Playwright
    served: Served
    clips: Clips
    folder: Path
    more: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    known: dict[str, str] = field(default_factory=dict)

    def once(self, name: str, make: Callable[[], str]) -> str:
        if name not in self.known:
            self.known[name] = make()
        return self.known[name]

    def other(self, name: str, **options: object) -> Served:
        """A server of its own with an empty library."""
        data = self.folder / name / "data"
        data.parent.mkdir()
        return self.more.enter_context(serving(self.playwright, data, **options))


@dataclass(frozen=True)
class Place:
    """A page in a state. address: the whole of it. arrive: what a person does there, and what there is to see then.
    part: selects what its picture is taken of, where that is not the whole page."""

    name: str
    address: Callable[[World], str]
    arrive: Callable[[Page], None]
    part: str = ""

    def __str__(self) -> str:
        return self.name


@contextlib.contextmanager
def world(playwright: Playwright, served: Served, clips: Clips, folder: Path) -> Iterator[World]:
    made = World(playwright, served, clips, folder)
    with made.more:
        yield made


def stop(made: World) -> None:
    """Cancel what runs on the shared server."""
    api = made.served.api
    for state in ("queued", "running"):
        for analysis in api.get("/analyses", state=state)["items"]:
            api.post(f"/analyses/{analysis['id']}/cancel")


def _full(made: World) -> str:
    """The shared library, with videos that say who is in them, and one of each fate."""
    _failed(made)
    _cancelled(made)

    def label() -> str:
        for name, who, condition, tags in [("sample", "P01", "film", "pilot"), ("two", "P02", "talk", "pilot, noisy")]:
            labels = {"participant": who, "condition": condition, "tags": tags.split(", ")}
            made.served.api.patch(f"/videos/{made.clips[name].video['id']}", labels)
        return f"{made.served.url}/"

    return made.once("full", label)


def _empty(made: World) -> str:
    return made.once("empty", lambda: made.other("empty").url) + "/"


def _empty_study(made: World) -> str:
    return _empty(made) + "study"


def _token(made: World) -> str:
    return made.once("token", lambda: made.other("closed", token=TOKEN).url) + "/"


def _analysis(made: World, name: str, make: Callable[[Path], Path], state: str) -> str:
    def begin() -> str:
        api = made.served.api
        video = api.upload(make(made.folder / f"{name}.mp4"))
        assert api.ended(video)["state"] == state
        return f"{made.served.url}/analyses/{video['latest']['id']}"

    return made.once(name, begin)


def _failed(made: World) -> str:
    return _analysis(made, "damaged", lambda path: hollow(write_clip(path, sample_frames(30))), "failed")


def _nobody(made: World) -> str:
    return _analysis(made, "nobody", lambda path: write_clip(path, numbered(320, 240, 50)), "done")


def _still(made: World) -> str:
    import cv2

    def picture(path: Path) -> Path:
        jpeg = path.with_suffix(".jpg")
        cv2.imwrite(str(jpeg), sample_frames(1)[0].to_ndarray(format="bgr24"))
        return jpeg

    return _analysis(made, "portrait", picture, "done")


def _long(made: World, name: str) -> str:
    video = made.served.api.upload(loop_sample(made.folder / f"{name}.mp4", LONG + len(name)))
    return str(video["latest"]["id"])


def _cancelled(made: World) -> str:
    def begin() -> str:
        analysis = _long(made, "cancelled")
        stop(made)
        return f"{made.served.url}/analyses/{analysis}"

    return made.once("cancelled", begin)


def _running(made: World) -> str:
    analysis = made.once("running", lambda: _long(made, "running"))
    api = made.served.api
    if api.get(f"/analyses/{analysis}")["state"] == "cancelled":
        api.post(f"/analyses/{analysis}/retry")
    return f"{made.served.url}/analyses/{analysis}"


def _result(name: str) -> Callable[[World], str]:
    return lambda made: made.served.url + made.clips[name].page


def _at(path: str) -> Callable[[World], str]:
    return lambda made: made.served.url + path


def _card(made: World) -> str:
    return f"{made.served.url}/models/{made.served.api.get('/models')['items'][0]['name']}"


def _well_modelled(path: str) -> Callable[[World], str]:
    """A page of a server whose own model has a card that holds everything, and that fetches no other."""

    def address(made: World) -> str:
        def begin() -> str:
            file = write_linear(made.folder / "mine.onnx", **full_card())
            return made.other("modelled", emotion=f"onnx:{file}", models=made.folder / "no-models", offline=1).url

        return made.once("modelled", begin) + path

    return address


def _study(made: World) -> str:
    api = made.served.api
    _full(made)

    def mark() -> str:
        video = made.clips["sample"].video["id"]
        api.post(f"/videos/{video}/windows", {"name": "Question 1", "start": 2.0, "end": 9.5})
        return f"{made.served.url}/study"

    return made.once("study", mark)


def _quiet(page: Page) -> None:
    page.wait_for_load_state("networkidle")


def _shelf(page: Page) -> None:
    expect(page.locator("#videos > li").first).to_be_visible()
    until(page, "[...document.querySelectorAll('#videos img')].slice(0, 3).every((image) => image.complete)")


def _hero(page: Page) -> None:
    expect(page.locator("#hero")).to_be_visible()


def _upload_dialog(page: Page) -> None:
    _shelf(page)
    with page.expect_file_chooser() as chooser:
        page.locator("[data-choose]:visible").first.click()
    chooser.value.set_files(SAMPLE)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Upload and analyse")).to_be_visible()
    for summary in dialog.locator("summary").all():
        summary.click()


def _model_choice(page: Page) -> None:
    _hero(page)
    with page.expect_file_chooser() as chooser:
        page.locator("[data-choose]:visible").first.click()
    chooser.value.set_files(SAMPLE)
    page.get_by_text("All settings").click()
    page.get_by_role("group", name="Model that reads apparent expression").scroll_into_view_if_needed()


def _open_card(page: Page) -> None:
    for summary in page.locator("main summary").all():
        summary.click()


def _menu(page: Page) -> None:
    _shelf(page)
    page.locator("#videos .more").first.click()
    expect(page.get_by_role("menu")).to_be_visible()


def _describe(page: Page) -> None:
    _menu(page)
    page.get_by_role("menuitem", name="Rename and describe").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def _seen(page: Page) -> None:
    expect(page.locator("#picture")).to_be_visible()


def _stopped(page: Page) -> None:
    expect(page.locator("#stopped")).to_be_visible()


def ready(page: Page) -> None:
    """The result page with everything drawn."""
    until(page, "window.visagram?.ready")
    until(page, "document.querySelector('#panel-statistics table, #panel-statistics .muted')")


def _playing_ready(page: Page) -> None:
    ready(page)
    until(page, "!document.querySelector('#stage video').hidden && window.visagram.boxesShown().length")


def _tab(label: str) -> Callable[[Page], None]:
    def arrive(page: Page) -> None:
        ready(page)
        page.get_by_role("tab", name=label).click()
        panel = page.get_by_role("tabpanel")
        expect(panel.locator("[aria-busy=true], .ghost, .skeleton")).to_have_count(0)
        panel.scroll_into_view_if_needed()
        _quiet(page)

    return arrive


def _dialog_of(button: str) -> Callable[[Page], None]:
    def arrive(page: Page) -> None:
        ready(page)
        if button == "Merge":
            for box in page.locator("#cards .pick input").all():
                box.check()
        else:
            page.evaluate("() => { location.hash = 't=1.5'; }")
            expect(page.locator("#stage .clock")).to_contain_text("0:01.5")
        page.locator("#people").get_by_role("button", name=button).first.click()
        expect(page.get_by_role("dialog")).to_be_visible()

    return arrive


def _compared(page: Page) -> None:
    expect(page.locator("#compare .js-plotly-plot").first).to_be_visible()
    expect(page.locator("#methods-text .prose")).to_be_visible()
    expect(page.locator("#tidy table")).to_be_visible()
    _quiet(page)


def _import(page: Page) -> None:
    _compared(page)
    page.get_by_role("button", name="Import CSV").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def _guide(page: Page) -> None:
    expect(page.locator("#guide")).to_be_visible()


def _swagger(page: Page) -> None:
    expect(page.locator(".opblock").first).to_be_visible()
    page.locator(".opblock-summary-control").first.click()
    expect(page.locator(".opblock-body").first).to_be_visible()


def _form(page: Page) -> None:
    expect(page.get_by_label("Token")).to_be_visible()


def _studio(made: World) -> str:
    """The studio with faces of two expressions, one of them judged by hand."""

    def make() -> str:
        api = made.served.api
        for expression in ("happy", "disgust"):
            api.post("/studio/makings", {"expression": expression, "count": 4, "seed": 1})

        def over() -> bool:
            return {making["state"] for making in api.get("/studio/makings")["items"]} == {"done"}

        wait_until(over, 30, "no faces came")
        api.patch("/studio/faces/happy/happy-1-00000.png", {"review": "reject"})
        return "made"

    made.once("studio", make)
    return f"{made.served.url}/studio"


def _faces(page: Page) -> None:
    # Those further down are loaded when somebody scrolls to them.
    expect(page.get_by_role("img", name="Generated face meant to look happy")).to_have_count(4)
    until(page, "document.images[0].complete")


PLACES = [
    Place("library-empty", _empty, _hero),
    Place("library", _full, _shelf),
    Place("upload-dialog", _full, _upload_dialog),
    Place("menu", _full, _menu),
    Place("describe-dialog", _full, _describe),
    Place("running", _running, _seen),
    Place("failed", _failed, _stopped),
    Place("cancelled", _cancelled, _stopped),
    Place("result", _result("sample"), _playing_ready),
    Place("result-two-people", _result("two"), _playing_ready),
    Place("result-nobody", _nobody, _quiet),
    Place("result-still", _still, _quiet),
    *(Place(f"tab-{label.split()[0].lower()}", _result("two"), _tab(label), "#tabs") for label in TABS),
    Place("merge-dialog", _result("two"), _dialog_of("Merge")),
    Place("split-dialog", _result("two"), _dialog_of("Split")),
    Place("study-empty", _empty_study, _guide),
    Place("study", _study, _compared),
    Place("import-dialog", _study, _import),
    Place("studio", _studio, _faces),
    Place("studio-empty", lambda made: made.once("bare", lambda: made.other("bare").url) + "/studio", _quiet),
    Place("models", _at("/models"), _quiet),
    Place("models-missing", _well_modelled("/models"), _quiet),
    Place("model-choice", _well_modelled("/"), _model_choice),
    Place("model-card", _card, _quiet),
    Place("model-card-whole", _well_modelled("/models/onnx:mine.onnx"), _open_card),
    Place("about", _at("/about"), _quiet),
    Place("log", _at("/log"), _quiet),
    Place("api", _at("/api"), _swagger),
    Place("token", _token, _form),
    Place("unknown", _at("/nowhere"), _quiet),
]
