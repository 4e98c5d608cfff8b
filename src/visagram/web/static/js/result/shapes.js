// The shape of the picture at a moment. Most videos have one; where it changes, `facts.shapes` has each from its first frame on.

// The browser's time of a frame is rounded to microseconds.
const HOLD = 1e-3;

/** `{width, height}` of the displayed picture at `time`, in the pixels of its boxes. */
export function shapeAt(facts, time) {
  let found = facts;
  for (const shape of facts.shapes ?? []) if (shape.time <= time + HOLD) found = shape;
  return found;
}

/**
 * Whether the player shows another video of the file than the one that was analysed. analysed, played: facts; their
 * stream is null or missing where an older version did not say.
 */
export function isOtherStream(analysed, played) {
  const [ours, theirs] = [analysed?.stream ?? null, played?.stream ?? null];
  return ours !== null && theirs !== null && ours !== theirs;
}

/** `{width, height}` that hold every shape: the copy for playback has each in the middle of that. */
export function canvasOf(facts) {
  const shapes = facts.shapes?.length ? facts.shapes : [facts];
  return { width: Math.max(...shapes.map(({ width }) => width)), height: Math.max(...shapes.map(({ height }) => height)) };
}

/**
 * Where the picture of `time` lies in a stage of `{width, height}` CSS pixels, and how many of them are a pixel of it.
 * video: width and height of the decoded video that fills the stage; null where the picture alone does.
 */
export function placeOf(facts, time, stage, video) {
  const picture = shapeAt(facts, time);
  const whole = video ? canvasOf(facts) : picture;
  const { width, height } = video ?? picture;
  const scale = Math.min(stage.width / width, stage.height / height);
  const [sx, sy] = [(width * scale) / whole.width, (height * scale) / whole.height];
  const [w, h] = [picture.width * sx, picture.height * sy];
  return { x: (stage.width - w) / 2, y: (stage.height - h) / 2, w, h, sx, sy };
}
