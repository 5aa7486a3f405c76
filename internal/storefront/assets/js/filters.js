import { nodes, say } from "./page.js";

// startFilters applies a filter as soon as it is chosen, and adds further products below.
export function startFilters(form) {
  if (!form) return;
  form.addEventListener("change", (event) => {
    // On a telephone the filters cover the list: there the button applies them all at once.
    const covered = form.querySelector("#filters:popover-open");
    if (event.target.matches("[data-submit]") && !covered) form.requestSubmit();
  });
  form.addEventListener("submit", () => {
    // Empty fields would only make the address longer.
    for (const field of form.elements) if (field.name && field.value === "") field.disabled = true;
  });
  addEventListener("pageshow", () => { for (const field of form.elements) field.disabled = false; });
  form.addEventListener("click", (event) => {
    const link = event.target.closest("[data-more]");
    if (!link || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    more(form, link);
  });
}

async function more(form, link) {
  if (link.getAttribute("aria-busy") === "true") return;
  link.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(link.href);
    if (!answer.ok) throw new Error("no page");
    const page = nodes(await answer.text());
    const added = [...page.querySelectorAll("[data-grid] > li")];
    form.querySelector("[data-grid]").append(...added);
    added[0]?.querySelector("a").focus({ preventScroll: true });
    say(`${added.length} more products`);
    const next = page.querySelector("[data-more]");
    if (next) link.replaceWith(next);
    else link.remove();
  } catch {
    location.assign(link.href);
  }
}
