"""The one place that fetches weights: a temporary file, its SHA-256, and a rename when it is whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any

from filelock import FileLock

from visagram import __version__
from visagram.errors import ModelError
from visagram.files import replace_file
from visagram.models.card import file_hash

TIMEOUT = 30.0
"""Seconds without an answer after which the next address is tried."""
CHUNK = 1 << 20
LOOPBACK = ("127.0.0.1", "::1", "localhost")

Watch = Callable[[int, int], None]
"""`watch(received, total)` in bytes; total is 0 where the server does not say."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file on the network. addresses: tried in order. sha256: None where the publisher states none. most: bytes."""

    addresses: tuple[str, ...]
    sha256: str | None
    most: int


def nobody(_received: int, _total: int) -> None:
    """Nobody watches."""


def fetch(source: Source, target: Path, *, offline: bool, watch: Watch = nobody) -> Path:
    """`target`, fetched if it is not there. Raises `ModelError` that says which file to put where."""
    if target.is_file():
        return target
    by_hand = f"download {source.addresses[0]} and put it there as {target}"
    if offline:
        raise ModelError(
            f"{target.name} is not in {target.parent} and the setting offline forbids to fetch it: {by_hand}."
        )
    with _alone(target):
        problems = []
        for address in () if target.is_file() else source.addresses:
            try:
                _download(address, source, target, watch)
                return target
            except (OSError, HTTPException, ValueError) as error:
                problems.append(f"{urllib.parse.urlsplit(address).netloc}: {_reason(error)}")
    if problems:
        raise ModelError(f"{target.name} could not be fetched ({'; '.join(problems)}): {by_hand}.")
    return target


def remembered_hash(file: Path) -> str:
    """SHA-256 of a file whose publisher states none: that of the first look, kept beside it. Empty if there is no file.

    A folder that cannot be written remembers nothing.
    """
    if not file.is_file():
        return ""
    note = file.with_name(f"{file.name}.sha256")
    with contextlib.suppress(OSError, UnicodeDecodeError):
        known = note.read_text("ascii").strip()
        if len(known) == 64:
            return known
    found = file_hash(file)
    with contextlib.suppress(OSError):
        note.write_text(f"{found}\n", "ascii")
    return found


def fetch_snapshot(
    name: str,
    target: Path,
    wanted: Callable[[str], bool],
    *,
    offline: bool,
    needed: Sequence[str] = (),
    files: str = "config.json, preprocessor_config.json and model.safetensors",
    hub: str = "https://huggingface.co",
    most: int = 4 << 30,
    watch: Watch = nobody,
) -> Path:
    """The folder `target` with the `wanted` files of a model on a hub, all of one commit, or nothing. needed: those
    without which it is refused. files: what to download by hand, for a message.

    Raises `ModelError` where the hub cannot be reached, does not know the model, or sends something else.
    """
    if target.is_dir():
        return target
    by_hand = f"download {files} of {hub}/{name} into {target}"
    if offline:
        raise ModelError(f"{name} is not in {target.parent} and the setting offline forbids to fetch it: {by_hand}.")
    with _alone(target):
        if target.is_dir():
            return target
        try:
            commit, listed = _listing(f"{hub}/api/models/{urllib.parse.quote(name)}?blobs=true", wanted)
        except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"The model {name} could not be fetched ({_reason(error)}): {by_hand}.") from error
        if not any(file.endswith(".safetensors") for file in listed):
            raise ModelError(f"The model {name} has no safetensors file: only ONNX and safetensors are ever loaded.")
        if lacking := [file for file in needed if file not in listed]:
            raise ModelError(
                f"The model {name} has no {', '.join(lacking)} on the hub, without which it cannot be used."
            )
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target.parent) as place:
            for file, sha256 in listed.items():
                address = f"{hub}/{urllib.parse.quote(name)}/resolve/{commit}/{urllib.parse.quote(file)}"
                try:
                    fetch(Source((address,), sha256, most), Path(place) / "model" / file, offline=False, watch=watch)
                except ModelError as error:
                    # What it says to put there by hand is a folder that will be gone.
                    reason = str(error).rpartition(": download ")[0] or str(error)
                    raise ModelError(f"The model {name} could not be fetched ({reason}): {by_hand}.") from error
            for locks in (Path(place) / "model").rglob(".locks"):
                shutil.rmtree(locks, ignore_errors=True)
            (Path(place) / "model").rename(target)
    return target


def _listing(address: str, wanted: Callable[[str], bool]) -> tuple[str, dict[str, str | None]]:
    """The commit of a model on a hub, and its wanted files with the SHA-256 of the large ones."""
    with _open(address) as answer:
        facts: dict[str, Any] = json.loads(answer.read(16 << 20))
    names = [str(file["rfilename"]) for file in facts["siblings"]]
    found = {
        name: (file.get("lfs") or {}).get("sha256")
        for name, file in zip(names, facts["siblings"], strict=True)
        if wanted(name) and _is_plain(name)
    }
    return str(facts["sha"]), found


def _is_plain(name: str) -> bool:
    """Whether a name from elsewhere is of a file in the model's folder or in a folder of that."""
    parts = name.split("/")
    return len(parts) <= 2 and all(re.fullmatch(r"[A-Za-z0-9_][\w.-]*", part) for part in parts)


def _download(address: str, source: Source, target: Path, watch: Watch) -> None:
    with _open(address) as answer, replace_file(target) as partial, partial.open("wb") as file:
        total = int(answer.headers.get("Content-Length") or 0)  # type: ignore[attr-defined]
        digest, received = hashlib.sha256(), 0
        while chunk := _read(answer):
            received += len(chunk)
            if max(received, total) > source.most:
                raise ValueError(f"more than {source.most >> 20} MiB")
            digest.update(chunk)
            file.write(chunk)
            watch(received, total)
        if total and received != total:
            raise ValueError(f"{received} of {total} bytes arrived")
        if source.sha256 is not None and digest.hexdigest() != source.sha256:
            raise ValueError("another SHA-256 than its publisher states")
        file.flush()
        check_kind(partial)


def _read(answer: IO[bytes]) -> bytes:
    """What comes next. A connection that breaks is no trouble with the disk, which `OSError` would mean."""
    try:
        return answer.read(CHUNK)
    except OSError as error:
        raise ValueError(f"the connection broke ({error})") from error


def check_kind(file: Path) -> None:
    """Raise `ValueError` for what is neither ONNX, safetensors, JSON nor a tokenizer's text, such as a page of
    apologies or a pickle."""
    with file.open("rb") as stream:
        start = stream.read(9)
    # An ONNX file begins with its format's version, a safetensors file with the length of its JSON header.
    kinds: dict[str, Sequence[bool]] = {
        ".onnx": (start[:1] == b"\x08",),
        ".safetensors": (start[8:9] == b"{",),
        ".json": (start.lstrip()[:1] in (b"{", b"["),),
        ".txt": (b"\0" not in start, start.lstrip()[:1] != b"<"),
    }
    if not all(kinds.get(file.suffix, (False,))):
        raise ValueError(f"what arrived is no {file.suffix.removeprefix('.') or 'model'} file")


def _open(address: str) -> contextlib.closing[IO[bytes]]:
    """Only https, or http to this machine; redirections are held to the same."""
    opener = urllib.request.OpenerDirector()
    handlers = (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        _SafeRedirects(),
    )
    for handler in handlers:
        opener.add_handler(handler)
    _check_address(address)
    request = urllib.request.Request(address, headers={"User-Agent": f"visagram/{__version__}"})
    return contextlib.closing(opener.open(request, timeout=TIMEOUT))


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        _check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_address(address: str) -> None:
    parts = urllib.parse.urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError(f"{parts.scheme}://{parts.netloc} is not a safe address")


@contextlib.contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Two processes do not fetch the same file at a time."""
    try:
        locks = target.parent / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        with FileLock(locks / f"{target.name}.lock"):
            yield
    except OSError as error:
        reason = error.strerror or error
        raise ModelError(
            f"{target.parent} cannot be written ({reason}): choose another folder in the setting models."
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code}"
    if isinstance(error, urllib.error.URLError):
        return f"no connection ({error.reason})"
    return " ".join(str(error).split())[:200] or type(error).__name__
