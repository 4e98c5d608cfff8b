"""What the web application asks the workers for: copies, thumbnails, single pictures, previews and an end."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from playwright import sync_api as playwright

import media_factory as media
from chromium import launch
from visagram.core.segments import plan
from visagram.core.types import EXPRESSIONS
from visagram.errors import DecodeFailed, MissingInput, NotAVideo, OutputUnwritable, Stopped
from visagram.settings import Settings
from visagram.workers import Message, Workers, checks

SETTINGS = Settings(processes=1)
SHORT = Settings(processes=2, end=25.0, sample_fps=3)
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="uses /proc and namespaces")


def silent(_stage: str, _completed: int, _total: int) -> None:
    """Nobody watches."""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds that take a while to copy."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return media.write_clip(path, media.numbered(1280, 720, 200), options={"preset": "ultrafast"}, sound=True)


@pytest.fixture
def workers() -> Iterator[Workers]:
    with Workers(SETTINGS) as pool:
        yield pool


def decoded(content: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


# --- Files -----------------------------------------------------------------------------------------------------------


def test_a_copy_is_written_whole_and_tells_how_far_it_is(film: Path, workers: Workers, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    workers.derive_proxy(film, tmp_path / "new" / "proxy.mp4", lambda *step: steps.append(step))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["proxy.mp4"]
    assert {stage for stage, _, _ in steps} == {"proxy"}
    assert [done for _, done, _ in steps] == sorted(done for _, done, _ in steps)
    with av.open(str(tmp_path / "new" / "proxy.mp4")) as container:
        times = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    assert times == [Fraction(number, 25) for number in range(200)]
    assert workers.playable(tmp_path / "new" / "proxy.mp4") is None


def test_a_strip_lies_beside_its_poster_and_says_where_each_picture_is(
    film: Path, workers: Workers, tmp_path: Path
) -> None:
    facts = workers.derive_strip(film, tmp_path)
    assert json.loads((tmp_path / "strip.json").read_text("utf-8")) == facts
    assert {path.name for path in tmp_path.iterdir()} == {"poster.jpg", "strip.json", *facts["files"]}
    assert decoded((tmp_path / "poster.jpg").read_bytes()).shape == (270, 480, 3)
    sheet = decoded((tmp_path / facts["files"][0]).read_bytes())
    assert sheet.shape == (facts["rows"] * facts["height"], facts["columns"] * facts["width"], 3)
    for number in range(facts["count"]):
        row, column = divmod(number, facts["columns"])
        top, left = row * facts["height"], column * facts["width"]
        thumb = sheet[top : top + facts["height"], left : left + facts["width"]]
        shown = media.read_number(thumb[..., 1]) / 25
        assert number * facts["interval"] <= shown < (number + 1) * facts["interval"]


def test_a_poster_can_be_of_a_chosen_time(film: Path, workers: Workers, tmp_path: Path) -> None:
    workers.derive_strip(film, tmp_path, poster_time=3.0)
    assert media.read_number(decoded((tmp_path / "poster.jpg").read_bytes())[..., 1]) == 75


def test_pictures_come_from_one_child_that_stays_warm(film: Path, workers: Workers) -> None:
    assert media.read_number(decoded(workers.still(film, 2.0, 320))[..., 1]) == 50
    pids = workers.pids
    start = time.monotonic()
    for number in range(10):
        picture = decoded(workers.still(film, number / 25, 320))
        assert picture.shape == (180, 320, 3)
        assert media.read_number(picture[..., 1]) == number
    assert time.monotonic() - start < 50
    assert workers.pids == pids


def test_threads_share_the_workers(film: Path, workers: Workers) -> None:
    shown: dict[int, int] = {}

    def ask(number: int) -> None:
        shown[number] = media.read_number(decoded(workers.still(film, number / 25, 320))[..., 1])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(0, 160, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shown == {number: number for number in range(0, 160, 20)}
    assert len(workers.pids) == 1


def test_a_file_that_changed_is_read_again(workers: Workers, tmp_path: Path) -> None:
    video = media.write_clip(tmp_path / "a.mp4", media.numbered(160, 96, 5))
    assert media.read_number(decoded(workers.still(video, 9, 160))[..., 1]) == 4
    media.write_clip(video, media.numbered(160, 96, 9))
    assert media.read_number(decoded(workers.still(video, 9, 160))[..., 1]) == 8


@LINUX
def test_only_a_copy_may_be_written_by_the_child(film: Path, workers: Workers, tmp_path: Path) -> None:
    def limit() -> str:
        lines = Path(f"/proc/{workers.pids[0]}/limits").read_text("ascii").splitlines()
        return next(line for line in lines if line.startswith("Max file size")).split()[3]

    workers.derive_proxy(film, tmp_path / "proxy.mp4", silent)
    assert limit() == "unlimited"
    for ask in (
        lambda: workers.still(film, 0, 100),
        lambda: workers.derive_strip(film, tmp_path),
        lambda: workers.playable(film),
    ):
        ask()
        assert limit() == "0"


# --- What goes wrong -------------------------------------------------------------------------------------------------


def requests(workers: Workers, folder: Path) -> list[Callable[[Path], object]]:
    return [
        workers.playable,
        lambda path: workers.derive_proxy(path, folder / "proxy.mp4", silent),
        lambda path: workers.derive_strip(path, folder),
        lambda path: workers.still(path, 1.0, 160),
    ]


def test_hostile_files_give_the_usual_errors_and_leave_nothing(workers: Workers, tmp_path: Path) -> None:
    text, folder = tmp_path / "text.mp4", tmp_path / "out"
    text.write_text("#EXTM3U\nhttp://example.invalid/\n" * 50)
    folder.mkdir()
    for request in requests(workers, folder):
        with pytest.raises(NotAVideo):
            request(text)
        with pytest.raises(MissingInput):
            request(tmp_path / "none.mp4")
    assert not any(folder.iterdir())


def test_nonsense_from_a_child_is_not_passed_on() -> None:
    picture = np.frombuffer(b"\xff\xd8\xff rest", np.uint8)
    face = {"box": [0, 0, 1, 1], "emotion": "happy", "probability": 0.5}
    values = {"time": 0.0, "width": 1, "height": 1, "faces": [face]}
    checks.check("preview", values, {"jpeg": picture})
    for change in ({"emotion": "<b>"}, {"box": [0, 0, 1]}, {"box": "abcd"}, {"probability": float("nan")}):
        with pytest.raises((ValueError, TypeError)):
            checks.check("preview", values | {"faces": [face | change]}, {"jpeg": picture})
    with pytest.raises(ValueError, match="JPEG"):
        checks.check("preview", values, {"jpeg": np.frombuffer(b"<html>", np.uint8)})
    facts = {"width": 160, "height": 90, "columns": 10, "rows": 1, "count": 10, "interval": 0.5, "files": ["../x"]}
    written, pictures = checks.strip(facts, {"poster": picture, "strip-0.jpg": picture, "../x": picture})
    assert written["files"] == ["strip-0.jpg"]
    assert set(pictures) == {"poster.jpg", "strip-0.jpg"}
    with pytest.raises(ValueError, match="sheets"):
        checks.strip(facts | {"count": 10**9}, {"poster": picture})
    with pytest.raises(KeyError):
        checks.strip(facts, {"poster": picture})


def test_what_the_disk_refuses_is_said(film: Path, workers: Workers, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    with pytest.raises(OutputUnwritable):
        workers.derive_proxy(film, blocked / "proxy.mp4", silent)
    with pytest.raises(OutputUnwritable):
        workers.derive_strip(film, blocked)


FULL = """
import sys
from pathlib import Path
from visagram.errors import StorageFull
from visagram.settings import Settings
from visagram.workers import Workers

folder, film = map(Path, sys.argv[1:])
if __name__ == "__main__":
    with Workers(Settings(processes=1)) as workers:
        for ask in (
            lambda: workers.derive_proxy(film, folder / "proxy.mp4", lambda *_: None),
            lambda: workers.derive_strip(film, folder),
        ):
            try:
                ask()
            except StorageFull as error:
                assert str(folder) in str(error) and ".proxy" not in str(error), error
            else:
                sys.exit("it was written")
    sys.exit(1 if [p for p in folder.iterdir() if p.suffix in (".mp4", ".json")] else 42)
"""


@LINUX
def test_a_full_disk_is_said_and_holds_no_half_files(film: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = f"mount -t tmpfs -o size=8k none {small} && exec {sys.executable} -c '{FULL}' {small} {film}"
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("needs unshare")
    done = subprocess.run([unshare, "-rm", "sh", "-c", mount], capture_output=True, text=True, timeout=60, check=False)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("file systems may not be mounted here")
    assert done.returncode == 42, done.stderr


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs signals")
def test_a_child_that_hangs_is_ended_and_the_copy_is_not_there(film: Path, tmp_path: Path) -> None:
    settings = Settings(processes=1, stall_timeout=1.0, attempts=1)

    with Workers(settings) as workers, pytest.raises(DecodeFailed, match="could not be converted"):
        workers.derive_proxy(film, tmp_path / "proxy.mp4", lambda *_: os.kill(workers.pids[0], signal.SIGSTOP))
    assert not any(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals")
def test_a_child_that_died_while_idle_is_replaced(film: Path, workers: Workers) -> None:
    workers.still(film, 0, 100)
    (pid,) = workers.pids
    os.kill(pid, signal.SIGKILL)
    assert decoded(workers.still(film, 0, 100)).shape[1] == 100
    assert workers.pids != [pid]


# --- Stopping --------------------------------------------------------------------------------------------------------


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno == errno.ESRCH
    return False


def test_another_thread_stops_a_copy_at_once(film: Path, tmp_path: Path) -> None:
    workers, pids, said = Workers(SETTINGS), list[int](), list[float]()

    def stop(*_: object) -> None:
        if not said:
            pids.extend(workers.pids)
            said.append(time.monotonic())
            threading.Thread(target=workers.stop).start()

    with pytest.raises(Stopped):
        workers.derive_proxy(film, tmp_path / "proxy.mp4", stop)
    assert time.monotonic() - said[0] < 20
    assert not any(tmp_path.iterdir())
    assert pids
    assert all(gone(pid) for pid in pids)
    assert not workers.pids


def test_an_analysis_that_is_stopped_ends_with_an_error_and_so_does_what_comes_after() -> None:
    with Workers(SHORT) as workers:
        facts, timeline, _ = workers.probe(media.SAMPLE)
        segments = plan(timeline, SHORT.start, SHORT.end, SHORT.sample_fps)
        messages = workers.analyse(media.SAMPLE, facts, timeline, segments)
        next(messages)
        timer = threading.Timer(0.05, workers.close)
        timer.start()
        with pytest.raises(Stopped):
            for _ in messages:
                pass
        timer.join()
        assert not workers.pids
        with pytest.raises(Stopped):
            workers.probe(media.SAMPLE)


# --- Analysing -------------------------------------------------------------------------------------------------------


def content(messages: Iterator[tuple[Any, Message]]) -> tuple[dict[int, list[Any]], list[Message]]:
    """What decides a result, by segment, to the last bit; and the previews."""
    parts: dict[int, list[Any]] = {}
    previews = []
    for segment, message in messages:
        kind, values, arrays = message
        if kind == "preview":
            previews.append(message)
        else:
            packed = {name: array.tobytes() for name, array in arrays.items()}
            parts.setdefault(segment.number, []).append((kind, values, packed))
    return parts, previews


def test_segments_one_by_one_and_with_previews_are_the_whole_to_the_last_bit() -> None:
    with Workers(SHORT) as workers:
        facts, timeline, _ = workers.probe(media.SAMPLE)
        segments = plan(timeline, SHORT.start, SHORT.end, SHORT.sample_fps)
        assert len(segments) > 1
        whole, previews = content(workers.analyse(media.SAMPLE, facts, timeline, segments))
        assert not previews
    apart: dict[int, list[Any]] = {}
    for segment in segments:
        with Workers(SHORT) as workers:
            messages = workers.analyse(media.SAMPLE, facts, timeline, [segment], threads=1, preview=True)
            part, previews = content(messages)
            apart |= part
            assert previews
    assert apart == whole
    kind, values, arrays = previews[0]
    assert kind == "preview"
    assert (values["width"], values["height"]) == (facts.width, facts.height)
    assert decoded(arrays["jpeg"].tobytes()).shape == (facts.height, facts.width, 3)
    assert values["faces"]
    for face in values["faces"]:
        x, y, width, height = face["box"]
        assert x + width > 0
        assert y + height > 0
        assert face["emotion"] in (None, *EXPRESSIONS)
        assert 0 <= face["probability"] <= 1


# --- A real browser --------------------------------------------------------------------------------------------------

SEEK = """async ([url, times]) => {
  const video = document.createElement('video');
  video.muted = true; video.src = url; document.body.append(video);
  await new Promise((done, failed) => {
    video.onloadeddata = done;
    video.onerror = () => failed(video.error.message);
  });
  const shown = [];
  let last = null;
  const listen = () => video.requestVideoFrameCallback((_, facts) => { last = facts.mediaTime; listen(); });
  listen();
  for (const time of times) {
    const seeked = new Promise(done => { video.onseeked = done; });
    video.currentTime = time;
    await seeked;
    // The callback of the frame that was shown before may still be on its way.
    await new Promise(done => setTimeout(done, 60));
    shown.push(last);
  }
  return shown;
}"""


def test_a_browser_shows_each_frame_at_our_time(workers: Workers, tmp_path: Path) -> None:
    late = np.cumsum([500, *np.random.default_rng(1).integers(40, 300, 9)]).tolist()
    frames = media.numbered(160, 96, 10)
    kinds: dict[str, dict[str, Any]] = {
        "reordered": {"options": {"bf": "3"}},
        "unshifted": {"options": {"bf": "3"}, "container_options": {"use_editlist": "0"}},
        "late": {"pts": late, "time_base": Fraction(1, 1000)},
    }
    played: dict[str, list[float]] = {}
    for name, options in kinds.items():
        video = media.write_clip(tmp_path / f"{name}.mp4", frames, **options)
        if workers.playable(video) is not None:
            workers.derive_proxy(video, video.with_name(f"{name}-proxy.mp4"), silent)
        timeline = workers.probe(video).timeline
        played[name] = (timeline.pts * float(timeline.base)).tolist()
    assert sorted(path.name for path in tmp_path.glob("*-proxy.mp4")) == ["late-proxy.mp4", "unshifted-proxy.mp4"]
    blank = tmp_path / "blank.html"
    blank.write_text("<!doctype html><title>blank</title>", "utf-8")
    with playwright.sync_playwright() as driver:
        browser = launch(driver)
        page = browser.new_page()
        for name, times in played.items():
            proxy = tmp_path / f"{name}-proxy.mp4"
            file = proxy if proxy.exists() else tmp_path / f"{name}.mp4"
            page.goto(blank.as_uri())
            middles = [(a + b) / 2 for a, b in zip(times, [*times[1:], times[-1] + 0.04], strict=True)]
            assert page.evaluate(SEEK, [file.as_uri(), middles]) == pytest.approx(times, abs=1e-5), name
        browser.close()
