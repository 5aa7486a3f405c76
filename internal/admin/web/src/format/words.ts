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

/** The path of a category, "Women > Tops", with a finer sign between its parts. */
export function pathText(path: string): string {
  return path.replaceAll(' > ', ' › ');
}

/** Who did something, from "customer:cus_1", "staff:stf_1" or "system"; "You" for the reader. */
export function actorText(actor: string, me: string | undefined): string {
  const [kind = '', id] = actor.split(':');
  return id && id === me ? 'You' : humanise(kind);
}
