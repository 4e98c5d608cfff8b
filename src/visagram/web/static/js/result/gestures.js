// Mouse, touch and wheel on the lanes: click seeks, dragging zooms, two fingers or ctrl+wheel zoom around a point.

const SLACK = 5;

/**
 * Listens on `element`. `timeAt(clientX)` gives seconds; `view()` the seconds shown.
 * `act`: `{seek(time, event), select(from, to|null), zoom(start, end), pan(seconds), reset(), hover(event|null)}`.
 */
export function gestures(element, { timeAt, view, act }) {
  const fingers = new Map();
  let press = null;
  let pinch = null;

  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    fingers.set(event.pointerId, event.clientX);
    element.setPointerCapture(event.pointerId);
    if (fingers.size === 2) {
      pinch = startPinch();
      press = null;
      act.select(null, null);
    } else press = { x: event.clientX, time: timeAt(event.clientX), touch: event.pointerType === "touch", moved: false };
  });

  element.addEventListener("pointermove", (event) => {
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, event.clientX);
    if (pinch && fingers.size === 2) return movePinch();
    if (press && (press.moved || Math.abs(event.clientX - press.x) > SLACK)) {
      press.moved = true;
      if (press.touch) act.seek(timeAt(event.clientX), event);
      else act.select(press.time, timeAt(event.clientX));
    }
    if (event.pointerType !== "touch" || press?.moved) act.hover(event);
  });

  element.addEventListener("pointerup", (event) => {
    fingers.delete(event.pointerId);
    if (press && !pinch) {
      const time = timeAt(event.clientX);
      if (!press.moved) act.seek(time, event);
      else if (!press.touch) {
        act.select(null, null);
        act.zoom(Math.min(press.time, time), Math.max(press.time, time));
      }
    }
    press = null;
    if (!fingers.size) pinch = null;
    if (event.pointerType === "touch") act.hover(null);
  });

  element.addEventListener("pointercancel", (event) => {
    fingers.delete(event.pointerId);
    press = pinch = null;
    act.select(null, null);
    act.hover(null);
  });
  element.addEventListener("pointerleave", () => act.hover(null));
  element.addEventListener("dblclick", () => act.reset());

  element.addEventListener(
    "wheel",
    (event) => {
      const [start, end] = view();
      const width = end - start;
      if (event.ctrlKey || event.metaKey) {
        const factor = Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.006);
        const at = timeAt(event.clientX);
        act.zoom(at - (at - start) * factor, at + (end - at) * factor);
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        act.pan(((event.deltaX || event.deltaY) / element.clientWidth) * width);
      } else return;
      event.preventDefault();
    },
    { passive: false },
  );

  function startPinch() {
    const [a, b] = [...fingers.values()];
    return { distance: Math.max(20, Math.abs(a - b)), centre: timeAt((a + b) / 2), view: [...view()] };
  }

  function movePinch() {
    const [a, b] = [...fingers.values()];
    const factor = pinch.distance / Math.max(20, Math.abs(a - b));
    const { centre } = pinch;
    act.zoom(centre - (centre - pinch.view[0]) * factor, centre + (pinch.view[1] - centre) * factor);
  }
}
