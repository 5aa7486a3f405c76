import { steppers } from "./forms.js";

// startProduct shows price, stock and picture of what is chosen, and makes the gallery follow.
export function startProduct(form) {
  const show = startGallery(document.querySelector("[data-gallery]"));
  if (!form) return;
  steppers(form);
  const variants = JSON.parse(document.getElementById("variants").textContent) ?? [];
  const radios = [...form.querySelectorAll("input[type=radio]")];
  if (radios.length === 0) return;
  const names = [...new Set(radios.map((radio) => radio.name))];
  const chosen = () => Object.fromEntries(radios.filter((radio) => radio.checked).map((radio) => [radio.name, radio.value]));
  const fits = (variant, choice) => Object.entries(choice).every(([name, value]) => variant.options[name.slice("option.".length)] === value);

  const update = (event) => {
    const choice = chosen();
    for (const radio of radios) {
      const sold = !variants.some((variant) => variant.inStock && fits(variant, { ...choice, [radio.name]: radio.value }));
      radio.parentElement.classList.toggle("choice__item--out", sold);
    }
    for (const label of form.querySelectorAll("[data-choice]")) label.textContent = choice[`option.${label.dataset.choice}`] ?? "";
    const matching = variants.filter((variant) => fits(variant, choice));
    const whole = Object.keys(choice).length === names.length;
    if (whole && matching.length) showVariant(form, matching[0]);
    if (whole && !matching.length) showMissing(form);
    if (event && matching[0]?.image >= 0) show(matching[0].image);
  };
  form.addEventListener("change", update);
  update();
}

function showVariant(form, variant) {
  const price = document.querySelector("[data-price]");
  const part = (tag, name, text) => Object.assign(document.createElement(tag), { className: name, textContent: text });
  price.replaceChildren(part("span", `price__now${variant.off ? " price__now--sale" : ""}`, variant.price));
  if (variant.off) price.append(" ", part("s", "price__was", variant.was), " ", part("span", "tag tag--sale", `−${variant.off} %`));
  const lowest = document.querySelector("[data-lowest]");
  lowest.hidden = !variant.lowest;
  lowest.lastElementChild.textContent = variant.lowest ?? "";
  setStock(form, variant.stock, variant.inStock);
  const sku = document.querySelector("[data-sku]");
  if (sku) sku.textContent = variant.sku;
}

function showMissing(form) {
  setStock(form, "Not made in this combination", false);
}

function setStock(form, text, inStock) {
  const stock = form.querySelector("[data-stock]");
  if (stock.textContent !== text) stock.textContent = text;
  stock.classList.toggle("buy__stock--out", !inStock);
  const button = form.querySelector("[data-buy-button]");
  button.disabled = !inStock;
  button.textContent = inStock ? "Add to cart" : "Sold out";
}

// startGallery lets the small pictures move the large ones, and answers how to show one of them.
function startGallery(gallery) {
  const strip = gallery?.querySelector(".gallery__strip");
  const thumbs = gallery ? [...gallery.querySelectorAll(".gallery__thumbs a")] : [];
  if (thumbs.length === 0) return () => {};
  const show = (index) => {
    strip.scrollTo({ left: strip.children[index].offsetLeft - strip.offsetLeft });
  };
  thumbs.forEach((thumb, index) => thumb.addEventListener("click", (event) => {
    event.preventDefault();
    show(index);
  }));
  let asked = 0;
  strip.addEventListener("scroll", () => {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(() => {
      const index = Math.round(strip.scrollLeft / strip.clientWidth);
      thumbs.forEach((thumb, i) => (i === index ? thumb.setAttribute("aria-current", "true") : thumb.removeAttribute("aria-current")));
    });
  }, { passive: true });
  return show;
}
