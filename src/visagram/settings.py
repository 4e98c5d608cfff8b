"""Settings of an analysis, and the only reader of environment variables and `visagram.toml`.

Precedence: an argument, then `VISAGRAM_<NAME>`, then `visagram.toml` in the working folder (or `VISAGRAM_CONFIG`),
then the default. Every field's help text is its documentation; a test holds `docs/settings.md` to it.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import json
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import visagram.values as values
from visagram.errors import UsageError

VARIABLE, CONFIG = "VISAGRAM_", "VISAGRAM_CONFIG"
"""How our environment variables begin, and the one that names the file."""
MOST_SECONDS = 1e9
"""More than thirty years: far beyond any video, and computed with exactly."""
MOST_WHOLE = 2**63 - 1
MOST_MEBIBYTES = 2**30
MOST_PIXELS = 1_000_000
"""Of a region's numbers."""


def _setting(
    default: Any,
    help: str,
    *,
    affects_result: bool = True,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
) -> Any:
    """A setting with its bounds: at least `least` or above `above`, and at most `most`."""
    bounds = {"least": least, "above": above, "most": most}
    return field(default=default, metadata={"help": help, "affects_result": affects_result} | bounds)


@dataclass(frozen=True, slots=True)
class Settings:
    """How to analyse a video. Values are brought to their type and checked when the object is made.

    Numbers of NumPy, lists for tuples and paths for text are taken. Raises `UsageError` for what makes no sense.
    """

    start: float = _setting(0.0, "Analyse from this time, in seconds.", least=0, most=MOST_SECONDS)
    end: float | None = _setting(
        None, "Analyse up to this time, in seconds (default: the video's end).", above=0, most=MOST_SECONDS
    )
    sample_fps: float | None = _setting(
        None, "Analyse at most this many frames per second (default: every frame).", above=0, most=1000
    )
    frame_interval: int = _setting(1, "Analyse every n-th frame.", least=1, most=100_000)
    stream: int | None = _setting(
        None,
        "Analyse the video stream with this number in the file (default: the one that players choose).",
        least=0,
        most=100_000,
    )
    region: tuple[int, int, int, int] | None = _setting(
        None, "Only look for faces inside x,y,w,h, in pixels of the displayed picture."
    )
    min_face: int | None = _setting(
        None,
        "Smallest face to find, in pixels (default: 40 at 1080p, scaled with the video's height, at least 20).",
        least=8,
        most=10_000,
    )
    detect_every: int = _setting(
        0,
        "Run the detector at least every n-th frame; 0 chooses from the frame rate; 1 is the reference, in which the "
        "whole expression model is asked about every face, too.",
        least=0,
        most=100,
    )
    detect_size: str = _setting(
        "auto", "Longer side of the detector's input in pixels, 'full', or 'auto' (from the smallest face)."
    )
    seed: int = _setting(0, "Seed of the bootstrap.", least=0, most=MOST_WHOLE)
    smooth: float = _setting(
        0.0,
        "Draw timelines smoothed over this many seconds, up to 10; 0 draws what was measured. No number changes.",
        least=0,
        most=10,
    )
    emotion: str = _setting(
        "visagram",
        "Model that reads apparent expression: visagram, visagram-fast, deepface, hf:<name or folder> or onnx:<file>.",
    )
    detector: str = _setting("visagram", "Model that finds faces: visagram or deepface-retinaface.")
    prior: str = _setting(
        "everyday",
        "How frequent expressions are thought to be before a face is seen: everyday, even, or a JSON file with a share "
        "for each (or the seven as angry=0.1,disgust=0.1,...).",
    )
    refine: bool = _setting(
        False, "Ask the generator of faces, too, which expression it sees: slower, and its card says what it gains."
    )
    processes: int = _setting(
        0,
        "Worker processes; 0 means one per core. Does not change the result.",
        affects_result=False,
        least=0,
        most=256,
    )
    max_pixels: int = _setting(
        8192 * 4320,
        "Refuse videos with more pixels per frame than this.",
        affects_result=False,
        least=1,
        most=MOST_WHOLE,
    )
    max_duration: float = _setting(
        24 * 3600.0, "Refuse videos longer than this, in seconds.", affects_result=False, above=0, most=MOST_SECONDS
    )
    max_streams: int = _setting(
        64, "Refuse containers with more streams than this.", affects_result=False, least=1, most=MOST_WHOLE
    )
    worker_memory: int = _setting(
        6144,
        "Address space of a worker process in MiB (Linux); a decoder that wants more fails alone.",
        affects_result=False,
        least=1,
        most=MOST_MEBIBYTES,
    )
    stall_timeout: float = _setting(
        60.0,
        "Seconds without a sign of life after which a worker is ended.",
        affects_result=False,
        above=0,
        most=MOST_SECONDS,
    )
    attempts: int = _setting(
        2, "How often a segment whose worker died is tried.", affects_result=False, least=1, most=1000
    )
    models: str = _setting(
        "", "Folder for models that are fetched (default: models in the user's data folder).", affects_result=False
    )
    offline: bool = _setting(
        False,
        "Fetch no models: those that did not come with Visagram must be in the models folder.",
        affects_result=False,
    )

    def __post_init__(self) -> None:
        _adopt(self)
        _require(self, self.end is None or self.start < self.end, "end", "later than start")
        _require(self, self.region is None or _is_region(self.region), "region", "x,y,w,h with w and h above 0")
        sized = self.detect_size.isdecimal() and 64 <= int(self.detect_size[:9]) <= 8192
        _require(self, sized or self.detect_size in ("auto", "full"), "detect_size", "auto, full or 64 to 8192 pixels")
        if self.prior != "everyday":
            object.__setattr__(self, "prior", _prior(self.prior))
        for name in ("emotion", "detector"):
            _require(self, bool(getattr(self, name)) and getattr(self, name).isprintable(), name, "the name of a model")
        _require(self, self.models.isprintable(), "models", "the name of a folder")

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
        """Settings from the file, the environment and the overrides; an override of None means "not given". A prior
        may be a file here, whose shares are read."""
        collected = _collected(cls, overrides)
        if "prior" in collected:
            collected["prior"] = _shares_of_file(str(collected["prior"]))
        return cls(**collected)

    def for_report(self) -> dict[str, Any]:
        """The settings on which the result depends, as JSON types."""
        chosen = [f.name for f in dataclasses.fields(self) if f.metadata["affects_result"]]
        values = {name: getattr(self, name) for name in chosen}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the web application runs. In `visagram.toml` they stand under `[server]`.

    Values are brought to their type and checked as those of `Settings` are. Raises `UsageError`.
    """

    data: str = _setting("", "Folder for videos, results and the database (default: the user's data folder).")
    host: str = _setting("127.0.0.1", "Address to listen on; any but the loopback asks for an access token.")
    port: int = _setting(5000, "Port to listen on.", least=0, most=65535)
    workers: int = _setting(0, "Worker processes that analyse; 0 means one per core.", least=0, most=256)
    token: str = _setting("", "Access token (default: made at the start where one is needed, and printed).")
    allowed_hosts: tuple[str, ...] = _setting((), "Further names under which the server may be addressed.")
    trusted_proxies: int = _setting(
        0, "How many proxies in front are trusted to set X-Forwarded headers.", least=0, most=100
    )
    max_upload: int = _setting(20 * 1024, "Largest upload, in MiB.", least=1, most=MOST_MEBIBYTES)
    training_data: str = _setting(
        "",
        "Folder of labelled sprite sheets, with which the studio's loop learns and compares; without it none starts.",
    )
    keep_free: int = _setting(
        512, "Space that stays free on the disk, in MiB; uploads beyond are refused.", least=0, most=MOST_MEBIBYTES
    )
    keep_days: float = _setting(
        0.0, "Delete videos and their results after this many days; 0 keeps them.", least=0, most=1_000_000
    )
    undo_seconds: float = _setting(
        30.0, "For how long a deleted video can be restored before its bytes go.", least=0, most=MOST_SECONDS
    )
    upload_hours: float = _setting(
        24.0, "Uploads that nobody went on with are dropped after this many hours.", above=0, most=1_000_000
    )
    lease_seconds: float = _setting(
        10.0, "After this time without a sign of life a worker's task goes to another.", above=0, most=1_000_000
    )
    event_streams: int = _setting(
        32, "Browsers that may listen for events at a time; further ones poll.", least=0, most=10_000
    )
    threads: int = _setting(128, "Requests that are answered at a time, event streams included.", least=1, most=10_000)
    uploads_per_minute: int = _setting(
        120, "Uploads that one address may begin in a minute.", least=1, most=1_000_000_000
    )
    requests_per_minute: int = _setting(
        6000, "Requests that one address may make in a minute.", least=1, most=1_000_000_000
    )

    def __post_init__(self) -> None:
        _adopt(self)
        _require(self, bool(self.host) and self.host.isprintable(), "host", "an address")
        _require(self, self.token == "" or len(self.token) >= 16, "token", "at least 16 characters long")
        _require(self, self.event_streams < self.threads, "event_streams", "below threads")
        for name in ("data", "training_data"):
            _require(self, "\0" not in getattr(self, name), name, "the name of a folder")

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


def _prior(text: str) -> str:
    # Imported here, as below: it needs NumPy, and settings are read before anything is computed.
    from visagram.core.prior import canonical

    try:
        return canonical(text)
    except ValueError as error:
        raise _refusal("prior", text, f"everyday, even or seven shares ({error})") from error


def _shares_of_file(named: str) -> str:
    """What a file says of the prior; anything but the name of a file as it is. Raises `UsageError`."""
    path = Path(named)
    if named in ("everyday", "even") or "=" in named or not path.is_file():
        return named
    from visagram.core.prior import of_shares

    try:
        found = json.loads(path.read_text("utf-8"))
        return of_shares(found if isinstance(found, dict) else {})
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"The prior in {path} cannot be used: {error}.") from error


def _user_data() -> Path:
    """The user's data folder."""
    import platformdirs

    return Path(platformdirs.user_data_dir("visagram", appauthor=False))


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def parse_region(text: str) -> tuple[int, int, int, int]:
    """'x,y,w,h' to four numbers. Raises `UsageError`."""
    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().removeprefix("-").isdecimal() for part in parts):
        raise UsageError(f"The region {text!r} is not four whole numbers x,y,w,h.")
    x, y, w, h = (int(part) for part in parts)
    return x, y, w, h


def _is_region(region: tuple[int, ...]) -> bool:
    return min(region) >= 0 and min(region[2:]) > 0 and max(region) <= MOST_PIXELS


def _require(settings: Any, holds: bool, name: str, wanted: str) -> None:
    if not holds:
        raise _refusal(name, getattr(settings, name), wanted)


def _refusal(name: str, value: Any, wanted: str) -> UsageError:
    shown = repr(value)
    shown = shown if len(shown) <= 200 else f"{shown[:200]} ..."
    return UsageError(f"The setting {name} is {shown}; it must be {wanted}.")


def _adopt(settings: Any) -> None:
    """Bring every value of frozen settings to its field's type, and hold it to the field's bounds."""
    for each in dataclasses.fields(settings):
        value = getattr(settings, each.name)
        if value is None and str(each.type).endswith("| None"):
            continue
        try:
            own = _converted(each, value)
        except (TypeError, ValueError, OverflowError) as error:
            raise _refusal(each.name, value, _wanted(each)) from error
        object.__setattr__(settings, each.name, own)
        _require(settings, _is_within(own, each.metadata), each.name, _wanted(each))


def _converted(each: dataclasses.Field[Any], value: Any) -> Any:
    """The value in its field's own type. Raises `TypeError`, `ValueError` or `OverflowError`."""
    if each.name == "detect_size" and not isinstance(value, str):
        return str(values.whole(value))
    return _CONVERTERS[_kind(each)](value)


def _kind(each: dataclasses.Field[Any]) -> str:
    return str(each.type).removesuffix(" | None")


def _four(value: Any) -> tuple[int, ...]:
    numbers = tuple(values.whole(part) for part in values.many(value))
    if len(numbers) != 4:
        raise ValueError("four numbers are wanted")
    return numbers


def _names(value: Any) -> tuple[str, ...]:
    return tuple(values.text(part) for part in values.many(value))


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "int": values.whole,
    "float": values.real,
    "bool": values.truth,
    "str": values.text,
    "tuple[int, int, int, int]": _four,
    "tuple[str, ...]": _names,
}
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "tuple[int, int, int, int]": "x,y,w,h, four whole numbers",
    "tuple[str, ...]": "a list of texts",
}


def _is_within(value: Any, bounds: Mapping[str, Any]) -> bool:
    least, above, most = bounds["least"], bounds["above"], bounds["most"]
    return (least is None or value >= least) and (above is None or value > above) and (most is None or value <= most)


def _wanted(each: dataclasses.Field[Any]) -> str:
    """What a field takes, in words."""
    least, above, most = (each.metadata[name] for name in ("least", "above", "most"))
    parts = [f"at least {least:,}"] if least is not None else [f"above {above:,}"] if above is not None else []
    parts += [f"at most {int(most):,}"] if most is not None else []
    return " ".join([_KINDS[_kind(each)], " and ".join(parts)]).strip()


def _collected(kind: type[Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in overrides.items() if value is not None}
    return _from_file(kind) | _from_environment(kind, os.environ) | given


def _from_file(kind: type[Any]) -> dict[str, Any]:
    named = os.environ.get(CONFIG)
    path = Path(named or "visagram.toml")
    if not named and not path.is_file():
        return {}
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path} cannot be read as TOML: {error}.") from error
    server = found.pop("server", {})
    if not isinstance(server, dict):
        raise UsageError(f"{path}: 'server' must be a table of settings.")
    chosen = server if kind is ServerSettings else found
    return {name: _parse(kind, name, value, str(path)) for name, value in chosen.items()}


def _from_environment(kind: type[Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """What variables set; an empty one counts as not set. Raises `UsageError` for one of ours that means nothing."""
    known = {
        f"{VARIABLE}{f.name.upper()}": kind for kind in (Settings, ServerSettings) for f in dataclasses.fields(kind)
    }
    for name, value in sorted(environment.items()):
        if value and name.startswith(VARIABLE) and name != CONFIG and name not in known:
            near = difflib.get_close_matches(name.upper(), [*known, CONFIG], 1, 0.0)
            raise UsageError(f"The variable {name} is not a setting: did you mean {near[0]}? Otherwise unset it.")
    chosen = {f.name: f"{VARIABLE}{f.name.upper()}" for f in dataclasses.fields(kind)}
    return {
        name: _parse(kind, name, environment[variable], variable)
        for name, variable in chosen.items()
        if environment.get(variable)
    }


def _parse(settings: type[Any], name: str, value: Any, source: str) -> Any:
    """A value from a file, the environment or a request in the field's own type; texts are read as such a value."""
    known = {each.name: each for each in dataclasses.fields(settings)}
    if name not in known:
        raise UsageError(f"{source} sets '{name}', which is not a setting; the settings are {', '.join(known)}.")
    kind = _kind(known[name])
    read = isinstance(value, str) or (kind == "bool" and isinstance(value, int))
    try:
        return _converted(known[name], _read(str(value), kind) if read else value)
    except (TypeError, ValueError, LookupError, OverflowError) as error:
        raise UsageError(f"{source}: {value!r} is not a value for '{name}'.") from error


def _read(text: str, kind: str) -> Any:
    """What a text says of a value of that kind."""
    if kind == "tuple[str, ...]":
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind.startswith("tuple"):
        return parse_region(text)
    if kind == "bool":
        return _WORDS[text.strip().casefold()]
    return {"int": int, "float": float}.get(kind, str)(text)


_WORDS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
