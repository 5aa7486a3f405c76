import '@testing-library/jest-dom/vitest';
import { cleanup, configure } from '@testing-library/react';
import { afterAll, afterEach, beforeAll, vi } from 'vitest';
import { server } from './server';

// Pages load their chunks on first use, which takes its time on a busy machine.
configure({ asyncUtilTimeout: 10_000 });

// What jsdom lacks and the components ask for.
vi.stubGlobal('matchMedia', (query: string): Partial<MediaQueryList> => ({
  // Of all queries only the empty one, "always", holds: a wide screen, light, with motion.
  matches: query === '',
  media: query,
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
}));
class NoObserver {
  observe = () => undefined;
  unobserve = () => undefined;
  disconnect = () => undefined;
}
vi.stubGlobal('ResizeObserver', NoObserver);
vi.stubGlobal('IntersectionObserver', NoObserver);
Object.defineProperty(document, 'fonts', { value: new EventTarget() });
window.scrollTo = () => undefined;
Element.prototype.scrollIntoView = () => undefined;

beforeAll(() => {
  server.listen({ onUnhandledRequest: 'error' });
});
afterEach(() => {
  cleanup();
  server.resetHandlers();
});
afterAll(() => {
  server.close();
});
