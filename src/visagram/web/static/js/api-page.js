// Swagger UI over our own OpenAPI document; its bundle, a classic script, was loaded before.

import { headers } from "./api.js";

/** What the bundle leaves without a name for screen readers, or out of reach of the keyboard. */
const REPAIRS = [
  [".copy-to-clipboard button, .copy-to-clipboard:is(button)", "aria-label", () => "Copy"],
  ["textarea:not([aria-label])", "aria-label", (node) => labelOf(node, "Request body")],
  [":is(input, select):not([aria-label])", "aria-label", (node) => labelOf(node, "Value")],
  [".microlight, .responses-inner pre", "tabindex", () => "0"],
  ["h3.opblock-tag", "aria-level", () => "2"],
  [":is(h4, h5)", "aria-level", () => "3"],
];

const labelOf = (node, otherwise) => node.closest("tr[data-param-name]")?.dataset.paramName ?? node.placeholder ?? otherwise;

function repair(root) {
  for (const [selector, name, value] of REPAIRS) {
    for (const node of root.querySelectorAll(selector)) {
      const text = value(node) || "Value";
      if (node.getAttribute(name) !== text) node.setAttribute(name, text);
    }
  }
}

const root = document.getElementById("swagger");
new MutationObserver(() => repair(root)).observe(root, { childList: true, subtree: true });
window.SwaggerUIBundle({
  url: "/api/v1/openapi.json",
  domNode: root,
  deepLinking: false,
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
  validatorUrl: null,
  syntaxHighlight: { activated: false },
  requestInterceptor: (request) => {
    Object.assign(request.headers, headers());
    return request;
  },
});
