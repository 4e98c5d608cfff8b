"""One writer per output format, and the folder that holds a result."""

from visagram.export.folder import Place, add, save, save_apart
from visagram.export.formats import ANNOTATED, CHOICES, FORMATS, Writer

__all__ = ["ANNOTATED", "CHOICES", "FORMATS", "Place", "Writer", "add", "save", "save_apart"]
