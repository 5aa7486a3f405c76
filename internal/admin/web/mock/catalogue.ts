import type { Product, Variant } from '../src/api/types';

const currency = 'USD';

type Seed = [
  sku: string,
  title: string,
  category: string,
  dollars: number,
  picture: string,
  colour: string,
  sizes: string,
];

/** Titles and pictures of Magento's Luma sample shop, as the demo's own catalogue has them. */
const seeds: Seed[] = [
  ['24-MB01', 'Joust Duffle Bag', 'Gear > Bags', 34, 'mb01-blue-0.jpg', '#42536b', ''],
  ['24-MB02', 'Fusion Backpack', 'Gear > Bags', 59, 'mb02-gray-0.jpg', '#77797d', ''],
  ['24-MB03', 'Crown Summit Backpack', 'Gear > Bags', 38, 'mb03-black-0.jpg', '#2f2f31', ''],
  ['24-MG04', 'Aim Analog Watch', 'Gear > Watches', 45, 'mg04-bk-0.jpg', '#3b3a3a', ''],
  ['24-UG07', 'Dual Handle Cardio Ball', 'Gear > Fitness Equipment', 12, 'ug07-bk-0.jpg', '#32363c', ''],
  ['24-WG02', 'Didi Sport Watch', 'Gear > Watches', 92, 'wg02-bk-0.jpg', '#4a4745', ''],
  ['24-WG09', 'Luma Analog Watch', 'Gear > Watches', 43, 'wg09-gr-0.jpg', '#6c7569', ''],
  [
    'MH03',
    'Bruno Compete Hoodie',
    'Men > Tops > Hoodies',
    63,
    'mh03-black_main.jpg',
    '#2b2c2f',
    'XS S M L XL',
  ],
  [
    'MH12',
    'Ajax Full-Zip Sweatshirt',
    'Men > Tops > Hoodies',
    69,
    'mh12-green_main.jpg',
    '#5f7a53',
    'XS S M L XL',
  ],
  [
    'MJ09',
    'Taurus Elements Shell',
    'Men > Tops > Jackets',
    65,
    'mj09-yellow_main.jpg',
    '#c9b246',
    'XS S M L XL',
  ],
  ['MP06', 'Mithra Warmup Pant', 'Men > Bottoms > Pants', 28, 'mp06-gray_main.jpg', '#85888c', '32 33 34 36'],
  [
    'MS03',
    'Balboa Persistence Tee',
    'Men > Tops > Tees',
    29,
    'ms03-black_main.jpg',
    '#323437',
    'XS S M L XL',
  ],
  ['MS12', 'Atlas Fitness Tank', 'Men > Tops > Tanks', 18, 'ms12-red_main.jpg', '#a03a35', 'XS S M L XL'],
  ['MSH09', 'Troy Yoga Short', 'Men > Bottoms > Shorts', 24, 'msh09-blue_main.jpg', '#41577d', '32 33 34 36'],
  [
    'WB03',
    'Celeste Sports Bra',
    'Women > Tops > Bras & Tanks',
    39,
    'wb03-green_main.jpg',
    '#6c8a5b',
    'XS S M L XL',
  ],
  [
    'WH07',
    'Phoebe Zipper Sweatshirt',
    'Women > Tops > Hoodies',
    59,
    'wh07-gray_main.jpg',
    '#8c8c8d',
    'XS S M L XL',
  ],
  [
    'WJ04',
    'Ingrid Running Jacket',
    'Women > Tops > Jackets',
    84,
    'wj04-white_main.jpg',
    '#cfcfd1',
    'XS S M L XL',
  ],
  ['WP01', 'Karmen Yoga Pant', 'Women > Bottoms > Pants', 39, 'wp01-gray_main.jpg', '#777a7f', '28 29'],
  ['WS06', 'Elisa EverCool Tee', 'Women > Tops > Tees', 29, 'ws06-purple_main.jpg', '#7c5d8f', 'XS S M L XL'],
  [
    'WSH03',
    'Gwen Drawstring Bike Short',
    'Women > Bottoms > Shorts',
    50,
    'wsh03-gray_main.jpg',
    '#7f8185',
    '28 29 30 31',
  ],
  [
    'WT09',
    'Breathe-Easy Tank',
    'Women > Tops > Bras & Tanks',
    34,
    'wt09-white_main.jpg',
    '#d5d5d7',
    'XS S M L XL',
  ],
];

const description =
  'Made for days that start early and end late. Breathable, quick to dry, and cut so that nothing pulls.\n' +
  '- Moisture-wicking fabric.\n- Flat seams.\n- Machine wash cold.';

/** The products of the mock shop, the same at every start: tests rely on their ids. */
export function makeProducts(): Product[] {
  const products = seeds.map(makeProduct);
  products[2] = { ...required(products[2]), status: 'draft' };
  products[6] = { ...required(products[6]), status: 'archived' };
  return products;
}

function makeProduct([sku, title, category, dollars, picture, colour, sizes]: Seed, index: number): Product {
  const names = sizes ? sizes.split(' ') : [''];
  return {
    id: `prod_${String(index + 1).padStart(3, '0')}`,
    slug: title.toLowerCase().replaceAll(' ', '-'),
    title,
    description,
    brand: 'Luma',
    status: 'active',
    version: 3,
    category: { id: `cat_${index}`, name: category.split(' > ').at(-1) ?? '', path: category },
    images: [{ url: `/media/${picture}`, alt: title, width: 800, height: 1000, colour }],
    options: sizes ? [{ name: 'Size', values: names }] : [],
    variants: names.map((size, n) => makeVariant(sku, size, dollars, index * 7 + n * 3)),
  };
}

function makeVariant(sku: string, size: string, dollars: number, salt: number): Variant {
  const onHand = (salt * 37) % 90;
  const reserved = onHand > 4 ? salt % 4 : 0;
  return {
    id: `var_${sku}${size && `_${size}`}`.toLowerCase(),
    sku: size ? `${sku}-${size}` : sku,
    options: size ? { Size: size } : {},
    price: { amount: dollars * 100, currency },
    compare_at_price: salt % 5 === 0 ? { amount: dollars * 120, currency } : null,
    version: 1,
    on_hand: onHand,
    reserved,
    available: onHand - reserved,
  };
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the mock catalogue is too short');
  return value;
}
