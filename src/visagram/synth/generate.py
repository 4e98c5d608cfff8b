"""Faces of one expression into a folder, as many as are wanted, going on where an earlier call stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from visagram.core.types import Progress
from visagram.errors import Conflict
from visagram.synth.collection import REJECTED, Collection, Record, file_name, open_collection
from visagram.synth.generator import Face, Generator

SAVE_EVERY = 4
"""Faces between two manifests."""
REFUSED = "refused by the generator"


def generate(
    generator: Generator,
    expression: str,
    count: int,
    seed: int,
    folder: Path,
    progress: Progress,
    *,
    guidance: float | None = None,
    steps: int | None = None,
) -> list[Record]:
    """`count` faces of a seed in `folder`; those that are there already stay. Returns their records.

    Raises `Conflict` where the folder holds faces of this seed that were made otherwise, `DataError` where its manifest
    was edited, `OutputError`, and what the generator raises: what was made until then is kept.
    """
    with open_collection(folder) as faces:
        names = [file_name(expression, seed, number) for number in range(count)]
        there = 0
        while there < count and _is_whole(faces, names[there]):
            there += 1
        for record in (faces.get(name) for name in names):
            if record is not None:
                _check_made_alike(record, generator, guidance, steps, folder)
        progress("generate", there, count)
        made = generator.generate(expression, count, seed, first=there, guidance=guidance, steps=steps)
        older = faces.get(names[0])
        for done, face in enumerate(made, 1):
            _check_parameters(older, face, folder)
            faces.add(face.image, record_of(face, expression, seed, generator))
            if done % SAVE_EVERY == 0:
                faces.save()
            progress("generate", there + done, count)
        return [record for record in (faces.get(name) for name in names) if record is not None]


def _is_whole(faces: Collection, name: str) -> bool:
    return faces.get(name) is not None and (faces.folder / name).is_file()


def _check_made_alike(
    record: Record, generator: Generator, guidance: float | None, steps: int | None, folder: Path
) -> None:
    asked = {"guidance": guidance, "steps": steps}
    differing = [name for name, value in asked.items() if value is not None and record.parameters.get(name) != value]
    if record.generator != generator.name or record.generator_sha256 != generator.facts["sha256"]:
        differing.insert(0, "generator")
    _refuse(differing, record, folder)


def _check_parameters(older: Record | None, face: Face, folder: Path) -> None:
    """What was not asked for is the generator's own, which an earlier call may have overridden."""
    if older is not None:
        names = ("guidance", "steps")
        differing = [name for name in names if older.parameters.get(name) != face.parameters.get(name)]
        _refuse(differing, older, folder)


def _refuse(differing: list[str], record: Record, folder: Path) -> None:
    if differing:
        raise Conflict(
            f"{folder} holds faces of seed {record.seed} that were made with another {' and '.join(differing)}: choose "
            "another seed or folder."
        )


class Maker(Protocol):
    """A generator or an editor: who made a face."""

    @property
    def name(self) -> str: ...

    @property
    def facts(self) -> Mapping[str, Any]: ...


def record_of(face: Face, expression: str, seed: int, maker: Maker, **more: Any) -> Record:
    """The record of a face that is still to be written. more: parameters besides the maker's own."""
    return Record(
        file=file_name(expression, seed, face.number),
        sha256="",
        expression=expression,
        generator=maker.name,
        generator_sha256=str(maker.facts["sha256"]),
        seed=seed,
        number=face.number,
        image_seed=face.seed,
        prompt=face.prompt,
        parameters=dict(face.parameters) | more,
        decision=REJECTED if face.refused else "",
        reason=f"{REFUSED}: {face.refused}" if face.refused else "",
    )
