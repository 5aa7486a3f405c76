import type { Order, OrderLine } from '../api/types';

/** Pieces of a line that are still to go out. */
export function unsent(line: OrderLine): number {
  return line.quantity - line.fulfilled_quantity - line.cancelled_quantity;
}

/** Pieces of a line that were sent, were not given back, and are not on their way back. */
export function returnable(order: Order, line: OrderLine): number {
  const onTheirWay = order.returns
    .filter(({ status }) => status === 'requested' || status === 'approved')
    .flatMap(({ lines }) => lines)
    .filter(({ line_id: id }) => id === line.id)
    .reduce((sum, { quantity }) => sum + quantity, 0);
  return line.fulfilled_quantity - line.returned_quantity - onTheirWay;
}

/** How many pieces of each line are meant, by the line's id. */
export type Counts = Record<string, number>;

/** So many of each line. */
export function countsOf(lines: OrderLine[], of: (line: OrderLine) => number): Counts {
  return Object.fromEntries(lines.map((line): [string, number] => [line.id, of(line)]));
}

/** The counts as the API reads them, without those of nothing. */
export function piecesOf(counts: Counts): { line_id: string; quantity: number }[] {
  return Object.entries(counts)
    .filter(([, quantity]) => quantity > 0)
    .map(([line_id, quantity]) => ({ line_id, quantity }));
}

export const sumOf = (counts: Counts): number => Object.values(counts).reduce((sum, n) => sum + n, 0);
