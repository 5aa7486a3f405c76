import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import { fingerprint } from './vite/fingerprint.ts';
import { mockApi } from './vite/mock-api.ts';

// ADMIN_API: origin of a running shop to develop against; the mock answers when it is empty.
// ADMIN_MOCK_PICTURES: folder with the demo catalogue's pictures, for the mock.
const { ADMIN_API: api, ADMIN_MOCK_PICTURES: pictures } = process.env;

export default defineConfig({
  base: '/admin/',
  plugins: [react(), fingerprint(), ...(api ? [] : [mockApi(pictures)])],
  server: {
    host: '127.0.0.1',
    ...(api ? { proxy: { '/api': api, '/media': api } } : {}),
  },
  // The Go handler writes a fresh nonce in place of this word on every answer.
  html: { cspNonce: 'SHOPD_CSP_NONCE' },
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    sourcemap: false,
    modulePreload: { polyfill: false },
    // The security policy allows no data: URLs but for pictures; fonts stay files.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
  },
  test: {
    environment: 'jsdom',
    setupFiles: ['./test/setup.ts'],
    include: ['test/**/*.test.{ts,tsx}'],
    css: false,
    restoreMocks: true,
    testTimeout: 30_000,
  },
});
