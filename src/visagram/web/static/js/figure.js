// A plotly figure in the page's theme, with downloads and a table that says the same.
// Works under `script-src 'self'; style-src 'self'`: the rules plotly would inject are in css/plotly.css.
import { h, icon } from "./ui.js";

const SCRIPT = "/static/plotly.min.js";
const STYLES = "/static/css/plotly.css";
// plotly looks for these before it makes a <style>: the first are its own rules, the second those of its map library.
const STYLE_MARK = "plotly.js-style-global";
const MAP_STYLE_MARK = "9f215cf04c5486422605d13261cb87401f4e7763b6296af81e98efbc0130da53";
const CONFIG = { displayModeBar: false, displaylogo: false, displayNotifier: false, doubleClick: "reset", showTips: false };
// The light theme of report.css: a figure in a paper stands on white whatever the page looks like.
const PRINT = { ink: "#191c20", muted: "#5c636d", line: "#dcd9d1", surface: "#ffffff" };
const FONT = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
const EXPORT = { width: 900, scale: 3 };
const NARROW = 480;

const drawn = new WeakMap();
let loading = null;

/**
 * Draws a figure into an element and keeps it right when the theme or the width changes; what was there is replaced.
 *
 * @param {HTMLElement} element an empty container, or one that showed a figure before
 * @param {{data: object[], layout: object}} figure plotly's JSON
 * @param {{title: string, tableRows: (string|number|null)[][], filename?: string, caption?: boolean}} options
 *   `tableRows` are the same numbers, first row the headings, first cell of a row its name; `caption: false` where a
 *   heading above already says the title; `filename` without its ending
 * @returns {Promise<HTMLElement|null>} plotly's element (for its events), null where the figure could not be drawn or
 *   a later call for the same element came first
 */
export async function showFigure(element, figure, { title, tableRows, filename = "figure", caption = true }) {
  const tableOpen = element.querySelector(".figure-table")?.open ?? false;
  clearFigure(element);
  const plot = h("div", { class: "figure-plot", role: "img", "aria-label": `${title}. The table below holds the same numbers.` });
  if (figure.layout?.height) plot.style.height = `${figure.layout.height}px`;
  const table = tableTwin(title, tableRows, tableOpen);
  const files = h("div", { class: "figure-files", role: "group", "aria-label": "Download" });
  element.replaceChildren(
    h("figure", { class: "figure" }, caption ? h("figcaption", {}, title) : null, plot, h("div", { class: "figure-foot" }, table, files)),
  );
  const state = { plot, figure, watchers: [] };
  drawn.set(element, state);
  try {
    await loadPlotly();
  } catch {
    if (drawn.get(element) !== state) return null;
    table.open = true;
    plot.replaceWith(problem(() => showFigure(element, figure, { title, tableRows, filename, caption })));
    return null;
  }
  if (drawn.get(element) !== state) return null;
  await draw(state);
  follow(state);
  for (const format of ["svg", "png"]) {
    const name = format.toUpperCase();
    const button = h("button", { class: "button small quiet", type: "button", "aria-label": `${name}: download “${title}”` }, icon("download"), name);
    button.addEventListener("click", () => download(figure, format, filename, button));
    files.append(button);
  }
  return plot;
}

/** Takes a figure away and lets go of what watched it. */
export function clearFigure(element) {
  const state = drawn.get(element);
  if (!state) return;
  drawn.delete(element);
  for (const stop of state.watchers) stop();
  window.Plotly?.purge(state.plot);
  element.replaceChildren();
}

function loadPlotly() {
  loading ??= Promise.all([loadStyles(), loadScript()]).catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

function loadStyles() {
  if (!document.getElementById(MAP_STYLE_MARK)) document.head.append(h("meta", { id: MAP_STYLE_MARK }));
  if (document.getElementById(STYLE_MARK)) return null;
  const link = h("link", { id: STYLE_MARK, class: "no-inline-styles", rel: "stylesheet", href: STYLES });
  return appended(link);
}

function loadScript() {
  if (window.Plotly) return null;
  return appended(h("script", { src: SCRIPT }));
}

function appended(node) {
  return new Promise((resolve, reject) => {
    node.addEventListener("load", resolve, { once: true });
    node.addEventListener("error", () => {
      node.remove();
      reject(new Error(`${node.src || node.href} did not load`));
    }, { once: true });
    document.head.append(node);
  });
}

function problem(again) {
  return h("div", { class: "figure-problem", role: "alert" },
    h("p", {}, "The figure could not be drawn because its script did not load. The table holds the same numbers."),
    h("button", { class: "button", type: "button", onclick: again }, "Try again"));
}

async function draw(state) {
  const { plot, figure } = state;
  const { data, layout } = themed(figure, colours());
  state.narrow = plot.clientWidth < NARROW;
  if (state.narrow) slim(layout);
  // On a touch screen a drag scrolls the page.
  if (matchMedia("(pointer: coarse)").matches) layout.dragmode = false;
  await window.Plotly.react(plot, data, { ...layout, width: undefined, autosize: true }, CONFIG);
}

/** More room for what is drawn, less for what stands beside it. */
function slim({ xaxis, yaxis }) {
  if (xaxis) xaxis.nticks = 4;
  if (yaxis) yaxis.tickfont = { size: 11, ...yaxis.tickfont };
}

function follow(state) {
  const { plot, watchers } = state;
  const redraw = () => plot.isConnected && draw(state);
  document.addEventListener("visagram:theme", redraw);
  let width = plot.clientWidth;
  const size = new ResizeObserver(async () => {
    if (!plot.clientWidth || plot.clientWidth === width) return;
    width = plot.clientWidth;
    if (width < NARROW !== state.narrow) await draw(state);
    if (plot.isConnected) window.Plotly.Plots.resize(plot);
  });
  size.observe(plot);
  watchers.push(() => document.removeEventListener("visagram:theme", redraw), () => size.disconnect());
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(`--${name}`).trim() || PRINT[name];
  return { ink: read("ink"), muted: read("muted"), line: read("line"), surface: read("surface") };
}

function themed(figure, { ink, muted, line, surface }, paper = "rgba(0,0,0,0)") {
  const { data, layout } = plain({ data: figure.data, layout: figure.layout ?? {} });
  layout.paper_bgcolor = paper;
  layout.plot_bgcolor = "rgba(0,0,0,0)";
  layout.font = { ...layout.font, color: muted, family: FONT };
  layout.hoverlabel = { ...layout.hoverlabel, bgcolor: ink, bordercolor: ink, font: { color: surface, family: FONT } };
  for (const [name, axis] of Object.entries(layout)) {
    if (!/^[xy]axis\d*$/.test(name)) continue;
    Object.assign(axis, { gridcolor: line, linecolor: line, tickcolor: line, zerolinecolor: muted });
    if (axis.title?.text) axis.title.font = { size: 12, ...axis.title.font };
  }
  for (const trace of data) {
    for (const side of ["error_x", "error_y"]) if (trace[side]?.color) trace[side].color = ink;
  }
  return { data, layout };
}

// plotly writes a style attribute for <b>, <span> and their like, which the policy forbids; line breaks need none.
function plain(value) {
  if (typeof value === "string") return value.replace(/<\/?(?:b|strong|i|em|u|s|sub|sup|a|span)(?:\s[^>]*)?>/gi, "");
  if (Array.isArray(value)) return value.map(plain);
  if (value && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
  }
  return value;
}

async function download(figure, format, filename, button) {
  button.disabled = true;
  try {
    const { data, layout } = themed(figure, PRINT, PRINT.surface);
    const size = { width: EXPORT.width, height: layout.height ?? 450 };
    const options = { format, ...size, scale: format === "png" ? EXPORT.scale : 1, imageDataOnly: true };
    const content = await window.Plotly.toImage({ data, layout: { ...layout, ...size }, config: CONFIG }, options);
    save(format === "svg" ? new Blob([content], { type: "image/svg+xml" }) : fromBase64(content, "image/png"), `${filename}.${format}`);
  } finally {
    button.disabled = false;
    button.focus();
  }
}

function fromBase64(content, type) {
  return new Blob([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], { type });
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function tableTwin(title, [headings, ...rows], open) {
  const head = h("tr", {}, headings.map((name) => h("th", { scope: "col" }, name)));
  const body = rows.map(([name, ...cells]) => h("tr", {}, h("th", { scope: "row" }, name), cells.map((cell) => h("td", {}, cell ?? "–"))));
  const table = h("table", { class: "table" }, h("thead", {}, head), h("tbody", {}, body));
  const scroll = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${title}, as a table` }, table);
  const details = h("details", { class: "figure-table" }, h("summary", {}, "As a table"), scroll);
  details.open = open;
  return details;
}
