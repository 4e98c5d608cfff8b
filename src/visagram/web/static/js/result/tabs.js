// The tabs under the desk (ARIA tabs pattern); a panel is filled when it is first shown and after people changed.
import { h } from "../ui.js";
import { compare } from "./compare.js";
import { files } from "./files.js";
import { method } from "./method.js";
import { moments } from "./moments.js";
import { statistics } from "./statistics.js";
import { windows } from "./windows.js";

export function buildTabs(store, player, edits, find) {
  const still = store.facts.still;
  const none = !store.people.length;
  const tabs = [
    { id: "statistics", label: "Statistics", fill: statistics, skip: false },
    { id: "moments", label: "Moments", fill: moments, skip: none || still },
    { id: "compare", label: "Compare people", fill: compare, skip: none, least: 2 },
    { id: "windows", label: "Windows", fill: windows, skip: none || still },
    { id: "files", label: "Files", fill: files, skip: false },
    { id: "method", label: "Method", fill: method, skip: false },
  ].filter(({ skip }) => !skip);
  for (const tab of tabs) {
    tab.panel = h("div", {
      class: "tabpanel",
      role: "tabpanel",
      id: `panel-${tab.id}`,
      "aria-labelledby": `tab-${tab.id}`,
      tabindex: "0",
      hidden: true,
    });
    tab.button = h(
      "button",
      {
        role: "tab",
        type: "button",
        id: `tab-${tab.id}`,
        "aria-controls": `panel-${tab.id}`,
        "aria-selected": "false",
        tabindex: "-1",
        onclick: () => select(tab),
      },
      tab.label,
    );
  }
  const list = find("tablist");
  list.replaceChildren(...tabs.map((tab) => tab.button));
  find("tabpanels").replaceChildren(...tabs.map((tab) => tab.panel));
  find("tabs").hidden = false;
  list.addEventListener("keydown", (event) => {
    const shown = tabs.filter(({ button }) => !button.hidden);
    const here = shown.findIndex((tab) => tab.button === document.activeElement);
    const to = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: shown.length - 1 }[event.key];
    if (to === undefined || here < 0) return;
    event.preventDefault();
    const tab = shown[(to + shown.length) % shown.length];
    select(tab);
    tab.button.focus();
  });

  let current = null;
  function select(tab) {
    current = tab;
    for (const other of tabs) {
      const chosen = other === tab;
      other.button.setAttribute("aria-selected", String(chosen));
      other.button.tabIndex = chosen ? 0 : -1;
      other.panel.hidden = !chosen;
    }
    list.scrollLeft = Math.max(0, tab.button.offsetLeft - list.offsetLeft - 40);
    if (!tab.filled) fill(tab);
  }
  function fill(tab) {
    tab.filled = true;
    tab.fill({ store, player, edits, panel: tab.panel });
  }
  store.on("people", () => {
    for (const tab of tabs) tab.filled = false;
    offer();
    if (current.button.hidden) select(tabs[0]);
    else fill(current);
  });
  offer();
  select(tabs[0]);
  fadeEnds(list);

  function offer() {
    for (const { button, least = 0 } of tabs) button.hidden = store.people.length < least;
  }
}

/** Marks at which ends of a row that scrolls there is more, for the fade that says so. */
function fadeEnds(list) {
  const mark = () => {
    const rest = list.scrollWidth - list.clientWidth - list.scrollLeft;
    list.classList.toggle("more-before", list.scrollLeft > 1);
    list.classList.toggle("more-after", rest > 1);
  };
  list.addEventListener("scroll", mark, { passive: true });
  new ResizeObserver(mark).observe(list);
}
