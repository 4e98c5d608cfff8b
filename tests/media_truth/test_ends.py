"""The last picture lasts as long as its packet or its stream says, and a file that was cut off says so."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
from patching import box, set_mp4_deltas
from truth import Truth, check_everything

from media_factory import numbered, read, write_clip, yuv
from visagram.analysis import Analysis
from visagram.settings import Settings
from visagram.workers import Workers

Make = Callable[[Path], Truth]
COUNT, MS = 30, Fraction(1, 1000)
PLAIN = {"bf": "0", "g": "10"}


def _held(path: Path, last: float, *, options: dict[str, str] = PLAIN, container: str = "matroska") -> Truth:
    """`COUNT` pictures 40 ms apart, the last of which stays for `last` seconds: its packet says so."""
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.time_base = stream.codec_context.time_base = MS
        packets = []
        for number, luma in enumerate(numbered(96, 64, COUNT)):
            frame = yuv(luma)
            frame.pts, frame.time_base = number * 40, MS
            packets += stream.encode(frame)
        for packet in [*packets, *stream.encode(None)]:
            packet.duration = round(last * 1000) if packet.pts == 40 * (COUNT - 1) else 40
            output.mux(packet)
    return Truth(path, range(COUNT), [0.04 * k for k in range(COUNT)], 0.04 * (COUNT - 1) + last)


def in_matroska(folder: Path) -> Truth:
    return _held(folder / "a.mkv", 5.0)


def in_matroska_reordered(folder: Path) -> Truth:
    return _held(folder / "b.mkv", 2.5, options={"bf": "3", "g": "10", "b-adapt": "0"})


def in_mp4(folder: Path) -> Truth:
    return _held(folder / "c.mp4", 7.0, container="mp4")


def for_half_an_hour(folder: Path) -> Truth:
    return _held(folder / "d.mkv", 1800.0)


def shorter_than_usual(folder: Path) -> Truth:
    return _held(folder / "e.mkv", 0.01)


def in_a_gif(folder: Path) -> Truth:
    """The delays stand in the file, in hundredths of a second; the last is made long."""
    frames = [_rgb(number) for number in range(COUNT)]
    path = write_clip(folder / "f.gif", frames, codec="gif", pixel_format="rgb8", rate=10, container="gif")
    content = bytearray(path.read_bytes())
    last = content.rindex(b"\x21\xf9\x04")
    content[last + 4 : last + 6] = (300).to_bytes(2, "little")
    path.write_bytes(content)
    return Truth(path, range(COUNT), [0.1 * k for k in range(COUNT)], 0.1 * (COUNT - 1) + 3)


def beside_longer_sound(folder: Path) -> Truth:
    """The sound goes on; the picture does not."""
    path = write_clip(folder / "g.mkv", numbered(96, 64, 12), options=PLAIN, sound=True)
    return Truth(path, range(12), [0.04 * k for k in range(12)], 0.48)


def beside_longer_sound_in_mp4(folder: Path) -> Truth:
    path = write_clip(folder / "h.mp4", numbered(96, 64, 12), options=PLAIN, sound=True)
    return Truth(path, range(12), [0.04 * k for k in range(12)], 0.48)


def without_a_word_in_a_transport_stream(folder: Path) -> Truth:
    path = write_clip(folder / "i.ts", numbered(96, 64, COUNT), options=PLAIN)
    return Truth(path, range(COUNT), [0.04 * k for k in range(COUNT)], 1.2)


def _rgb(number: int) -> av.VideoFrame:
    return yuv(numbered(96, 64, number + 1)[number]).reformat(format="rgb8")


CASES = [
    in_matroska,
    in_matroska_reordered,
    in_mp4,
    for_half_an_hour,
    shorter_than_usual,
    in_a_gif,
    beside_longer_sound,
    beside_longer_sound_in_mp4,
    without_a_word_in_a_transport_stream,
]


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_the_last_picture_lasts_as_long_as_it_says(make: Make, tmp_path: Path, workers: Workers) -> None:
    check_everything(make(tmp_path), workers, tmp_path)


def _cut(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: round(len(content) * share)])
    return path


def cut_mp4(folder: Path) -> Path:
    """The index comes first, so that the beginning can be read."""
    return _cut(
        write_clip(
            folder / "a.mp4",
            numbered(96, 64, 72),
            options={"g": "12", "qp": "5"},
            container_options={"movflags": "faststart"},
        ),
        0.6,
    )


def cut_matroska(folder: Path) -> Path:
    return _cut(write_clip(folder / "b.mkv", numbered(96, 64, 72), options={"g": "12", "qp": "5"}), 0.6)


def cut_webm(folder: Path) -> Path:
    return _cut(write_clip(folder / "c.webm", numbered(96, 64, 72), codec="libvpx", options={"g": "12"}), 0.6)


def cut_avi(folder: Path) -> Path:
    return _cut(write_clip(folder / "d.avi", numbered(96, 64, 72), codec="mpeg4", options={"g": "12", "bf": "0"}), 0.6)


@pytest.mark.parametrize("make", [cut_mp4, cut_matroska, cut_webm, cut_avi], ids=lambda make: make.__name__)
def test_a_file_that_was_cut_off_says_how_much_is_missing(
    make: Callable[[Path], Path], tmp_path: Path, workers: Workers
) -> None:
    path = make(tmp_path)
    report = Analysis(path, Settings(), workers=workers).report()
    (warning,) = [w for w in report.warnings if w.code == "file_cut_off"]
    there = report.video.frames
    assert 10 < there < 70
    assert float(report.video.duration) == pytest.approx(there / 25, abs=0.045)
    assert f"{there} of" in warning.message and "72 frames" in warning.message and "of 2.88 s" in warning.message
    assert abs(warning.count - (72 - there)) <= 1
    assert warning.seconds == pytest.approx(2.88 - there / 25, abs=0.05)


def test_without_its_index_an_avi_file_says_so(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.avi", numbered(96, 64, 40), codec="mpeg4", options={"bf": "0"})
    content = path.read_bytes()
    at = content.index(b"idx1")
    path.write_bytes(content[:at])
    assert "file_cut_off" in {warning.code for warning in read(path).warnings}


def test_without_its_trailer_a_gif_says_so(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.gif", [_rgb(k) for k in range(10)], codec="gif", pixel_format="rgb8", rate=10)
    whole = path.read_bytes()
    assert not read(path).warnings
    path.write_bytes(whole[: whole.rindex(b"\x21\xf9\x04")])
    (warning,) = read(path).warnings
    assert warning.code == "file_cut_off"


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.avi", "a.ts", "a.mov", "a.flv"])
def test_a_whole_file_says_nothing(name: str, tmp_path: Path) -> None:
    codec = {"a.webm": "libvpx", "a.avi": "mpeg4", "a.flv": "flv"}.get(name, "libx264")
    path = write_clip(
        tmp_path / name, numbered(96, 64, 40), codec=codec, options={"bf": "0"} if codec != "libvpx" else {}
    )
    assert not read(path).warnings


def test_what_follows_the_last_box_of_an_mp4_file_is_no_cut(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", numbered(96, 64, 20))
    path.write_bytes(path.read_bytes() + b"\0" * 100)
    assert not read(path).warnings


def test_an_index_that_promises_another_length_changes_no_other_picture(tmp_path: Path, workers: Workers) -> None:
    """The lengths of all samples but the last stay; that one is believed."""
    options = {"use_editlist": "0"}
    path = write_clip(
        tmp_path / "a.mp4",
        numbered(96, 64, COUNT),
        options=PLAIN,
        container_options=options,
        pts=[*range(COUNT - 1), 60],
        time_base=Fraction(1, 25),
    )
    content = path.read_bytes()
    assert box(content, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts")
    set_mp4_deltas(path, [512] * (COUNT - 1) + [512 * 40])
    truth = Truth(path, range(COUNT), [0.04 * k for k in range(COUNT)], 0.04 * (COUNT - 1) + 1.6)
    check_everything(truth, workers, tmp_path)
