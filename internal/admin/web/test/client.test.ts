import { http, HttpResponse } from 'msw';
import { expect, it, vi } from 'vitest';
import { problem } from '../mock/handlers';
import { ApiError, NetworkError, onSessionEnd, request } from '../src/api/client';
import { server } from './server';

const failure = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (error: unknown) => error,
  );

it('carries the problem that the server wrote', async () => {
  server.use(
    http.get('*/thing', () =>
      HttpResponse.json(
        {
          type: 'x',
          title: 'Invalid',
          status: 422,
          code: 'invalid',
          errors: [{ pointer: '/title', code: 'too_long', detail: 'Too long.' }],
        },
        { status: 422, headers: { 'Content-Type': 'application/problem+json' } },
      ),
    ),
  );
  const error = (await failure(request('GET', '/thing'))) as ApiError;
  expect(error).toBeInstanceOf(ApiError);
  expect([error.status, error.code, error.field('/title')]).toEqual([422, 'invalid', 'Too long.']);
});

it('understands an answer that is not of the shop', async () => {
  server.use(http.get('*/thing', () => HttpResponse.html('<h1>Bad gateway</h1>', { status: 502 })));
  const error = (await failure(request('GET', '/thing'))) as ApiError;
  expect([error.status, error.code]).toEqual([502, 'unexpected_answer']);
});

it('tells that nobody answered', async () => {
  server.use(http.get('*/thing', () => HttpResponse.error()));
  expect(await failure(request('GET', '/thing'))).toBeInstanceOf(NetworkError);
});

it('announces the end of the session, but not a refused sign-in', async () => {
  server.use(http.all('*/api/*', () => problem(401, 'unauthenticated', 'Sign in.')));
  const ended = vi.fn();
  const stop = onSessionEnd(ended);
  await failure(request('POST', '/session', { body: {} }));
  expect(ended).not.toHaveBeenCalled();
  await failure(request('GET', '/orders'));
  expect(ended).toHaveBeenCalledOnce();
  stop();
});

it('leaves empty filters out of the address', async () => {
  let search = '';
  server.use(
    http.get('*/orders', ({ request }) => {
      search = new URL(request.url).search;
      return HttpResponse.json({});
    }),
  );
  await request('GET', '/orders', { query: { q: '', status: 'paid', after: null, limit: 50 } });
  expect(search).toBe('?status=paid&limit=50');
});
