import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig, devices } from '@playwright/test';

// The demo under test has ports and data of its own, so that it does not meet a demo that a person runs. E2E_PORT and
// E2E_DATA move it, for a second run beside the first.
const port = Number(process.env.E2E_PORT ?? 18480);
const storefront = `http://127.0.0.1:${port}`;
const ops = `http://127.0.0.1:${port + 10}`;
const data = process.env.E2E_DATA ?? join(tmpdir(), 'shopd-e2e');
const ci = Boolean(process.env.CI);

export default defineConfig({
  testDir: 'tests',
  outputDir: 'artifacts/results',
  // One demo serves all tests; two browsers are what two cores carry.
  workers: 2,
  fullyParallel: true,
  forbidOnly: ci,
  retries: 0,
  // Generous: two cores may be busy with more than the browsers.
  timeout: 180_000,
  expect: { timeout: 20_000 },
  reporter: [['list'], ['html', { outputFolder: 'artifacts/report', open: 'never' }]],
  use: {
    baseURL: storefront,
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
    launchOptions: {
      // The system's browser: nothing is downloaded. Its sandbox needs privileges that a container does not have.
      executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    },
  },
  projects: [
    { name: 'desktop', use: { ...devices['Desktop Chrome'], viewport: { width: 1440, height: 900 } } },
    { name: 'phone', use: { ...devices['Pixel 7'] } },
  ],
  webServer: {
    command: `../bin/shopd demo --reset --json --data "${data}" --addr 127.0.0.1:${port} --ops-addr 127.0.0.1:${port + 10}`,
    // The line that the demo prints once it is ready; tests find the one-time link in SHOPD_E2E_ADMIN_URL.
    wait: { stdout: /"admin":\s*"(?<SHOPD_E2E_ADMIN_URL>[^"]+)"/ },
    url: `${ops}/readyz`,
    reuseExistingServer: !ci,
    timeout: 120_000,
    stdout: 'pipe',
    stderr: 'pipe',
    // The demo has servers of its own to stop.
    gracefulShutdown: { signal: 'SIGTERM', timeout: 30_000 },
  },
});
