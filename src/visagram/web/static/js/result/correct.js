// Saying what a face shows instead: the result stays, the face is kept as an example to learn from.
import { api, url } from "../api.js";
import { EXPRESSIONS } from "../palette.js";
import { h, toast } from "../ui.js";
import { moment, named } from "./words.js";

/** The form for `person` at `time`; `{form, act}`, where `act` keeps it and resolves to the reason where it cannot. */
export function correction(store, person, time) {
  const picture = h("img", {
    class: "correct-face",
    src: url(`${store.path}/frame`, { time, person: person.id, width: 160 }),
    alt: `Face of ${person.name} at ${moment(time)}`,
    width: 160,
    height: 160,
  });
  const choice = h(
    "select",
    { id: "correct-expression", name: "expression", required: true },
    h("option", { value: "" }, "choose …"),
    EXPRESSIONS.map((name) => h("option", { value: name }, name)),
  );
  const agreed = h("input", { type: "checkbox", name: "consent" });
  const form = h(
    "form",
    { class: "stack" },
    h(
      "div",
      { class: "correct" },
      picture,
      h("div", { class: "field" }, h("label", { for: "correct-expression" }, `What this face shows at ${moment(time)}`), choice),
    ),
    h("label", { class: "consent" }, agreed, "The person shown agrees that this picture is kept here and that models learn from it."),
    h(
      "p",
      { class: "muted small" },
      "The result stays as the model gave it. Corrected faces lie in the Studio, where they can be removed and a model can be improved with them.",
    ),
  );
  const act = async () => {
    if (!choice.value) return "Choose an expression.";
    if (!agreed.checked) return "Without consent the picture is not kept.";
    try {
      await api.post(`${store.path}/people/${person.id}/corrections`, { time, expression: choice.value, consent: true });
    } catch (error) {
      if (error.name !== "Problem") throw error;
      return error.detail;
    }
    toast(`Kept: ${named(person.name)} shows ${choice.value} at ${moment(time)}.`, { kind: "done" });
    return null;
  };
  return { form, act };
}
