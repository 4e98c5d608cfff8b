// The frozen plan: what will be compared, written down before anybody looks.
import { api, Problem } from "../api.js";
import { h, icon, toast, toastProblem } from "../ui.js";
import { refill } from "./controls.js";
import { study } from "./store.js";

const WORDS = { condition: "conditions", tag: "tags", participant: "participants" };
const points = (share) => `${Number((share * 100).toFixed(2))} points`;

/** Shows the plan in force, and the button that freezes what is chosen now. `asked`: the comparison as the page asks for it. */
export function showPlan(place, plan, departures, asked, changed) {
  const freeze = async () => {
    try {
      await api.post("/study/plan", asked);
      toast("The plan is frozen. A comparison that departs from it says so.");
      changed();
      study.dispatchEvent(new Event("planned"));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      toastProblem(error);
    }
  };
  const button = h("button", { class: "button small", type: "button", onclick: freeze }, plan ? "Freeze what is chosen now instead" : "Freeze what is chosen now as the plan");
  if (!plan) {
    refill(place, h("p", { class: "muted small" }, "Planned beforehand? Freeze the comparison before you look at its result: it gets a time and a hash, and every departure from it is told."), button);
    return;
  }
  const what = [
    `Compare ${WORDS[plan.by]} by ${plan.measure === "share" ? "share of measured time" : "mean probability"}`,
    plan.window ? `in the windows “${plan.window}”` : "over whole videos",
    plan.tag ? `of videos tagged “${plan.tag}”` : "",
    plan.condition ? `of the condition “${plan.condition}”` : "",
    plan.contrasts.length ? `(only ${plan.contrasts.map(([first, second]) => `${second} against ${first}`).join(", ")})` : "",
    `with at least ${plan.least} s measured`,
    plan.smallest === null ? "" : `and a smallest difference of ${points(plan.smallest)}`,
  ];
  refill(place,
    h("p", {}, h("strong", {}, "Plan"), ` frozen ${plan.frozen.replace("T", " ").replace("Z", " UTC")}: ${what.filter(Boolean).join(" ")}.`),
    h("p", { class: "muted small" }, `SHA-256 ${plan.sha256}`),
    plan.earlier.length > 0 && h("p", { class: "muted small" }, `Earlier plans: ${plan.earlier.map(({ sha256, frozen }) => `${frozen.slice(0, 10)} (${sha256.slice(0, 12)})`).join(", ")}.`),
    departures.length
      ? h("ul", { class: "study-caution" }, departures.map((text) => h("li", {}, text)))
      : h("p", { class: "muted small" }, "This comparison is the one that was planned."),
    h("div", { class: "row" }, h("a", { class: "button small", href: api.url("/study/plan.json"), download: "" }, icon("download"), "The plan as a file"), button));
}
