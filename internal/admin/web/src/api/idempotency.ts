import { ApiError } from './client';

/** A new random key. Does not need a secure context, as randomUUID would: a shop may be tried over plain HTTP. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Keeps one Idempotency-Key per intention: while the outcome of a write is unknown (no answer, 5xx, still running),
 * trying again with the same body repeats the key, so that the server does the work once. A clear answer or another
 * body starts a new one.
 */
export class IntentKeys {
  private pending = new Map<string, string>();

  async run<T>(intent: string, body: unknown, write: (key: string) => Promise<T>): Promise<T> {
    const name = `${intent} ${JSON.stringify(body)}`;
    const key = this.pending.get(name) ?? newKey();
    this.pending.set(name, key);
    try {
      const result = await write(key);
      this.pending.delete(name);
      return result;
    } catch (error) {
      if (error instanceof ApiError && isFinal(error)) this.pending.delete(name);
      throw error;
    }
  }
}

function isFinal(error: ApiError): boolean {
  return error.status < 500 && error.status !== 429 && error.code !== 'request_in_progress';
}

/** The keys of this browser tab. */
export const intents = new IntentKeys();
