/** "pending_payment" as people write it: "Pending payment". */
export function humanise(code: string): string {
  const text = code.replace(/[_.]/g, ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** "1 item", "3 items". Counts are written in the reader's language. */
export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString()} ${count === 1 ? one : many}`;
}

/** The options of a variant in one line: "M / Blue". */
export function optionText(options: Record<string, string>): string {
  return Object.values(options).join(' / ');
}

/** The path of a category in one line, whether the server sends it as text or in parts. */
export function pathText(path: string | string[]): string {
  return Array.isArray(path) ? path.join(' › ') : path.replace(/ ?> ?/g, ' › ');
}

/** The name of something that is sent as its name or as an object with one. */
export function nameOf(thing: string | { name: string } | null): string {
  return typeof thing === 'string' ? thing : (thing?.name ?? '');
}
