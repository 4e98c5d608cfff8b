"""What the web application and the command line are given to work with."""

from __future__ import annotations

from dataclasses import dataclass

from visagram.jobs.analyses import Analyses
from visagram.jobs.corrections import Corrections
from visagram.jobs.owners import Owners
from visagram.jobs.passes import Passes
from visagram.jobs.plans import Plans
from visagram.jobs.storage import Storage
from visagram.jobs.store import Store
from visagram.jobs.studio import Studio
from visagram.jobs.uploads import Uploads
from visagram.jobs.videos import Videos
from visagram.settings import ServerSettings, Settings


@dataclass(frozen=True, slots=True)
class Service:
    """One data folder, opened. settings: the server's own for analyses."""

    store: Store
    storage: Storage
    videos: Videos
    analyses: Analyses
    uploads: Uploads
    owners: Owners
    studio: Studio
    passes: Passes
    corrections: Corrections
    plans: Plans
    settings: Settings
    server: ServerSettings

    @classmethod
    def open(cls, settings: Settings, server: ServerSettings) -> Service:
        """Open a data folder that a supervisor has made."""
        store = Store.of_folder(server.folder)
        storage = Storage(server.folder, server.keep_free << 20)
        videos = Videos(store, storage, server)
        analyses = Analyses(store, storage, videos, settings)
        uploads = Uploads(store, storage, videos, analyses, server)
        owners, studio = Owners(store), Studio(store, storage, settings)
        passes, corrections = Passes(store, storage, settings, server), Corrections(store, storage)
        parts = (store, storage, videos, analyses, uploads, owners, studio, passes, corrections, Plans(store))
        return cls(*parts, settings, server)
