import { expect, it } from 'vitest';
import { makeProducts } from '../mock/catalogue';
import { inOrder } from '../src/api/variants';
import { optionText } from '../src/format/words';

const [template] = makeProducts()[0]?.variants ?? [];
if (!template) throw new Error('the mock catalogue is empty');

const variant = (options: Record<string, string>) => ({ ...template, options });

it('puts variants in the order of the options', () => {
  const options = [
    { name: 'Size', values: ['XS', 'S', 'M'] },
    { name: 'Colour', values: ['Blue', 'Green'] },
  ];
  const variants = [
    variant({ Colour: 'Blue', Size: 'M' }),
    variant({ Colour: 'Green', Size: 'XS' }),
    variant({ Colour: 'Blue', Size: 'XS' }),
    variant({ Colour: 'Green', Size: 'S', Extra: 'Hood' }),
  ];
  expect(inOrder(variants, options).map((v) => optionText(v.options))).toEqual([
    'XS / Blue',
    'XS / Green',
    'S / Green / Hood',
    'M / Blue',
  ]);
});

it('leaves the only variant alone', () => {
  expect(inOrder([template], [])).toEqual([template]);
});
