"""The library: find, label, play and delete videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from apiflask import APIBlueprint
from flask import Response

from visagram.errors import Conflict, NotFound
from visagram.jobs.model import Blob
from visagram.jobs.service import Service
from visagram.jobs.uploads import Wanted
from visagram.web import shapes
from visagram.web.api.answers import A_DAY, answer, file, page
from visagram.web.api.docs import BYTES, also, part
from visagram.web.api.names import file_name, safe_name
from visagram.web.api.schemas import (
    DeletedOut,
    DeleteQuery,
    DownloadQuery,
    VideoChange,
    VideoOut,
    VideoPage,
    VideoQuery,
)
from visagram.web.security import who

SAMPLE = Path(__file__).parents[2] / "data" / "sample.mp4"
PLAYED_AS = {
    "mov": "video/mp4",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "matroska": "video/x-matroska",
    "ogg": "video/ogg",
    "avi": "video/x-msvideo",
    "mpegts": "video/mp2t",
    "gif": "image/gif",
}
"""Media type by the name of a container; whatever else was uploaded is bytes to a browser."""
_BROWSER_CODECS = ("vp8", "vp9", "av1")


def videos_routes(service: Service) -> APIBlueprint:
    """Routes below /videos, but for uploads and windows."""
    api = APIBlueprint("videos", __name__, tag="Videos", url_prefix="/videos")

    @api.get("")
    @api.input(VideoQuery, location="query", arg_name="query")
    @api.output(VideoPage, description="A page of the library.")
    def list_videos(query: dict[str, Any]) -> Response:
        """List videos, newest first"""
        with service.store.read() as session:
            found, total = service.videos.find(session, who(), **query)
            items = [shapes.video(session, service.storage, video) for video in found]
        return answer(page(items, total, query["limit"], query["offset"]))

    @api.post("/sample")
    @api.output(VideoOut, 201, description="The sample as an entry of the library; it is being analysed.")
    @api.doc(responses=[507])
    def add_sample() -> Response:
        """Add the sample clip that comes with Visagram"""
        id = service.uploads.begin(who(), SAMPLE.name, SAMPLE.stat().st_size, Wanted({}))
        with SAMPLE.open("rb") as stream:
            service.uploads.append(who(), id, 0, stream)
        video, _ = service.uploads.finish(who(), id)
        return answer(_shown(service, video), 201)

    @api.get("/<id>")
    @api.output(VideoOut, description="The video.")
    def show_video(id: str) -> Response:
        """Show a video"""
        return answer(_shown(service, id))

    @api.patch("/<id>")
    @api.input(VideoChange, arg_name="change", example={"participant": "P01", "condition": "stress", "tags": ["pilot"]})
    @api.output(VideoOut, description="The video as it is now.")
    def change_video(id: str, change: dict[str, Any]) -> Response:
        """Change a video's name or labels"""
        if change:
            service.videos.change(who(), id, change)
        return answer(_shown(service, id))

    @api.delete("/<id>")
    @api.input(DeleteQuery, location="query", arg_name="query")
    @api.output(DeletedOut, description="Until when it can be restored, or the bytes freed.")
    def delete_video(id: str, query: dict[str, Any]) -> Response:
        """Delete a video with its analyses

        Its bytes go when the time to undo is over and no other entry has the same ones; with `now=1` at once.
        """
        service.videos.delete(who(), id, at_once=query["now"])
        if query["now"]:
            return answer({"bytes_freed": service.videos.tidy()})
        return answer({"undo_seconds": service.server.undo_seconds, "restore_url": f"{shapes.API}/videos/{id}/restore"})

    @api.post("/<id>/restore")
    @api.output(VideoOut, description="The video is back.")
    def restore_video(id: str) -> Response:
        """Restore a deleted video"""
        service.videos.restore(who(), id)
        return answer(_shown(service, id))

    @api.get("/<id>/content")
    @api.input(DownloadQuery, location="query", arg_name="query")
    @api.output(BYTES, content_type="*/*", description="The bytes as they were uploaded.")
    @api.doc(responses=also({206: part("*/*")}))
    def video_content(id: str, query: dict[str, Any]) -> Response:
        """The original video; takes ranges"""
        name, blob = _blob(service, id)
        return file(
            service.storage.blob(blob.sha256),
            media_type(blob.facts),
            blob.sha256,
            safe_name(name),
            save=query["download"],
        )

    @api.get("/<id>/playback")
    @api.output(BYTES, content_type="video/mp4", description="What a browser plays.")
    @api.doc(responses=also({206: part("video/mp4"), 409: "There is nothing to play yet."}))
    def video_playback(id: str) -> Response:
        """The video as browsers play it; takes ranges

        The original, or the proxy that was made of it; its times are those of the original.
        """
        name, blob = _blob(service, id)
        if blob.playback == "":
            original = service.storage.blob(blob.sha256)
            return file(original, media_type(blob.facts), blob.sha256, safe_name(name), save=False)
        proxy = service.storage.media(blob.sha256) / "proxy.mp4"
        if not proxy.is_file():
            raise Conflict("There is no version of this video yet that browsers play.")
        return file(proxy, "video/mp4", f"{blob.sha256}-proxy", file_name(name, "proxy.mp4"), save=False)

    @api.get("/<id>/poster")
    @api.output(BYTES, content_type="image/jpeg", description="A picture of the video.")
    def video_poster(id: str) -> Response:
        """A picture of the video"""
        _, blob = _blob(service, id)
        return _media(service.storage.media(blob.sha256) / "poster.jpg", f"{blob.sha256}-poster")

    @api.get("/<id>/strip/<int(max=99999):k>")
    @api.output(BYTES, content_type="image/jpeg", description="A sheet of thumbnails.")
    def video_strip(id: str, k: int) -> Response:
        """A sheet of the strip of thumbnails"""
        _, blob = _blob(service, id)
        return _media(service.storage.media(blob.sha256) / f"strip-{k}.jpg", f"{blob.sha256}-strip-{k}")

    return api


def media_type(facts: dict[str, Any] | None) -> str:
    """What a browser is told that an upload is: what the probe found, never what the upload said of itself."""
    if facts is None:
        return "application/octet-stream"
    if facts["codec"] in _BROWSER_CODECS and "webm" in facts["container"]:
        return "video/webm"
    return PLAYED_AS.get(facts["container"].split(",")[0], "application/octet-stream")


def _media(path: Path, tag: str) -> Response:
    if not path.is_file():
        raise NotFound("There is no such picture, or not yet.")
    return file(path, "image/jpeg", tag, path.name, save=False, cache=A_DAY)


def _shown(service: Service, id: str) -> dict[str, Any]:
    with service.store.read() as session:
        return shapes.video(session, service.storage, service.videos.get(session, who(), id))


def _blob(service: Service, id: str) -> tuple[str, Blob]:
    """The video's name and bytes."""
    with service.store.read() as session:
        video = service.videos.get(session, who(), id)
        return video.name, video.blob
