// What the scripts share: asking the shop for a piece of a page, and telling screen readers what happened.

export async function piece(url, options = {}) {
  const answer = await fetch(url, { ...options, headers: { "X-Fragment": "1", ...options.headers } });
  const html = await answer.text();
  return { ok: answer.ok, html };
}

// nodes turns HTML that the shop rendered, and escaped, into elements.
export function nodes(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

export function say(text) {
  const live = document.getElementById("live");
  live.textContent = "";
  requestAnimationFrame(() => { live.textContent = text; });
}
