import type { Promotion } from '../src/api/types';

/** Promotions of the mock shop, the newest first. */
export function makePromotions(now: Date): Promotion[] {
  const at = (days: number) => new Date(now.getTime() + days * 86_400_000).toISOString();
  const common = {
    active: true,
    include: {},
    exclude: {},
    conditions: {},
    stacking: 'combinable' as const,
    uses: 0,
    version: 1,
    created_at: at(-20),
    updated_at: at(-20),
  };
  return [
    {
      ...common,
      id: 'promo_1',
      title: 'Spring sale',
      kind: 'percentage',
      percent: 10,
      codes: ['SPRING10'],
      use_limit: 500,
      per_customer_limit: 1,
      uses: 132,
      conditions: { minimum_subtotal: [{ amount: 5000, currency: 'USD' }], customer_groups: ['friends'] },
    },
    { ...common, id: 'promo_2', title: 'Free shipping in July', kind: 'free_shipping', valid_from: at(40) },
    {
      ...common,
      id: 'promo_3',
      title: 'Three for two',
      kind: 'buy_x_get_y',
      percent: 100,
      buy: { quantity: 2 },
      get: { quantity: 1 },
      active: false,
    },
  ];
}
