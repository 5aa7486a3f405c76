import type { Problem } from './types';

/** Where the administration's API lives; the same origin, so that the session cookie goes along. */
export const apiBase = '/api/v1/admin';

/** An answer of the server that is not a success. */
export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail ?? problem.title);
    this.name = 'ApiError';
    this.problem = problem;
  }

  get status(): number {
    return this.problem.status;
  }

  get code(): string {
    return this.problem.code;
  }

  /** The message for one field of the body, such as `/title`; undefined when the field was fine. */
  field(pointer: string): string | undefined {
    return this.problem.errors?.find((e) => e.pointer === pointer || e.pointer === `/body${pointer}`)?.detail;
  }
}

/** No answer arrived: the server is away or the network is. Whether a write took place is not known. */
export class NetworkError extends Error {
  constructor(cause: unknown) {
    super('The server did not answer. Check the connection and try again.', { cause });
    this.name = 'NetworkError';
  }
}

type Query = Record<string, string | number | undefined | null>;

interface RequestOptions {
  body?: unknown;
  headers?: Record<string, string>;
  query?: Query;
  signal?: AbortSignal | undefined;
}

type SessionListener = () => void;
const sessionListeners = new Set<SessionListener>();

/** Calls listener whenever the server says that the session has ended. Returns the way to stop. */
export function onSessionEnd(listener: SessionListener): () => void {
  sessionListeners.add(listener);
  return () => sessionListeners.delete(listener);
}

/**
 * Sends one request and returns the decoded answer, undefined for 204.
 * Rejects with ApiError, NetworkError, or an AbortError when signal ended it.
 */
export async function request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  const response = await send(method, path, options);
  if (!response.ok) {
    const problem = await readProblem(response);
    // A refused sign-in is also 401, and is the login form's to show.
    if (response.status === 401 && path !== '/session') {
      sessionListeners.forEach((listener) => {
        listener();
      });
    }
    throw new ApiError(problem);
  }
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

async function send(
  method: string,
  path: string,
  { body, headers, query, signal }: RequestOptions,
): Promise<Response> {
  const init: RequestInit = {
    method,
    credentials: 'same-origin',
    headers: {
      Accept: 'application/json',
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
    signal: signal ?? null,
  };
  if (body !== undefined) init.body = JSON.stringify(body);
  try {
    return await fetch(apiBase + path + queryString(query), init);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new NetworkError(error);
  }
}

function queryString(query: Query | undefined): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== '') params.set(name, String(value));
  }
  const text = params.toString();
  return text && `?${text}`;
}

async function readProblem(response: Response): Promise<Problem> {
  const fallback: Problem = {
    type: 'about:blank',
    title: response.statusText || 'Unexpected answer',
    status: response.status,
    code: 'unexpected_answer',
    detail: `The server answered ${response.status} without an explanation.`,
  };
  // A proxy in front of the shop writes its own pages, so that the body may be anything.
  if (!response.headers.get('Content-Type')?.includes('json')) return fallback;
  try {
    return { ...fallback, ...((await response.json()) as Partial<Problem>) };
  } catch {
    return fallback;
  }
}

/** The text to show for any failure. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  return 'Something went wrong.';
}

/** The id that finds a failed request in the server's logs. */
export function requestIdOf(error: unknown): string | undefined {
  return error instanceof ApiError ? error.problem.request_id : undefined;
}
