"""A folder of generated faces with a manifest that says where each comes from and what was decided about it.

    DIR/manifest.json       the truth: one record a face, with the SHA-256 of its file, and a digest over all records
    DIR/manifest.parquet    the same as a table, for analysis
    DIR/disgust/disgust-7-00003.png

The manifest is replaced as a whole, after the faces that it speaks of are on disk: a kill at any time leaves a folder
that the same command goes on with. What was changed by another hand is refused, because no figure that is made of it
could be trusted.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from visagram import __version__
from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError, FolderInUse
from visagram.evaluate.data import inside
from visagram.files import output_error, replace_file
from visagram.synth.marking import write_png

SCHEMA = "visagram-synthetic-faces/1"
MANIFEST, TABLE = "manifest.json", "manifest.parquet"
FACES = "faces"
"""The folder of them in a pass of the loop."""
ACCEPTED, REJECTED = "accepted", "rejected"
DECISIONS = ("", ACCEPTED, REJECTED)
MOST_BYTES = 256 << 20
NAME = re.compile(r"[a-z]+/[a-z]+-\d{1,19}-\d{5,9}\.png")


@dataclass(frozen=True, slots=True)
class Record:
    """One generated face.

    file: relative to the folder. sha256: of the file. seed: that was asked for; number: the face's place under it.
    image_seed: what the generator drew from. generator_sha256: of its weights, so of what its card describes. scores:
    numbers of the selection. decision: '', 'accepted' or 'rejected', with its reason. review: the same by a person,
    which counts more.
    """

    file: str
    sha256: str
    expression: str
    generator: str
    generator_sha256: str
    seed: int
    number: int
    image_seed: int
    prompt: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    decision: str = ""
    reason: str = ""
    review: str = ""

    @property
    def accepted(self) -> bool:
        """Whether it is to be used: a person's word, else the selection's."""
        return (self.review or self.decision) == ACCEPTED

    def __post_init__(self) -> None:
        wanted = {f.name: str(f.type) for f in dataclasses.fields(self)}
        kinds: dict[str, type | tuple[type, ...]] = {"str": str, "int": int, "Mapping[str, Any]": dict}
        for name, kind in wanted.items():
            value = getattr(self, name)
            if not isinstance(value, kinds[kind]) or isinstance(value, bool):
                raise DataError(f"{name} is {value!r}")
        if self.expression not in EXPRESSIONS:
            raise DataError(f"expression is {self.expression!r}")
        if self.file != file_name(self.expression, self.seed, self.number):
            raise DataError(f"file is {self.file!r}")
        if self.decision not in DECISIONS or self.review not in DECISIONS:
            raise DataError(f"decision is {self.decision!r} and review {self.review!r}")


def file_name(expression: str, seed: int, number: int) -> str:
    """Where a face lies in its folder."""
    return f"{expression}/{expression}-{seed}-{number:05d}.png"


class Collection:
    """The faces of a folder. Make one with `open_collection`."""

    def __init__(self, folder: Path, records: Iterable[Record]) -> None:
        self.folder = folder
        self._records = {record.file: record for record in records}

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        """By expression, seed and number."""
        return iter(sorted(self._records.values(), key=lambda r: (EXPRESSIONS.index(r.expression), r.seed, r.number)))

    def get(self, file: str) -> Record | None:
        return self._records.get(file)

    def add(self, image: NDArray[np.uint8], record: Record, *, composite: bool = False) -> None:
        """Write a face; its record, without `sha256`, is kept until `save`. composite: a real one, edited. Raises
        `OutputError`."""
        path = self.folder / record.file
        content = write_png(image, path, record.generator, record.expression, composite=composite)
        self.put(dataclasses.replace(record, sha256=hashlib.sha256(content).hexdigest()))

    def put(self, record: Record) -> None:
        self._records[record.file] = record

    def picture(self, record: Record) -> NDArray[np.uint8]:
        """(h, w) uint8 luma of a face. Raises `DataError` where its file is not the one that was written."""
        path = self.folder / inside(self.folder, record.file, str(self.folder / MANIFEST))
        try:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != record.sha256:
                raise DataError(f"{path} is not the image that the manifest speaks of: generate it again.")
            with Image.open(path, formats=("PNG",)) as image:
                return np.asarray(image.convert("L"))
        except (OSError, UnidentifiedImageError, ValueError) as error:
            raise DataError(f"{path} cannot be read ({error}).") from error

    def save(self) -> None:
        """Replace the manifest. Raises `OutputError`."""
        rows = [dataclasses.asdict(record) for record in self]
        digest = _digest(rows)
        whole = {
            "schema": SCHEMA,
            "visagram": __version__,
            "digest": digest,
            "marking": "IPTC DigitalSourceType trainedAlgorithmicMedia, in the XMP of every image",
            "faces": rows,
        }
        with replace_file(self.folder / MANIFEST) as partial:
            partial.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", "utf-8")
        self._write_table(rows, digest)

    def _write_table(self, rows: list[dict[str, Any]], digest: str) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        flat = [row | {key: json.dumps(row[key], sort_keys=True) for key in ("parameters", "scores")} for row in rows]
        numbers = ("seed", "number", "image_seed")
        schema = pa.schema(
            [(f.name, pa.int64() if f.name in numbers else pa.string()) for f in dataclasses.fields(Record)],
            metadata={"schema": SCHEMA, "digest": digest},
        )
        with replace_file(self.folder / TABLE) as partial:
            pq.write_table(pa.Table.from_pylist(flat, schema), partial)


def read_collection(folder: Path) -> Collection:
    """The faces of a folder, to look at. Raises `DataError` where there is no manifest or somebody changed it."""
    if not (folder / MANIFEST).is_file():
        raise DataError(f"{folder} holds no {MANIFEST}: give a folder that visagram synth generate has made.")
    return Collection(folder, _read(folder / MANIFEST))


@contextmanager
def open_collection(folder: Path, *, must_exist: bool = False) -> Iterator[Collection]:
    """The faces of a folder, new where there is none, to work on; one process at a time. Saved at the end, also of an
    interrupted piece of work. Raises `DataError`, `FolderInUse`, `OutputError`."""
    if must_exist:
        read_collection(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise FolderInUse(f"Another process works on {folder}: wait until it is done.") from error
    except OSError as error:
        raise output_error(folder, error) from error
    try:
        found = Collection(folder, _read(folder / MANIFEST) if (folder / MANIFEST).is_file() else ())
        try:
            yield found
        finally:
            found.save()
    finally:
        lock.release()


def _read(path: Path) -> list[Record]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it is larger than {MOST_BYTES >> 20} MiB")
        whole = json.loads(path.read_text("utf-8"))
        if whole["schema"] != SCHEMA:
            raise ValueError(f"its schema is {whole['schema']!r} instead of {SCHEMA}")
        if whole["digest"] != _digest(whole["faces"]):
            raise ValueError("its digest does not fit: it was edited")
        return [Record(**row) for row in whole["faces"]]
    except (OSError, ValueError, KeyError, TypeError, DataError, RecursionError) as error:
        raise DataError(
            f"{path} cannot be used ({error}): a person's judgements go in with visagram synth review; generate the "
            "faces again in another folder if the file is lost."
        ) from error


def _digest(rows: list[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(rows, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
