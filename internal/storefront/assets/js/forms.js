// startForms makes the forms around buying quicker: quantities with buttons, states of the chosen country only, and
// no order twice by an impatient finger.
export function startForms() {
  for (const form of document.querySelectorAll("[data-quantity]")) {
    steppers(form);
    form.addEventListener("change", () => form.requestSubmit());
  }
  for (const form of document.querySelectorAll("[data-once]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "1";
      form.querySelector("button[type=submit]").textContent = "One moment …";
    });
  }
  for (const fields of document.querySelectorAll("[data-regions]")) regions(fields);
  if (matchMedia("(max-width: 59.99rem)").matches) document.querySelector(".pay__details")?.removeAttribute("open");
}

// steppers puts a minus and a plus around number fields.
export function steppers(form) {
  for (const box of form.querySelectorAll("[data-stepper]")) {
    const input = box.querySelector("input");
    const button = (icon, label, by) => {
      const b = document.createElement("button");
      b.type = "button";
      b.innerHTML = document.querySelector(".icon").outerHTML.replace(/#\w+/, `#${icon}`);
      b.setAttribute("aria-label", label);
      b.addEventListener("click", () => {
        input.value = Math.min(Math.max(Number(input.value) + by, Number(input.min)), Number(input.max));
        input.dispatchEvent(new Event("change", { bubbles: true }));
      });
      return b;
    };
    input.before(button("minus", "One less", -1));
    input.after(button("plus", "One more", 1));
  }
}

function regions(fields) {
  const country = fields.querySelector("[name=country]");
  const field = fields.querySelector("[data-region]");
  const region = field.querySelector("select");
  const groups = [...region.querySelectorAll("optgroup")];
  const update = () => {
    const group = groups.find((g) => g.dataset.country === country.value);
    field.hidden = !group;
    region.required = Boolean(group);
    groups.forEach((g) => g.remove());
    if (group) region.append(group);
    else region.value = "";
  };
  country.addEventListener("change", update);
  update();
}

// startPoll looks again at an order whose payment is being checked.
export function startPoll(link) {
  if (!link) return;
  setTimeout(() => { if (!document.hidden) location.replace(link.href); }, 5000);
}
