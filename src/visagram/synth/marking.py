"""Generated images say that they are: as XMP, as PNG text, and to people who look at the file's properties.

`Iptc4xmpExt:DigitalSourceType` with the term `trainedAlgorithmicMedia` is what platforms look for (IPTC Photo Metadata
Standard 2025.1); the AI Act, Art. 50(2), asks for a marking that machines can read.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from visagram import __version__
from visagram.evaluate.marked import COMPOSITE_TYPE, SOURCE_TYPE
from visagram.files import replace_file

XMP = "XML:com.adobe.xmp"
"""The keyword of XMP in PNG text (XMP specification, part 3)."""
EDITED = "A photograph of a person whose expression was changed by a model, with that person's consent."
NOTICE = "AI-generated image of a person who does not exist, made by Visagram to train and test software."


def write_png(
    image: NDArray[np.uint8], path: Path, generator: str, expression: str, *, composite: bool = False
) -> bytes:
    """Write (h, w) grey or (h, w, 3) RGB as a marked PNG; returns what was written. composite: a photograph that a
    model edited. Raises `OutputError`."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", pnginfo=_marks(generator, expression, composite))
    content = stream.getvalue()
    with replace_file(path) as partial:
        partial.write_bytes(content)
    return content


class MarkedImage(Image.Image):
    """An image that writes its marks wherever it is saved as PNG, JPEG or WebP. What is made of it (resized, converted)
    is a plain image again."""

    marks: PngInfo
    xmp: str

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:
        super().save(fp, format, **{"pnginfo": self.marks, "xmp": self.xmp.encode()} | params)


def marked(image: NDArray[np.uint8], generator: str, expression: str) -> MarkedImage:
    """(h, w) grey or (h, w, 3) RGB as an image of Pillow."""
    found = Image.fromarray(image)
    # Pillow has no way to make an image of a class of one's own.
    found.__class__ = MarkedImage
    assert isinstance(found, MarkedImage)
    found.marks, found.xmp = _marks(generator, expression, False), _xmp(generator, expression, False)
    return found


def _marks(generator: str, expression: str, composite: bool) -> PngInfo:
    """The text chunks of a generated image."""
    info = PngInfo()
    info.add_itxt(XMP, _xmp(generator, expression, composite))
    info.add_text("Software", f"Visagram {__version__}")
    info.add_itxt("Source", generator)
    info.add_text("Comment", EDITED if composite else NOTICE)
    return info


def _xmp(generator: str, expression: str, composite: bool) -> str:
    title = f"{'Edited' if composite else 'Generated'} face, apparent expression {expression}"
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about=""'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        ' xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        f" Iptc4xmpExt:DigitalSourceType={quoteattr(COMPOSITE_TYPE if composite else SOURCE_TYPE)}"
        f" Iptc4xmpExt:AISystemUsed={quoteattr(generator)}"
        f" photoshop:Headline={quoteattr(title)}"
        f" photoshop:Instructions={quoteattr(EDITED if composite else NOTICE)}"
        f' xmp:CreatorTool="Visagram {__version__}"/>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    )
