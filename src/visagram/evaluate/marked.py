"""Pictures that say of themselves that they were generated."""

from __future__ import annotations

from pathlib import Path

from visagram.errors import DataError
from visagram.evaluate.data import Labelled

NAMED = 5
"""Pictures that a message names one by one."""
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
COMPOSITE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
TERMS = (b"trainedAlgorithmicMedia", b"compositeWithTrainedAlgorithmicMedia")
"""Terms of the IPTC vocabulary for media that a model made, wholly or in part. XMP lies as plain text in PNG, JPEG,
WebP and TIFF alike, so that the bytes can be searched without reading each format."""
MOST_BYTES = 64 << 20


def is_marked(picture: Path) -> bool:
    """Whether a file carries the mark. A file that cannot be read carries none: whoever decodes it says why."""
    try:
        with picture.open("rb") as stream:
            content = stream.read(MOST_BYTES)
    except OSError:
        return False
    return any(term in content for term in TERMS)


def marked_pictures(data: Labelled) -> tuple[str, ...]:
    """The names of the files among labelled pictures that carry the mark."""
    return tuple(name for name in sorted(set(data.pictures)) if is_marked(data.root / name))


def refuse_marked(data: Labelled) -> None:
    """Raises `DataError` that names generated pictures: what a model is worth is measured on real faces alone."""
    if found := marked_pictures(data):
        more = f" and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
        raise DataError(
            f"{data.name} holds pictures that are marked as generated ({', '.join(found[:NAMED])}{more}): a model is "
            "measured on real faces alone. Leave them out."
        )
