"""Every way Visagram can fail, as one tree.

VisagramError                   code, a sentence a person can act on, an exit status
├── UsageError                  usage              a setting or option that makes no sense
├── InputError                                     the video cannot be analysed
│   ├── MissingInput            missing_input      no such file
│   ├── NotAFile                not_a_file         a folder, socket or device
│   ├── UnreadableInput         unreadable_input   permissions
│   ├── EmptyInput              empty_input        zero bytes
│   ├── NotAVideo               not_a_video        text, a playlist, an unknown format
│   ├── NoVideoStream           no_video_stream    audio only
│   ├── NoFrames                no_frames          a container without one frame that decodes
│   ├── TooLarge                too_large          dimensions, duration or streams beyond the limits in the settings
│   └── DecodeFailed            decode_failed      the decoder crashed, hung or exceeded its limits on every attempt
├── OutputError                                    results cannot be written
│   ├── OutputUnwritable        output_unwritable  permissions, read-only disk, a file where a folder is needed
│   └── StorageFull             storage_full       no space left
├── NotFound                    not_found          nothing of that id, or it is somebody else's
├── Conflict                    conflict           the request does not fit the state that the thing is in
├── FolderInUse                 folder_in_use      another server or process works on the folder
├── Stopped                     stopped            the workers were stopped before they were done
├── ModelError                  model              a model file that is missing, damaged or contradicts its card
├── DataError                   data               training or evaluation data that does not fit
├── GenerationFailed            generation_failed  a generator of faces that ran out of memory, or refuses
└── MissingExtra                missing_extra      an optional dependency is not installed
"""

from __future__ import annotations


class VisagramError(Exception):
    """An error with a stable `code`; its text is one sentence that says what to do."""

    code = "internal"
    exit_status = 1


class UsageError(VisagramError):
    code = "usage"
    exit_status = 2


class InputError(VisagramError):
    code = "input"


class MissingInput(InputError):
    code = "missing_input"


class NotAFile(InputError):
    code = "not_a_file"


class UnreadableInput(InputError):
    code = "unreadable_input"


class EmptyInput(InputError):
    code = "empty_input"


class NotAVideo(InputError):
    code = "not_a_video"


class NoVideoStream(InputError):
    code = "no_video_stream"


class NoFrames(InputError):
    code = "no_frames"


class TooLarge(InputError):
    code = "too_large"


class DecodeFailed(InputError):
    code = "decode_failed"


class OutputError(VisagramError):
    code = "output"


class OutputUnwritable(OutputError):
    code = "output_unwritable"


class StorageFull(OutputError):
    code = "storage_full"


class NotFound(VisagramError):
    code = "not_found"


class Conflict(VisagramError):
    code = "conflict"


class FolderInUse(VisagramError):
    code = "folder_in_use"
    exit_status = 2


class Stopped(VisagramError):
    code = "stopped"


class ModelError(VisagramError):
    code = "model"


class DataError(VisagramError):
    code = "data"


class GenerationFailed(VisagramError):
    code = "generation_failed"


class MissingExtra(VisagramError):
    code = "missing_extra"
    exit_status = 2


def _leaves(kind: type[VisagramError]) -> list[type[VisagramError]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in _leaves(child))]


BY_CODE: dict[str, type[VisagramError]] = {kind.code: kind for kind in _leaves(VisagramError)}
"""Rebuilds an error that a worker process reported by its code."""
