"""Open a local file with FFmpeg so that it can reach nothing else."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from visagram.errors import EmptyInput, MissingInput, NotAFile, NotAVideo, NoVideoStream, TooLarge, UnreadableInput
from visagram.settings import Settings

FORMATS = ",".join(
    (
        "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,h264,hevc,obu,av1,ivf,mxf,gxf,m4v",
        "wtv,nut,rm,dv,vob,yuv4mpegpipe,gif,apng,jpeg_pipe,png_pipe,webp_pipe,bmp_pipe,tiff_pipe,mjpeg,vc1,webp_anim,avif,heif",
        "wav,mp3,flac,aac,amr,ac3,eac3,caf,aiff,au,w64,opus",
    )
)
"""Formats FFmpeg may read: self-contained media. Playlists and scripts (hls, dash, concat, image2 …) are not among
them. Sound formats are, so that a sound file can be told from a text."""


class _Unnamed(io.RawIOBase):
    """A file without its name: FFmpeg guesses formats from names, and expands patterns in them."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int | None:
        return self._file.readinto(buffer)  # type: ignore[arg-type]

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()


def check_path(path: Path) -> None:
    """Raise the `InputError` that says why `path` cannot be opened, without looking into it."""
    try:
        if not path.exists():
            raise MissingInput(f"{path} does not exist: check the path.")
        if not path.is_file():
            raise NotAFile(f"{path} is not a file: give the path of a video.")
        with path.open("rb") as stream:
            if not stream.read(1):
                raise EmptyInput(f"{path} is empty (0 bytes): it may be an interrupted download or recording.")
    except PermissionError as error:
        raise UnreadableInput(f"{path} may not be read by this user: change its permissions.") from error
    except (OSError, ValueError) as error:
        raise UnreadableInput(f"{path!s} cannot be opened ({error}).") from error


@contextmanager
def open_container(path: Path, settings: Settings) -> Iterator[InputContainer]:
    """The container, checked against the limits. Raises `InputError`."""
    check_path(path)
    with _Unnamed(path) as file:
        try:
            container = av.open(
                file,
                mode="r",
                container_options={"protocol_whitelist": "none", "format_whitelist": FORMATS},
                buffer_size=1 << 17,
            )
        except MemoryError as error:
            raise TooLarge(f"{path} claims more than can be held in memory: its header may be damaged.") from error
        except av.error.FFmpegError as error:
            raise NotAVideo(
                f"{path} is not a video that can be read ({_plain(error)}): it may be damaged, cut short or no video."
            ) from error
        except UnicodeDecodeError as error:
            raise NotAVideo(f"{path} is not a video that can be read: its metadata is damaged.") from error
        with container:
            if len(container.streams) > settings.max_streams:
                count = len(container.streams)
                raise TooLarge(f"{path} has {count} streams; the setting max_streams allows {settings.max_streams}.")
            yield container


@contextmanager
def open_video(path: Path, settings: Settings, stream: int) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and the video stream with this number in it. Raises `InputError`."""
    with open_container(path, settings) as container:
        found = next((s for s in container.streams.video if s.index == stream), None)
        if found is None or found.codec_context is None:
            raise NotAVideo(f"{path} has changed: stream {stream} is no video any more.")
        yield container, found


def video_streams(container: InputContainer, path: Path) -> list[VideoStream]:
    """The streams that may be analysed: no cover pictures that are marked as such. Raises `InputError` where there is
    none."""
    # A cover picture inside a sound file is not its video.
    films = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not films:
        raise NoVideoStream(f"{path} holds no video stream (only sound or other data): there are no faces to see.")
    streams = [s for s in films if s.codec_context is not None]
    if not streams:
        raise NotAVideo(
            f"{path} holds a video in a coding that FFmpeg does not know: convert it, to H.264 for example."
        )
    return streams


def check_limits(container: InputContainer, size: tuple[int, int], path: Path, settings: Settings) -> None:
    """Raise `TooLarge` for a picture of this width and height, or a length, beyond the limits."""
    width, height = size
    if width * height > settings.max_pixels:
        raise TooLarge(
            f"{path} claims {width}x{height} pixels; the setting max_pixels allows {settings.max_pixels} a frame."
        )
    # MPEG streams claim nothing: FFmpeg reckons from their first and last timestamps, of which one may be wrong.
    claims = bool(container.duration) and not container.format.name.startswith("mpeg")
    duration = (container.duration or 0) / av.time_base if claims else 0.0
    if duration > settings.max_duration:
        raise TooLarge(
            f"{path} claims to last {duration:.0f} s; the setting max_duration allows {settings.max_duration:.0f} s."
        )


def _plain(error: Exception) -> str:
    """FFmpeg's own words without errno and file name."""
    return str(getattr(error, "strerror", None) or type(error).__name__)
