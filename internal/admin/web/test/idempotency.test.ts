import { describe, expect, it } from 'vitest';
import { ApiError, NetworkError } from '../src/api/client';
import { IntentKeys } from '../src/api/idempotency';

const apiError = (status: number, code = 'x') => new ApiError({ type: 'x', title: 'x', status, code });

/** The key of a first write that ends with outcome, and the key of the same write after it. */
async function keysAround(outcome: Error | null, secondBody: object = { n: 1 }) {
  const intents = new IntentKeys();
  const keys: string[] = [];
  const first = intents.run('/a', { n: 1 }, (key) => {
    keys.push(key);
    return outcome ? Promise.reject(outcome) : Promise.resolve();
  });
  await first.catch(() => undefined);
  await intents.run('/a', secondBody, (key) => Promise.resolve(keys.push(key)));
  return keys;
}

describe('the key of a repeated write', () => {
  it.each<[string, Error]>([
    ['the network failed', new NetworkError(null)],
    ['the server failed', apiError(503)],
    ['the first is still running', apiError(409, 'request_in_progress')],
    ['there were too many requests', apiError(429)],
  ])('stays when %s', async (_, outcome) => {
    const [first, second] = await keysAround(outcome);
    expect(second).toBe(first);
  });

  it.each<[string, Error | null]>([
    ['it worked', null],
    ['it was refused', apiError(409, 'out_of_stock')],
  ])('is new when %s', async (_, outcome) => {
    const [first, second] = await keysAround(outcome);
    expect(second).not.toBe(first);
  });

  it('is new for another body', async () => {
    const [first, second] = await keysAround(new NetworkError(null), { n: 2 });
    expect(second).not.toBe(first);
  });
});
