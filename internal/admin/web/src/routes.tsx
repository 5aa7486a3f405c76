import { createBrowserRouter, type RouteObject } from 'react-router';
import { RouteError } from './components/route-error';
import { Layout } from './layout/layout';
import { RequireSession } from './session/require-session';

/** Every page is a chunk of its own. */
export const routes: RouteObject[] = [
  {
    errorElement: <RouteError />,
    // Chunks arrive within a moment; until then the page stays empty rather than flash.
    hydrateFallbackElement: <></>,
    children: [
      { path: '/login', lazy: async () => ({ Component: (await import('./session/login-page')).LoginPage }) },
      {
        element: (
          <RequireSession>
            <Layout />
          </RequireSession>
        ),
        children: [
          {
            errorElement: <RouteError />,
            children: [
              { index: true, lazy: async () => ({ Component: (await import('./home/home-page')).HomePage }) },
              {
                path: 'orders',
                lazy: async () => ({ Component: (await import('./orders/orders-page')).OrdersPage }),
              },
              {
                path: 'orders/:id',
                lazy: async () => ({ Component: (await import('./orders/order-page')).OrderPage }),
              },
              {
                path: 'products',
                lazy: async () => ({ Component: (await import('./products/products-page')).ProductsPage }),
              },
              {
                path: 'products/:id',
                lazy: async () => ({ Component: (await import('./products/product-page')).ProductPage }),
              },
              {
                path: 'promotions',
                lazy: async () => ({
                  Component: (await import('./promotions/promotions-page')).PromotionsPage,
                }),
              },
              {
                path: 'promotions/new',
                lazy: async () => ({
                  Component: (await import('./promotions/promotion-page')).NewPromotionPage,
                }),
              },
              {
                path: 'promotions/:id',
                lazy: async () => ({
                  Component: (await import('./promotions/promotion-page')).PromotionPage,
                }),
              },
              {
                path: '*',
                lazy: async () => ({ Component: (await import('./components/not-found')).NotFound }),
              },
            ],
          },
        ],
      },
    ],
  },
];

export const router = () => createBrowserRouter(routes, { basename: '/admin' });
