"""A folder with one folder per expression, perhaps below folders of splits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from visagram.core.labels import expression_of, mapped
from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError, UsageError
from visagram.evaluate.data import Labelled

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
CLUTTER = ("thumbs.db", "desktop.ini")
"""What file managers leave behind, next to names that begin with a dot."""
SPLITS = ("train", "training", "val", "valid", "validation", "test", "testing", "publictest", "privatetest")


def splits(path: Path) -> list[str]:
    """The names of the folders of splits, [''] where the class folders lie in `path` itself."""
    names = [folder.name for folder in _folders(path)]
    found = [name for name in names if name.casefold() in SPLITS]
    return found if found and len(found) == len(names) else [""]


def read(path: Path, split: str, group: str | None, skip: Sequence[str]) -> Labelled:
    """Raises `DataError` for folders that are no classes, empty ones, links, and files that are no pictures."""
    if group is not None:
        raise UsageError(f"{path} is a folder of class folders, which has no column '{group}': groups need a table.")
    root = path / split
    folders = _folders(root)
    if not folders:
        raise DataError(f"{root} holds no class folders: each expression's pictures lie in a folder of its name.")
    mapping = mapped([folder.name for folder in folders], str(root), skip)
    pictures: list[str] = []
    labels: list[int] = []
    skipped: dict[str, int] = {}
    for folder in folders:
        names = _pictures(folder)
        if folder.name not in mapping:
            skipped[folder.name] = len(names)
            continue
        if not names:
            raise DataError(f"{folder} holds no pictures: fill it, or remove it.")
        pictures += [f"{folder.name}/{name}" for name in names]
        labels += [EXPRESSIONS.index(mapping[folder.name])] * len(names)
    if not pictures:
        raise DataError(f"{root} holds no pictures besides those left out.")
    name = f"{path.resolve().name}, {split}" if split else path.resolve().name
    return Labelled(
        name, "folders", split, root, tuple(pictures), np.array(labels, np.int64), mapping=mapping, skipped=skipped
    )


def _folders(path: Path) -> list[Path]:
    """The folders in a folder, by name. Raises `DataError` for links and for files beside them."""
    found = []
    for entry in _entries(path):
        if entry.is_symlink():
            raise DataError(f"{entry} is a symbolic link: give a folder that holds the pictures themselves.")
        if entry.is_dir():
            found.append(entry)
        elif entry.suffix.lower() in ENDINGS:
            hint = f"is '{path.name}' a class folder itself?" if expression_of(path.name) else "labels are missing."
            raise DataError(f"{entry} lies beside the class folders and not in one: {hint}")
    return found


def _pictures(folder: Path) -> list[str]:
    found = []
    for entry in _entries(folder):
        if entry.is_symlink():
            raise DataError(f"{entry} is a symbolic link: copy the picture itself.")
        if not entry.is_file():
            raise DataError(f"{entry} lies in a class folder and is not a file: class folders hold pictures alone.")
        if entry.suffix.lower() not in ENDINGS:
            raise DataError(f"{entry} is not a picture ({', '.join(ENDINGS)}): remove it.")
        found.append(entry.name)
    return found


def _entries(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror}).") from error
    return [entry for entry in entries if not entry.name.startswith(".") and entry.name.casefold() not in CLUTTER]
