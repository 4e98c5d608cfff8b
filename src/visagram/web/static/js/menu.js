// A button that opens a menu in the browser's top layer: Escape and a click elsewhere close it by themselves.

import { h, icon } from "./ui.js";

/**
 * Makes `button` open a menu. `items()` is asked at each opening: a list of `{label, icon, href | action, danger,
 * download}`, with null for a line between groups.
 */
export function menuButton(button, items) {
  let menu = null;
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => (menu ? menu.hidePopover() : open(0)));
  button.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    open(event.key === "ArrowDown" ? 0 : -1);
  });

  function open(focused) {
    menu = h("div", { class: "menu", role: "menu", popover: "auto", "aria-label": button.getAttribute("aria-label") || button.textContent },
      items().map((item) => (item ? entry(item) : h("hr", { role: "separator" }))));
    const current = menu;
    current.addEventListener("toggle", (event) => event.newState === "closed" && closed(current));
    current.addEventListener("keydown", move);
    // In the dialog or page part of its button, so that a modal dialog does not make it inert.
    button.after(current);
    current.showPopover();
    place(current);
    addEventListener("scroll", moved, true);
    button.setAttribute("aria-expanded", "true");
    entries().at(focused)?.focus();
  }

  function moved() {
    if (menu) place(menu);
  }

  function closed(old) {
    removeEventListener("scroll", moved, true);
    const inside = old.contains(document.activeElement) || document.activeElement === document.body;
    old.remove();
    menu = null;
    button.setAttribute("aria-expanded", "false");
    if (inside && button.isConnected) button.focus();
  }

  function entry(item) {
    const props = { role: "menuitem", tabindex: -1, class: item.danger ? "danger" : null };
    const parts = [item.icon ? icon(item.icon) : null, h("span", {}, item.label)];
    if (item.href) return h("a", { ...props, href: item.href, download: item.download, onclick: () => menu?.hidePopover() }, parts);
    const act = () => {
      menu?.hidePopover();
      button.focus();
      item.action();
    };
    return h("button", { ...props, type: "button", onclick: act }, parts);
  }

  const entries = () => [...menu.querySelectorAll('[role="menuitem"]')];

  function move(event) {
    const all = entries();
    const at = all.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (to !== undefined) all.at(to % all.length).focus();
    else if (event.key === "Tab") menu.hidePopover();
    else if (event.key.length === 1) all.find((node) => node.textContent.toLowerCase().startsWith(event.key.toLowerCase()))?.focus();
    if (to !== undefined) event.preventDefault();
  }

  /** Beside the button, also while the page scrolls under it; gone with the button. */
  function place(node) {
    const anchor = button.getBoundingClientRect();
    if (anchor.bottom < 0 || anchor.top > innerHeight) return node.hidePopover();
    const below = anchor.bottom + 4 + node.offsetHeight <= innerHeight;
    node.style.top = `${Math.max(8, below ? anchor.bottom + 4 : anchor.top - 4 - node.offsetHeight)}px`;
    node.style.left = `${Math.max(8, Math.min(anchor.right - node.offsetWidth, innerWidth - node.offsetWidth - 8))}px`;
  }
}
