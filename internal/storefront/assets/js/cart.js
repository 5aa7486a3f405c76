import { nodes, piece, say } from "./page.js";

const drawer = document.getElementById("drawer");

// startCart puts things into the cart without leaving the page, and shows the cart beside it.
export function startCart() {
  if (!drawer) return;
  document.querySelector("[data-buy]")?.addEventListener("submit", add);
  document.querySelector("[data-cart-link]")?.addEventListener("click", open);
  drawer.addEventListener("click", (event) => {
    if (event.target === drawer || event.target.closest("[data-close]")) drawer.close();
  });
  // A page that comes back from the browser's memory may show an old number.
  addEventListener("pageshow", async (event) => {
    if (event.persisted) fill((await piece("/cart/summary")).html);
  });
}

function fill(html) {
  drawer.replaceChildren(nodes(html));
  const pieces = Number(drawer.querySelector("[data-pieces]")?.dataset.pieces ?? 0);
  for (const badge of document.querySelectorAll("[data-cart-count]")) {
    badge.textContent = pieces;
    badge.classList.toggle("badge--none", pieces === 0);
  }
  return pieces;
}

async function open(event) {
  if (event.metaKey || event.ctrlKey || event.shiftKey || location.pathname === "/cart") return;
  event.preventDefault();
  try {
    const answer = await piece("/cart/summary");
    if (!answer.ok) throw new Error("no summary");
    fill(answer.html);
    drawer.showModal();
  } catch {
    location.assign("/cart");
  }
}

async function add(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const button = form.querySelector("[data-buy-button]");
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  form.querySelector(".alert")?.remove();
  try {
    const answer = await piece(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    if (answer.ok) {
      const pieces = fill(answer.html);
      drawer.showModal();
      say(`Added to your cart. ${pieces} in it.`);
    } else {
      form.prepend(nodes(answer.html));
    }
  } catch {
    form.submit(); // no connection for scripts: the form can do it by itself
  } finally {
    button.removeAttribute("aria-busy");
  }
}
