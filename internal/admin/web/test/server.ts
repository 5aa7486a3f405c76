import { setupServer } from 'msw/node';
import { handlers } from '../mock/handlers';
import { newShop, type Shop } from '../mock/shop';

/** Answers the requests of a test; every test says by openShop what it answers from. */
export const server = setupServer();

/** A fresh shop behind the API. The requests that were made are kept in `calls`. */
export function openShop(): Shop & { calls: Request[] } {
  const shop = Object.assign(newShop(), { calls: [] as Request[] });
  server.use(...handlers(shop));
  server.events.removeAllListeners();
  server.events.on('request:start', ({ request }) => {
    shop.calls.push(request.clone());
  });
  return shop;
}
