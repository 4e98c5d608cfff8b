"""Settings of an analysis, and the only reader of environment variables and `visagram.toml`.

Precedence: an argument, then `VISAGRAM_<NAME>`, then `visagram.toml` in the working folder (or `VISAGRAM_CONFIG`),
then the default. Every field's help text is its documentation; a test holds `docs/settings.md` to it.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from visagram.errors import UsageError


def _setting(default: Any, help: str, *, affects_result: bool = True) -> Any:
    return field(default=default, metadata={"help": help, "affects_result": affects_result})


@dataclass(frozen=True, slots=True)
class Settings:
    """How to analyse a video. Values are checked when the object is made; raises `UsageError`."""

    start: float = _setting(0.0, "Analyse from this time, in seconds.")
    end: float | None = _setting(None, "Analyse up to this time, in seconds (default: the video's end).")
    sample_fps: float | None = _setting(None, "Analyse at most this many frames per second (default: every frame).")
    frame_interval: int = _setting(1, "Analyse every n-th frame.")
    region: tuple[int, int, int, int] | None = _setting(
        None, "Only look for faces inside x,y,w,h, in pixels of the displayed picture."
    )
    min_face: int | None = _setting(
        None, "Smallest face to find, in pixels (default: 40 at 1080p, scaled with the video's height, at least 20)."
    )
    detect_every: int = _setting(
        0, "Run the detector at least every n-th frame; 1 is the reference, 0 chooses from the frame rate."
    )
    detect_size: str = _setting(
        "auto", "Longer side of the detector's input in pixels, 'full', or 'auto' (from the smallest face)."
    )
    seed: int = _setting(0, "Seed of the bootstrap.")
    smooth: float = _setting(
        0.0, "Draw timelines smoothed over this many seconds, up to 10; 0 draws what was measured. No number changes."
    )
    emotion: str = _setting(
        "visagram", "Model that reads apparent expression: visagram, deepface, hf:<name or folder> or onnx:<file>."
    )
    detector: str = _setting("visagram", "Model that finds faces: visagram or deepface-retinaface.")
    refine: bool = _setting(
        False, "Ask the generator of faces, too, which expression it sees: slower, and its card says what it gains."
    )
    processes: int = _setting(
        0, "Worker processes; 0 means one per core. Does not change the result.", affects_result=False
    )
    max_pixels: int = _setting(8192 * 4320, "Refuse videos with more pixels per frame than this.", affects_result=False)
    max_duration: float = _setting(24 * 3600.0, "Refuse videos longer than this, in seconds.", affects_result=False)
    max_streams: int = _setting(64, "Refuse containers with more streams than this.", affects_result=False)
    worker_memory: int = _setting(
        6144,
        "Address space of a worker process in MiB (Linux); a decoder that wants more fails alone.",
        affects_result=False,
    )
    stall_timeout: float = _setting(
        60.0, "Seconds without a sign of life after which a worker is ended.", affects_result=False
    )
    attempts: int = _setting(2, "How often a segment whose worker died is tried.", affects_result=False)
    models: str = _setting(
        "", "Folder for models that are fetched (default: models in the user's data folder).", affects_result=False
    )
    offline: bool = _setting(
        False,
        "Fetch no models: those that did not come with Visagram must be in the models folder.",
        affects_result=False,
    )

    def __post_init__(self) -> None:
        self._require(math.isfinite(self.start) and self.start >= 0, "start", "at least 0")
        self._require(self.end is None or self.start < self.end < math.inf, "end", "later than start")
        self._require(self.sample_fps is None or 0 < self.sample_fps < 1000, "sample_fps", "above 0")
        self._require(1 <= self.frame_interval <= 100_000, "frame_interval", "between 1 and 100,000")
        self._require(self.region is None or _is_region(self.region), "region", "x,y,w,h with w and h above 0")
        self._require(self.min_face is None or 8 <= self.min_face <= 10_000, "min_face", "at least 8 pixels")
        self._require(0 <= self.detect_every <= 100, "detect_every", "between 0 and 100")
        sized = self.detect_size.isdecimal() and 64 <= int(self.detect_size) <= 8192
        self._require(sized or self.detect_size in ("auto", "full"), "detect_size", "auto, full or 64 to 8192 pixels")
        self._require(self.seed >= 0, "seed", "at least 0")
        self._require(0 <= self.smooth <= 10, "smooth", "between 0 and 10 seconds")
        for name in ("emotion", "detector"):
            self._require(bool(getattr(self, name)) and getattr(self, name).isprintable(), name, "the name of a model")
        self._require(self.models.isprintable(), "models", "the name of a folder")
        for name in ("offline", "refine"):
            self._require(isinstance(getattr(self, name), bool), name, "true or false")
        self._require(0 <= self.processes <= 256, "processes", "between 0 and 256")
        for name in ("max_pixels", "max_duration", "max_streams", "worker_memory", "stall_timeout", "attempts"):
            self._require(getattr(self, name) > 0, name, "above 0")

    def _require(self, holds: bool, name: str, wanted: str) -> None:
        _require(self, holds, name, wanted)

    @property
    def models_folder(self) -> Path:
        """Where models lie that are fetched."""
        return Path(self.models).expanduser().absolute() if self.models else _user_data() / "models"

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Values of settings that decide the result, by name, out of a form or JSON; an empty text means the default.

        Raises `UsageError` for a name that is none and for a value of another type.
        """
        known = {f.name for f in dataclasses.fields(cls) if f.metadata["affects_result"]}
        if unknown := sorted(set(given) - known):
            raise UsageError(f"'{unknown[0]}' is not a setting of an analysis; those are {', '.join(sorted(known))}.")
        return {k: _parse(cls, k, v, "The request") for k, v in given.items() if v is not None and v != ""}

    @classmethod
    def load(cls, **overrides: Any) -> Settings:
        """Settings from the file, the environment and the overrides; an override of None means "not given"."""
        return cls(**_collected(cls, overrides))

    def for_report(self) -> dict[str, Any]:
        """The settings on which the result depends, as JSON types."""
        chosen = [f.name for f in dataclasses.fields(self) if f.metadata["affects_result"]]
        values = {name: getattr(self, name) for name in chosen}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the web application runs. In `visagram.toml` they stand under `[server]`. Raises `UsageError`."""

    data: str = _setting("", "Folder for videos, results and the database (default: the user's data folder).")
    host: str = _setting("127.0.0.1", "Address to listen on; any but the loopback asks for an access token.")
    port: int = _setting(5000, "Port to listen on.")
    workers: int = _setting(0, "Worker processes that analyse; 0 means one per core.")
    token: str = _setting("", "Access token (default: made at the start where one is needed, and printed).")
    allowed_hosts: tuple[str, ...] = _setting((), "Further names under which the server may be addressed.")
    trusted_proxies: int = _setting(0, "How many proxies in front are trusted to set X-Forwarded headers.")
    max_upload: int = _setting(20 * 1024, "Largest upload, in MiB.")
    training_data: str = _setting(
        "",
        "Folder of labelled sprite sheets, with which the studio's loop learns and compares; without it none starts.",
    )
    keep_free: int = _setting(512, "Space that stays free on the disk, in MiB; uploads beyond are refused.")
    keep_days: float = _setting(0.0, "Delete videos and their results after this many days; 0 keeps them.")
    undo_seconds: float = _setting(30.0, "For how long a deleted video can be restored before its bytes go.")
    upload_hours: float = _setting(24.0, "Uploads that nobody went on with are dropped after this many hours.")
    lease_seconds: float = _setting(10.0, "After this time without a sign of life a worker's task goes to another.")
    event_streams: int = _setting(32, "Browsers that may listen for events at a time; further ones poll.")
    threads: int = _setting(128, "Requests that are answered at a time, event streams included.")
    uploads_per_minute: int = _setting(120, "Uploads that one address may begin in a minute.")
    requests_per_minute: int = _setting(6000, "Requests that one address may make in a minute.")

    def __post_init__(self) -> None:
        _require(self, 0 <= self.port <= 65535, "port", "between 0 and 65535")
        _require(self, 0 <= self.workers <= 256, "workers", "between 0 and 256")
        _require(self, bool(self.host), "host", "an address")
        _require(self, not self.token or len(self.token) >= 16, "token", "at least 16 characters long")
        _require(self, self.event_streams < self.threads, "event_streams", "below threads")
        for name in ("trusted_proxies", "keep_free", "keep_days", "undo_seconds", "event_streams"):
            _require(self, getattr(self, name) >= 0, name, "at least 0")
        for name in ("max_upload", "upload_hours", "lease_seconds", "uploads_per_minute", "requests_per_minute"):
            _require(self, getattr(self, name) > 0, name, "above 0")

    @classmethod
    def load(cls, **overrides: Any) -> ServerSettings:
        """Settings from the file, the environment and the overrides; an override of None means "not given"."""
        return cls(**_collected(cls, overrides))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def needs_token(self) -> bool:
        """Whether others than this machine's users can reach the server, or whoever runs it chose a token."""
        return not self.is_loopback or self.trusted_proxies > 0 or bool(self.token)

    @property
    def training_folder(self) -> Path | None:
        """Where the data of the loop lie, None where there are none."""
        return Path(self.training_data).expanduser().absolute() if self.training_data else None

    @property
    def folder(self) -> Path:
        """The data folder."""
        if self.data:
            return Path(self.data).expanduser().absolute()
        return _user_data()


def _user_data() -> Path:
    """The user's data folder."""
    import platformdirs

    return Path(platformdirs.user_data_dir("visagram", appauthor=False))


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that were stored as JSON, which has lists where they have tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def parse_region(text: str) -> tuple[int, int, int, int]:
    """'x,y,w,h' to four numbers. Raises `UsageError`."""
    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().removeprefix("-").isdecimal() for part in parts):
        raise UsageError(f"The region {text!r} is not four whole numbers x,y,w,h.")
    x, y, w, h = (int(part) for part in parts)
    return x, y, w, h


def _is_region(region: tuple[int, ...]) -> bool:
    return len(region) == 4 and min(region[:2]) >= 0 and min(region[2:]) > 0


def _require(settings: Any, holds: bool, name: str, wanted: str) -> None:
    if not holds:
        raise UsageError(f"The setting {name} is {getattr(settings, name)!r}; it must be {wanted}.")


def _collected(kind: type[Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in overrides.items() if value is not None}
    return _from_file(kind) | _from_environment(kind, os.environ) | given


def _from_file(kind: type[Any]) -> dict[str, Any]:
    named = os.environ.get("VISAGRAM_CONFIG")
    path = Path(named or "visagram.toml")
    if not named and not path.is_file():
        return {}
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path} cannot be read as TOML: {error}.") from error
    server = values.pop("server", {})
    if not isinstance(server, dict):
        raise UsageError(f"{path}: 'server' must be a table of settings.")
    chosen = server if kind is ServerSettings else values
    return {name: _parse(kind, name, value, str(path)) for name, value in chosen.items()}


def _from_environment(kind: type[Any], environment: Mapping[str, str]) -> dict[str, Any]:
    found = {f.name: environment.get(f"VISAGRAM_{f.name.upper()}") for f in dataclasses.fields(kind)}
    return {name: _parse(kind, name, text, f"VISAGRAM_{name.upper()}") for name, text in found.items() if text}


def _parse(settings: type[Any], name: str, value: Any, source: str) -> Any:
    """A value from a file, the environment or a request in the field's own type."""
    kinds = {f.name: str(f.type) for f in dataclasses.fields(settings)}
    if name not in kinds:
        raise UsageError(f"{source} sets '{name}', which is not a setting; the settings are {', '.join(kinds)}.")
    kind = kinds[name]
    try:
        if kind == "tuple[str, ...]":
            parts = value.split(",") if isinstance(value, str) else map(str, value)
            return tuple(part.strip() for part in parts if part.strip())
        if kind.startswith("tuple"):
            return parse_region(value) if isinstance(value, str) else tuple(_whole(part) for part in value)
        if kind == "bool":
            return _truth(value)
        if kind.startswith("int"):
            return _whole(value)
        if kind.startswith("float"):
            return float(_no_bool(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"{source}: {value!r} is not a value for '{name}'.") from error
    return str(value)


def _whole(value: Any) -> int:
    """`int(value)`, but 1.5 and true are no whole numbers."""
    if isinstance(value, float):
        raise TypeError(f"{value} is not a whole number")
    return int(_no_bool(value))


def _truth(value: Any) -> bool:
    """True and false, and the words for them."""
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if isinstance(value, bool):
        return value
    if str(value).strip().casefold() not in words:
        raise ValueError(f"{value} is neither true nor false")
    return words[str(value).strip().casefold()]


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise TypeError("a number is wanted")
    return value
