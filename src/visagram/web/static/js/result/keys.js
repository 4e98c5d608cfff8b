// Keyboard: arrows step frames from anywhere that has no use of its own for them; letters only on the desk (WCAG 2.1.4).

const LETTERS_IN = "#monitor, #lanes-panel";
const OWN_KEYS = "input:not([type=checkbox]), select, textarea, dialog, [role=tablist], .menu, .scroll, [contenteditable]";

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
    if (target.closest(OWN_KEYS)) return;
    const onDesk = Boolean(target.closest(LETTERS_IN));
    const onPage = target === document.body || target.id === "main";
    const act = arrows(store, player, controls, event, onDesk) ?? (onDesk && letters[key.toLowerCase()]);
    if (key === " " && (onDesk || onPage) && !target.closest("button, a, summary")) player.toggle();
    else if (act) act();
    else return;
    event.preventDefault();
  });
}

function arrows(store, player, controls, { key, shiftKey }, onDesk) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (step) return () => (shiftKey ? player.seek(store.time + step) : controls.step(step));
  if (onDesk && (key === "Home" || key === "End")) return () => player.seek(key === "Home" ? store.range[0] : store.range[1]);
  return null;
}
