// Keyboard: everywhere on the desk; letters only while something on it has the focus (WCAG 2.1.4).

const LETTERS_IN = "#monitor, #lanes-panel";

export function keys(store, player, controls, { onMark }) {
  const letters = {
    k: () => player.toggle(),
    f: () => controls.fullscreen(),
    m: () => store.facts.has_audio && controls.mute(),
    i: () => onMark("start"),
    o: () => onMark("end"),
    "+": () => store.zoomBy(0.5),
    "=": () => store.zoomBy(0.5),
    "-": () => store.zoomBy(2),
    0: () => store.zoom(...store.range),
  };
  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || store.facts.still) return;
    if (target.closest("input, select, textarea, dialog, [role=tablist], [contenteditable]")) return;
    const onDesk = Boolean(target.closest(LETTERS_IN));
    if (!onDesk && target !== document.body && target.id !== "main") return;
    const act = arrows(store, player, controls, event) ?? (onDesk && letters[key.toLowerCase()]) ?? null;
    if (key === " " && !target.closest("button, a, summary")) player.toggle();
    else if (act) act();
    else return;
    event.preventDefault();
  });
}

function arrows(store, player, controls, { key, shiftKey }) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (step) return () => (shiftKey ? player.seek(store.time + step) : controls.step(step));
  if (key === "Home" || key === "End")
    return document.activeElement === document.body ? null : () => player.seek(key === "Home" ? store.range[0] : store.range[1]);
  return null;
}
