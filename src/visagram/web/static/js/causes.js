// Why an analysis stopped, in plain words, and what helps; by the pipeline's error codes.

const CAUSES = {
  not_a_video: ["This file is not a video Visagram can read.", "Check that it plays in a video player. If it does, export it as MP4 and upload that."],
  no_video_stream: ["This file holds sound but no picture.", "Upload the version of the recording that has the picture."],
  no_frames: ["Not one picture of this video could be decoded.", "The file is probably cut off or damaged. Copy it from the camera again, or export it as MP4."],
  empty_input: ["The file is empty.", "Probably it was uploaded before it was completely copied. Upload it again."],
  missing_input: ["The video's file is gone.", "Upload the video again."],
  unreadable_input: ["The video's file cannot be opened.", "Whoever runs Visagram has to check the permissions of the data folder. Then try again."],
  too_large: ["This video is larger than Visagram is set to take.", "Make it smaller or shorter, analyse only a part of it, or raise the limits in the settings."],
  decode_failed: ["The video decoder failed on this file, every time it was tried.", "Export the video as MP4 (H.264) with any editor and upload that. The part before the damage can be analysed with an end time."],
  storage_full: ["The disk is full.", "Free space on it, or delete videos that are no longer needed. Then try again."],
  output_unwritable: ["The results could not be written.", "Whoever runs Visagram has to check the permissions of the data folder. Then try again."],
  model: ["A model file is missing or damaged.", "Reinstall Visagram, then try again."],
  usage: ["A setting does not fit this video.", "Analyse it with other settings."],
  worker_lost: ["The analysis was interrupted again and again.", "Often there was not enough memory. Close other programs, or analyse fewer frames per second, then try again."],
};

/** Failures that the same file with the same settings brings again. */
const LASTING = new Set(["not_a_video", "no_video_stream", "no_frames", "empty_input", "missing_input", "too_large", "usage"]);

/** `{what, next, detail, again}` for an Analysis.error: `detail` is the pipeline's own sentence where it says more, `again` whether trying again may help. */
export function explain(error) {
  const [what, next] = CAUSES[error?.code] ?? ["The analysis stopped for a reason Visagram did not expect.", "Try again. If it happens again, report it with the details below."];
  return { what, next, detail: error?.detail && error.detail !== what ? error.detail : "", again: !LASTING.has(error?.code) };
}
