// A classic script in the head, so that the chosen theme is there before the first paint.
// Sends `visagram:theme` on the document whenever colours change: a canvas draws itself again on it.
(() => {
  const CHOICES = ["auto", "light", "dark"];
  const NAMES = { auto: "automatic", light: "light", dark: "dark" };
  const root = document.documentElement;

  function stored() {
    try {
      const value = localStorage.getItem("visagram-theme");
      return CHOICES.includes(value) ? value : "auto";
    } catch {
      return "auto"; // storage is switched off: the theme lasts as long as the page
    }
  }

  function apply(choice) {
    if (choice === "auto") delete root.dataset.theme;
    else root.dataset.theme = choice;
    document.dispatchEvent(new CustomEvent("visagram:theme", { detail: choice }));
  }

  let choice = stored();
  apply(choice);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(choice));
  addEventListener("storage", (event) => {
    if (event.key === "visagram-theme") apply((choice = stored()));
  });

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (!button) return;
    const label = () => {
      const text = `Theme: ${NAMES[choice]}`;
      button.querySelector("use").setAttribute("href", `/static/icons.svg#${choice}`);
      button.querySelector("span").textContent = text;
      button.title = text;
    };
    label();
    button.hidden = false;
    button.addEventListener("click", () => {
      choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
      try {
        localStorage.setItem("visagram-theme", choice);
      } catch {
        // as above
      }
      apply(choice);
      label();
    });
    document.addEventListener("visagram:theme", label);
  });
})();
