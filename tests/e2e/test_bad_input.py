"""Whatever is given as a video: a result, or one sentence with a code; never a traceback, a hang or half a result."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from command import DROP_PRIVILEGES, Outcome, Watch, command, content, environment, result, unprivileged, visagram
from media_factory import SAMPLE, flip_bits, numbered, patch, sample_frames, write_clip, write_sound

linux = pytest.mark.skipif(sys.platform != "linux", reason="uses what only Linux has")
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions or names")


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of the sample clip, its index in front: cut short, it still begins like a video."""
    path = tmp_path_factory.mktemp("face") / "face.mp4"
    return write_clip(
        path, sample_frames(12), options={"preset": "ultrafast", "g": "5"}, container_options={"movflags": "faststart"}
    )


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


# --- One bad file, one code ------------------------------------------------------------------------------------------


def missing(path: Path) -> None:
    pass


def a_folder(path: Path) -> None:
    path.mkdir()


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text("Dear diary, today I recorded nothing.\n" * 100)


def noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(1).bytes(100_000))


def sound(path: Path) -> None:
    write_sound(path.with_suffix(".mp3")).rename(path)


def song_with_cover(path: Path) -> None:
    write_sound(path.with_suffix(".mp3"), cover=True).rename(path)


def header_without_packets(path: Path) -> None:
    write_clip(path.with_suffix(".y4m"), numbered(64, 48, 1), codec="wrapped_avframe").rename(path)
    path.write_bytes(path.read_bytes().partition(b"FRAME")[0])


def ivf_header_without_packets(path: Path) -> None:
    write_clip(path.with_suffix(".ivf"), numbered(64, 48, 1), codec="libvpx").rename(path)
    path.write_bytes(path.read_bytes()[:32])


def unknown_coding(path: Path) -> None:
    write_clip(path.with_suffix(".mkv"), numbered(64, 48, 3)).rename(path)
    path.write_bytes(path.read_bytes().replace(b"V_MPEG4/ISO/AVC", b"V_MPEG9/ISO/AVC"))


def picture_of(width: int, height: int, path: Path) -> None:
    """A PNG whose header promises this size, with a correct checksum and hardly any content."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(3000))) + chunk(b"IEND", b""))


def absurd_picture(path: Path) -> None:
    picture_of(60_000, 4_000, path)


def absurd_film(path: Path) -> None:
    write_clip(path.with_suffix(".avi"), numbered(64, 48, 3), codec="rawvideo").rename(path)
    patch(path, b"strf", 8, struct.pack("<II", 16_000, 16_000))


def absurd_gif(path: Path) -> None:
    clip = write_clip(
        path.with_suffix(".gif"),
        [sample_frames(1, 64, 48)[0].reformat(format="rgb8")] * 2,
        codec="gif",
        pixel_format="rgb8",
    )
    clip.rename(path)
    content = bytearray(path.read_bytes())
    content[6:10] = struct.pack("<HH", 65_000, 65_000)
    path.write_bytes(content)


def absurd_frame_duration(path: Path) -> None:
    write_clip(path, numbered(64, 48, 3))
    patch(path, b"stts", 12, struct.pack(">I", 0x7FFFFFF0))


def absurd_container_duration(path: Path) -> None:
    write_clip(path.with_suffix(".mkv"), numbered(64, 48, 3)).rename(path)
    patch(path, bytes.fromhex("4489 88"), -1, struct.pack(">d", 1e12))


def too_many_streams(path: Path) -> None:
    write_clip(path.with_suffix(".mkv"), numbered(64, 48, 3), sound=True).rename(path)


BAD = {
    missing: "missing_input",
    a_folder: "not_a_file",
    empty: "empty_input",
    text: "not_a_video",
    noise: "not_a_video",
    sound: "no_video_stream",
    song_with_cover: "no_video_stream",
    header_without_packets: "no_frames",
    ivf_header_without_packets: "no_frames",
    unknown_coding: "not_a_video",
    absurd_picture: "too_large",
    absurd_film: "too_large",
    absurd_gif: "no_frames",  # 65,000 x 65,000 pixels: more than FFmpeg itself agrees to
    absurd_frame_duration: "too_large",
    absurd_container_duration: "too_large",
}


@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
def test_each_kind_of_bad_input_has_its_own_code_and_leaves_nothing(make, tmp_path: Path, out: Path) -> None:  # type: ignore[no-untyped-def]
    video = tmp_path / "video.mp4"
    make(video)
    outcome = visagram("analyze", video, "-o", out)
    outcome.refused(BAD[make])
    assert str(video) in outcome.err
    assert content(out) == []


def test_more_streams_than_allowed_are_refused(tmp_path: Path, out: Path) -> None:
    video = tmp_path / "video.mp4"
    too_many_streams(video)
    visagram("analyze", video, "-o", out, max_streams=1).refused("too_large")


@posix
def test_a_fifo_is_not_waited_for(tmp_path: Path, out: Path) -> None:
    os.mkfifo(tmp_path / "video.mp4")
    visagram("analyze", tmp_path / "video.mp4", "-o", out).refused("not_a_file")


@posix
def test_a_file_that_may_not_be_read_says_so(face: Path, tmp_path: Path, out: Path) -> None:
    video = shutil.copy(face, tmp_path / "video.mp4")
    video.chmod(0)
    visagram("analyze", video, "-o", out, prefix=unprivileged()).refused("unreadable_input")
    assert content(out) == []


@posix
def test_a_file_in_a_folder_that_may_not_be_entered_says_so(face: Path, tmp_path: Path, out: Path) -> None:
    folder = tmp_path / "private"
    folder.mkdir()
    video = shutil.copy(face, folder / "video.mp4")
    folder.chmod(0)
    try:
        visagram("analyze", video, "-o", out, prefix=unprivileged()).refused("unreadable_input")
    finally:
        folder.chmod(0o700)


# --- Good and bad together -------------------------------------------------------------------------------------------


def test_one_bad_file_does_not_stop_the_others(face: Path, tmp_path: Path, out: Path) -> None:
    text(tmp_path / "bad.mp4")
    outcome = visagram("analyze", tmp_path / "bad.mp4", face, tmp_path / "gone.mp4", "-o", out, "-q")
    assert outcome.codes == ["not_a_video", "missing_input"]
    assert outcome.status == 1
    assert result(out / "face")["people"]
    assert [path.name for path in out.iterdir()] == ["face"]


def test_all_bad_is_another_status_than_some_bad(tmp_path: Path, out: Path) -> None:
    text(tmp_path / "bad.mp4")
    outcome = visagram("analyze", tmp_path / "bad.mp4", tmp_path / "gone.mp4", "-o", out)
    assert (outcome.status, outcome.codes) == (3, ["not_a_video", "missing_input"])


@pytest.mark.parametrize(
    "arguments",
    [("--region", "1,2,3"), ("--start", "9", "--end", "3"), ("--sample-fps", "-1"), ("--region", "5000,0,10,10")],
    ids=" ".join,
)
def test_settings_that_make_no_sense_are_a_usage_error(arguments: tuple[str, ...], face: Path, out: Path) -> None:
    outcome = visagram("analyze", face, "-o", out, *arguments)
    outcome.refused("usage", 2)
    assert content(out) == []


@pytest.mark.parametrize(
    "arguments", [("analyze",), ("analyze", "--nonsense"), ("nonsense",), ("analyze", "x", "-f", "doc")]
)
def test_a_wrong_call_is_a_usage_error_without_a_traceback(arguments: tuple[str, ...]) -> None:
    outcome = visagram(*arguments)
    assert outcome.status == 2
    assert outcome.err and "Traceback" not in outcome.err


# --- Nothing to see --------------------------------------------------------------------------------------------------


def test_a_video_without_a_face_is_a_valid_report_that_says_so(tmp_path: Path, out: Path) -> None:
    outcome = visagram("analyze", write_clip(tmp_path / "empty.mp4", numbered(320, 240, 30)), "-o", out)
    assert outcome.status == 0
    assert "No face" in outcome.out
    report = result(out / "empty")
    assert report["people"] == []
    assert any(warning["code"] == "no_face" for warning in report["warnings"])


@pytest.mark.parametrize("name", ["one.mp4", "one.jpg"])
def test_one_frame_is_enough(name: str, tmp_path: Path, out: Path) -> None:
    frame = sample_frames(1)
    if name.endswith("jpg"):
        picture = [frame[0].reformat(format="yuvj420p")]
        clip = write_clip(
            tmp_path / name,
            picture,
            codec="mjpeg",
            pixel_format="yuvj420p",
            container="image2",
            container_options={"update": "1"},
        )
    else:
        clip = write_clip(tmp_path / name, frame)
    outcome = visagram("analyze", clip, "-o", out)
    assert (outcome.status, outcome.codes) == (0, [])
    assert len(result(out / "one")["people"]) == 1


# --- Damage ----------------------------------------------------------------------------------------------------------

ACCEPTED = {"not_a_video", "no_frames", "no_video_stream", "empty_input", "decode_failed", "too_large"}


def each_is_a_result_or_a_refusal(videos: list[Path], out: Path) -> Outcome:
    """Analyse many files in one call and check that each ended in a whole report or a sentence with a code."""
    outcome = visagram("analyze", *videos, "-o", out, "-q", "-f", "json", max_duration=3600)
    assert set(outcome.codes) <= ACCEPTED
    reports = [video for video in videos if (out / video.stem).exists()]
    assert len(reports) + len(outcome.codes) == len(videos)
    for video in reports:
        assert result(out / video.stem)["totals"]["frames"] > 0
    assert outcome.status == (0 if not outcome.codes else 1 if reports else 3)
    return outcome


@pytest.fixture(scope="module")
def containers(face: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same few frames in several containers."""
    folder = tmp_path_factory.mktemp("containers")
    frames, fast = sample_frames(12, 200, 150), {"preset": "ultrafast", "g": "5"}
    made = {"mp4": face}
    quick = {"deadline": "realtime", "cpu-used": "8"}
    for name, codec, options in (
        ("mkv", "libx264", fast),
        ("ts", "libx264", fast),
        ("avi", "mpeg4", {}),
        ("webm", "libvpx-vp9", quick),
        ("h264", "libx264", fast),
    ):
        made[name] = write_clip(folder / f"face.{name}", frames, codec=codec, options=options)
    return made


@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts", "avi", "webm", "h264"])
def test_a_video_cut_short_anywhere_is_a_result_or_a_refusal(
    kind: str, containers: dict[str, Path], tmp_path: Path, out: Path
) -> None:
    whole = containers[kind].read_bytes()
    places = np.random.default_rng(7).integers(1, len(whole), 12).tolist()
    cuts = [1, 7, 8, 100, 1000, *places, len(whole) - 1]
    videos = [tmp_path / f"cut_{size}.{kind}" for size in sorted(set(cuts))]
    for video in videos:
        video.write_bytes(whole[: int(video.stem[4:])])
    outcome = each_is_a_result_or_a_refusal(videos, out)
    assert outcome.codes, "the shortest ones cannot be videos"
    assert content(out), "the longest one still shows something"


def test_the_sample_cut_short_tells_how_much_is_left(tmp_path: Path, out: Path) -> None:
    half = write_clip(tmp_path / "a.mkv", sample_frames(50, 200, 150), options={"preset": "ultrafast"})
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    each_is_a_result_or_a_refusal([half], out)
    assert 10 < result(out / "a")["totals"]["frames"] < 40


@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts", "avi", "webm", "h264"])
def test_flipped_bits_are_a_result_or_a_refusal(
    kind: str, containers: dict[str, Path], tmp_path: Path, out: Path
) -> None:
    whole = containers[kind].read_bytes()
    videos = []
    for seed in range(16):
        videos.append(tmp_path / f"flip_{seed}.{kind}")
        # From a single bit to one in a hundred bytes; half of the seeds spare the header and reach the decoder.
        spared = 0 if seed % 2 else min(2000, len(whole) // 2)
        videos[-1].write_bytes(flip_bits(whole, seed, (1, 10, 100, len(whole) // 100)[seed // 2 % 4], spared))
    each_is_a_result_or_a_refusal(videos, out)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts", "avi", "webm", "h264"])
def test_hundreds_of_flips_and_cuts_are_results_or_refusals(
    kind: str, containers: dict[str, Path], tmp_path: Path, out: Path
) -> None:
    whole = containers[kind].read_bytes()
    videos = []
    for seed in range(150):
        videos.append(tmp_path / f"v{seed}.{kind}")
        videos[-1].write_bytes(flip_bits(whole, 1000 + seed, 1 + seed, 0)[: len(whole) * (seed + 50) // 200])
    each_is_a_result_or_a_refusal(videos, out)


# --- Playlists and scripts -------------------------------------------------------------------------------------------

SCRIPTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{file}\n#EXTINF:10,\n{url}\n#EXT-X-ENDLIST\n",
    "hls_url_first": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{file}'\nfile '{url}'\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" mediaPresentationDuration="PT1S"><Period>'
    '<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{url}</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
    "avisynth": 'AviSource("{file}")\n',
    "asx": '<asx version="3.0"><entry><ref href="{url}"/></entry></asx>',
    "quicktime_reference": "rtsptext\n{url}\n",
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>',
    "lavfi": "movie={file}",
    "address": "{url}",
}


@linux
@pytest.mark.parametrize("kind", SCRIPTS)
def test_a_playlist_disguised_as_a_video_opens_no_other_file_and_no_socket(
    kind: str, face: Path, tmp_path: Path, out: Path
) -> None:
    secret = Path(shutil.copy(face, tmp_path / "secret.mp4"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        video = tmp_path / "video.mp4"
        video.write_text(SCRIPTS[kind].format(file=secret, url=f"http://127.0.0.1:{port}/secret.mp4", port=port))
        watch = Watch(secret)
        visagram("analyze", video, "-o", out).refused("not_a_video")
        assert not watch.opened()
        with pytest.raises(BlockingIOError):
            server.accept()
        secret.read_bytes()
        assert watch.opened(), "the watch itself must work"
        watch.close()


@linux
def test_file_names_are_paths_and_nothing_else(face: Path, tmp_path: Path) -> None:
    """No protocol, no pattern, no device: what FFmpeg would make of these names does not happen."""
    shutil.copy(face, tmp_path / "face.mp4")
    shutil.copy(face, tmp_path / "img1.jpg")
    names = [
        "file:face.mp4",
        "concat:face.mp4|face.mp4",
        "img%d.jpg",
        "pipe:0",
        "data:video/mp4;base64,AAAA",
        "-",
        "http://x/y.mp4",
    ]
    outcome = visagram("analyze", "-o", "out", "--", *names, cwd=tmp_path)
    assert outcome.codes == ["missing_input"] * len(names)
    assert content(tmp_path / "out") == []


# --- Names -----------------------------------------------------------------------------------------------------------

NAMES = (
    "two\nlines.mp4",
    "img%03d.mp4",
    "-dash.mp4",
    "--output.mp4",
    "file:video.mp4",
    "$(touch owned).mp4",
    "映画 👩‍👩‍👧.mp4",
    "\u202egpj.exe.mp4",
    "x" * 200 + ".mp4",
    "=cmd|' -C calc'!A0.mp4",
    "..mp4",
    "...",
    " .mp4",
    "con.mp4",
    "<script>alert(1)</script>".replace("/", "∕") + ".mp4",
    "\x1b]0;owned\x07.mp4",
    b"caf\xe9.mp4",
    "FACE.mp4",
    "face.mov",
)


@linux
def test_hostile_file_names_are_analysed_and_stay_inside_the_output(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "source.mp4", sample_frames(2, 200, 150), options={"preset": "ultrafast"})
    folder = tmp_path / "work"
    folder.mkdir()
    names = [os.fsdecode(name) for name in NAMES]
    for number, name in enumerate(names):
        # Each is another video: an empty box at the end of the file changes nothing but its content.
        (folder / name).write_bytes(source.read_bytes() + struct.pack(">I4sI", 12, b"free", number))
    outcome = visagram("analyze", "-o", "out", "--", *names, cwd=folder)
    assert (outcome.status, outcome.codes) == (0, [])
    assert "\x1b" not in outcome.out + outcome.err and "\u202e" not in outcome.out
    made = sorted(path.name for path in (folder / "out").iterdir())
    assert len(made) == len({name.casefold() for name in made}) == len(names)
    for name in made:
        assert name.isprintable() and not name.startswith((".", " ")) and len(name) <= 110
        assert result(folder / "out" / name)["totals"]["frames"] == 2
    assert sorted(path.name for path in folder.iterdir()) == sorted([*names, "out"]), "nothing else was made"


def test_an_error_about_an_ugly_name_is_still_one_line(tmp_path: Path) -> None:
    outcome = visagram("analyze", "two\nlines\x1b[31m.mp4", os.fsdecode(b"caf\xe9.mp4"), "\u202egpj.mp4", cwd=tmp_path)
    assert outcome.codes == ["missing_input"] * 3
    assert "\x1b" not in outcome.err and "\u202e" not in outcome.err


# --- The disk --------------------------------------------------------------------------------------------------------


@posix
def test_a_read_only_output_folder_is_one_sentence(face: Path, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    visagram("analyze", face, "-o", folder, "-q", prefix=unprivileged()).refused("output_unwritable")
    assert content(folder) == []


def test_a_file_where_the_output_folder_should_be_is_one_sentence(face: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    visagram("analyze", face, "-o", tmp_path / "out", "-q").refused("output_unwritable")
    assert (tmp_path / "out").read_text() == "mine"


def tiny_disk(folder: Path, size: str) -> list[str] | None:
    """A prefix that runs a command with a small disk mounted at `folder`, where this machine lets us; then lists it."""
    script = (
        f'mount -t tmpfs -o size={size} tiny {folder} && {{ "$@"; status=$?; find {folder} -type f >&2 2>/dev/null;'
        f" find {folder} -type f > {folder}.list; exit $status; }}"
    )
    for options in (["-m"], ["-rm"]):
        prefix = ["unshare", *options, "sh", "-c", script, "sh"]
        try:
            if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
                return prefix
        except FileNotFoundError:
            return None
    return None


FULL_DISK = """
import errno, os, sys
def full(handle):
    raise OSError(errno.ENOSPC, "No space left on device")
os.fsync = full
sys.argv = ["visagram", *sys.argv[1:]]
from visagram.cli import main
main()
"""
"""Where nothing may be mounted: the disk is full when the files are flushed to it."""


@linux
@pytest.mark.parametrize("kind", ["json", "csv", "parquet", "npy", "html"])
def test_a_full_disk_is_one_sentence_and_no_partial_file(kind: str, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    prefix = tiny_disk(disk, "4k")
    arguments = ["analyze", SAMPLE, "--end", "2", "-o", disk, "-q", "-f", kind]
    run = [*prefix, *command(*arguments)] if prefix else [sys.executable, "-c", FULL_DISK, *map(str, arguments)]
    done = subprocess.run(run, capture_output=True, text=True, env=environment(), timeout=120, check=False)
    listed = Path(f"{disk}.list").read_text().split() if prefix else content(disk)
    err = "\n".join(line for line in done.stderr.splitlines() if line not in listed)
    Outcome(done.returncode, done.stdout, err).refused("storage_full")
    assert not [name for name in listed if Path(name).name.startswith(".")], "no temporary file stays"
    assert all(Path(name).suffix in (".json", ".jpg", ".npy") for name in listed), "only whole small files may be there"


def test_the_privileges_really_were_dropped() -> None:
    """The tests above would pass for the wrong reason if root could still read what it may not."""
    assert "prctl" in DROP_PRIVILEGES
    if sys.platform == "linux":
        assert unprivileged()


def test_the_sample_itself_is_fine(out: Path) -> None:
    outcome = visagram("analyze", SAMPLE, "-o", out, "--sample-fps", "1")
    assert (outcome.status, outcome.codes) == (0, [])
