import { startCart } from "./cart.js";
import { startFilters } from "./filters.js";
import { startFind } from "./find.js";
import { startForms, startPoll } from "./forms.js";
import { startProduct } from "./product.js";

startTheme();
startFind(document.querySelector("[data-find]"));
startCart();
startFilters(document.querySelector("[data-filters]"));
startProduct(document.querySelector("[data-buy]"));
startForms();
startPoll(document.querySelector("[data-poll]"));

function startTheme() {
  const button = document.querySelector("[data-theme-switch]");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch {
      // The choice lasts for this page only.
    }
  });
}
