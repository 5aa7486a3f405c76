import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { basename, join } from 'node:path';
import { getResponse } from 'msw';
import type { Connect, Plugin } from 'vite';
import { handlers } from '../mock/handlers.ts';
import { newShop } from '../mock/shop.ts';

/**
 * Answers the admin API from the mock while developing (`npm run dev`) and when a build is looked at
 * (`npm run preview`), so that the screens run without a server. Nothing of it gets into the build.
 * Set ADMIN_API to the origin of a running shop to use that instead (see vite.config.ts).
 */
export function mockApi(pictureFolder: string | undefined): Plugin {
  const shop = newShop();
  const all = handlers(shop);
  const middleware: Connect.NextHandleFunction = (req, res, next) => {
    const path = (req.url ?? '').split('?')[0] ?? '';
    if (path.startsWith('/api/')) answer(req, res).catch(next);
    else if (path.startsWith('/media/')) picture(path, pictureFolder, res).catch(next);
    else next();
  };

  async function answer(req: IncomingMessage, res: ServerResponse) {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const request = new Request(`http://${req.headers.host ?? 'localhost'}${req.url ?? ''}`, {
      method: req.method ?? 'GET',
      headers: req.headers as Record<string, string>,
      body: body.length > 0 ? body : null,
    });
    const response = (await getResponse(all, request)) ?? new Response(null, { status: 404 });
    res.writeHead(response.status, Object.fromEntries(response.headers));
    res.end(Buffer.from(await response.arrayBuffer()));
  }

  return {
    name: 'mock-api',
    configureServer: (server) => void server.middlewares.use(middleware),
    configurePreviewServer: (server) => void server.middlewares.use(middleware),
  };
}

async function picture(path: string, folder: string | undefined, res: ServerResponse) {
  if (folder) {
    res.writeHead(200, { 'Content-Type': 'image/jpeg' });
    res.end(await readFile(join(folder, basename(path))));
    return;
  }
  const hue = Array.from(path).reduce((sum, c) => sum + c.charCodeAt(0), 0) % 360;
  res.writeHead(200, { 'Content-Type': 'image/svg+xml' });
  res.end(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 10"><rect width="8" height="10" fill="hsl(${hue} 25% 70%)"/></svg>`,
  );
}
