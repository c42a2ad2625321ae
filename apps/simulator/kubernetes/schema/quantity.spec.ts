import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { canonicalQuantity, compareQuantities, quantityText } from './quantity.js';

describe('canonicalQuantity', () => {
  it.each([
    ['1000m', '1', 'whole numbers have no suffix'],
    ['1500m', '1500m', 'thousandths stay'],
    ['0.5', '500m', 'fractions become thousandths'],
    ['10000', '10k', 'thousands are shortened, as a node of 10000 processors was recorded'],
    ['64Mi', '64Mi', 'as it was'],
    ['1024Mi', '1Gi', 'the largest unit'],
    ['1.5Gi', '1536Mi', 'no fractions of binary units'],
    ['0.5Ki', '512', 'less than a binary unit'],
    ['0', '0', 'nothing'],
    ['-2000m', '-2', 'less than nothing'],
    ['1e3', '1e3', 'exponents stay'],
    ['100E', '100E', 'the largest decimal unit'],
    ['0.1n', '1n', 'finer than a billionth is rounded up'],
  ])('%s is %s: %s', (text, canonical) => {
    expect(canonicalQuantity(text)).toBe(canonical);
  });

  it.each([
    ['', 'empty'],
    ['1 Gi', 'a blank'],
    ['Gi', 'no number'],
    ['1.2.3', 'two points'],
    ['1KB', 'no such unit'],
  ])('does not know %j: %s', (text) => {
    expect(canonicalQuantity(text)).toBeUndefined();
  });

  it('is canonical already, and worth the same', () => {
    const quantity = fc
      .tuple(fc.nat(100_000), fc.constantFrom('', 'm', 'k', 'M', 'Ki', 'Mi', 'Gi', 'e3'))
      .map(([amount, unit]) => `${amount}${unit}`);
    fc.assert(
      fc.property(quantity, (text) => {
        const canonical = canonicalQuantity(text)!;
        expect(canonicalQuantity(canonical)).toBe(canonical);
        expect(compareQuantities(text, canonical)).toBe(0);
      }),
    );
  });
});

describe('compareQuantities', () => {
  it.each([
    ['1', '1000m', 0],
    ['1Gi', '1G', 1],
    ['900m', '1', -1],
  ])('%s and %s: %s', (left, right, order) => {
    expect(compareQuantities(left, right)).toBe(order);
  });

  it('refuses what cannot be compared', () => {
    expect(() => compareQuantities('1', 'much')).toThrow(RangeError);
  });
});

it('a quantity may be written as a number', () => {
  expect([quantityText(2), quantityText('2'), quantityText('x'), quantityText(null), quantityText({})]).toEqual([
    '2',
    '2',
    undefined,
    undefined,
    undefined,
  ]);
});
