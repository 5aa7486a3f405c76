import { nodes, piece, say } from "./page.js";

const pause = 140; // ms without a key before the shop is asked

// startFind suggests while somebody types: a combobox as the ARIA practices describe it.
export function startFind(form) {
  const field = form?.querySelector("input");
  const panel = form?.querySelector(".find__panel");
  if (!field) return;
  for (const [name, value] of Object.entries({ role: "combobox", "aria-expanded": "false", "aria-controls": "suggestions", "aria-autocomplete": "list" })) field.setAttribute(name, value);
  let timer = 0;
  let request = null;
  let active = -1;
  const options = () => [...panel.querySelectorAll("[role=option]")];

  const close = () => {
    panel.hidden = true;
    active = -1;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  };
  const mark = (index) => {
    const list = options();
    active = (index + list.length + 1) % (list.length + 1);
    list.forEach((option, i) => option.setAttribute("aria-selected", String(i === active)));
    if (active < list.length) {
      field.setAttribute("aria-activedescendant", list[active].id);
      list[active].scrollIntoView({ block: "nearest" });
    } else {
      field.removeAttribute("aria-activedescendant");
      active = -1;
    }
  };
  const ask = async () => {
    request?.abort();
    const text = field.value.trim();
    if (text.length < 2) return close();
    request = new AbortController();
    try {
      const answer = await piece(`/search/suggest?q=${encodeURIComponent(text)}`, { signal: request.signal });
      if (!answer.ok) return close();
      panel.replaceChildren(nodes(answer.html));
      options().forEach((option, index) => { option.id = `suggestion-${index}`; });
      active = -1;
      if (options().length === 0 || document.activeElement !== field) return close();
      panel.hidden = false;
      field.setAttribute("aria-expanded", "true");
      say(`${options().length} suggestions`);
    } catch (error) {
      if (error.name !== "AbortError") close();
    }
  };

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, pause);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !panel.hidden) {
      event.preventDefault();
      close();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && !panel.hidden) {
      event.preventDefault();
      mark(active < 0 ? (event.key === "ArrowDown" ? 0 : -2) : active + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter" && active >= 0) {
      event.preventDefault();
      location.assign(options()[active].dataset.href);
    }
  });
  panel.addEventListener("pointerdown", (event) => event.preventDefault());
  panel.addEventListener("click", (event) => {
    const option = event.target.closest("[data-href]");
    if (option) location.assign(option.dataset.href);
  });
  field.addEventListener("blur", close);
}
