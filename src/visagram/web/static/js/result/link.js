// The address of a moment: #t=12.3&person=2.
import { toast } from "../ui.js";

/** `{time, person}` of an address' hash; null for what it does not say. */
export function readLink(text = location.hash) {
  const values = new URLSearchParams(text.slice(1));
  const time = Number.parseFloat(values.get("t"));
  const person = Number.parseInt(values.get("person"), 10);
  return { time: Number.isFinite(time) && time >= 0 ? time : null, person: Number.isFinite(person) ? person : null };
}

/** Keeps the address at the moment that is shown while the video stands still, and goes where a changed one says. */
export function follow(store, player) {
  let timer = 0;
  const write = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (!player.playing) history.replaceState(history.state, "", hash(store));
    }, 300);
  };
  for (const change of ["time", "person", "state"]) store.on(change, write);
  addEventListener("hashchange", ({ newURL }) => {
    // Not the present address: `write` may have replaced it meanwhile.
    const { time, person } = readLink(new URL(newURL).hash);
    if (time !== null) player.seek(time);
    if (person !== null && store.personById(person)) store.set("person", person);
  });
}

function hash(store) {
  const person = store.person === null ? "" : `&person=${store.person}`;
  return `#t=${store.time.toFixed(2).replace(/\.?0+$/, "")}${person}`;
}

/** Copies the link; where the browser refuses, the address bar holds it. */
export async function copyLink(store) {
  history.replaceState(history.state, "", hash(store));
  try {
    await navigator.clipboard.writeText(location.href);
    toast("The link to this moment is copied.", { kind: "done" });
  } catch {
    toast("The link to this moment is in the address bar: copy it from there.");
  }
}
