import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { quantityMillis, quantityValue } from './resource-quantity.js';

describe('quantityValue', () => {
  it.each([
    { quantity: '0', value: 0, reason: 'nothing' },
    { quantity: '110', value: 110, reason: 'a plain number' },
    { quantity: 110, value: 110, reason: 'a number that was not quoted' },
    { quantity: '1e3', value: 1000, reason: 'an exponent' },
    { quantity: '1E3', value: 1000, reason: 'an exponent, in capitals' },
    { quantity: '25E-1', value: 3, reason: 'a negative exponent, rounded up' },
    { quantity: '1E', value: Number.MAX_SAFE_INTEGER, reason: 'an exa, which is more than can be said exactly' },
    { quantity: '10k', value: 10_000, reason: 'kilo is written small' },
    { quantity: '1M', value: 10 ** 6, reason: 'mega' },
    { quantity: '2G', value: 2 * 10 ** 9, reason: 'giga' },
    { quantity: '1T', value: 10 ** 12, reason: 'tera' },
    { quantity: '1P', value: 10 ** 15, reason: 'peta' },
    { quantity: '64Ki', value: 65_536, reason: 'kibi' },
    { quantity: '64Mi', value: 64 * 2 ** 20, reason: 'mebi' },
    { quantity: '4Gi', value: 4 * 2 ** 30, reason: 'gibi' },
    { quantity: '4Ti', value: 4 * 2 ** 40, reason: 'tebi' },
    { quantity: '1Pi', value: 2 ** 50, reason: 'pebi' },
    { quantity: '1.5Gi', value: 1.5 * 2 ** 30, reason: 'a part of a gibi' },
    { quantity: '.5', value: 1, reason: 'no digit before the point' },
    { quantity: '5.', value: 5, reason: 'no digit after the point' },
    { quantity: '+7', value: 7, reason: 'a sign' },
    { quantity: '-1500m', value: -2, reason: 'rounded away from zero' },
    { quantity: '1500m', value: 2, reason: 'parts of a byte count as one' },
    { quantity: '1n', value: 1, reason: 'as does the smallest part' },
    { quantity: '128974848000m', value: 128_974_848, reason: 'as servers write what was computed' },
    { quantity: '1Ei', value: Number.MAX_SAFE_INTEGER, reason: 'more than can be said exactly' },
    { quantity: '1e999999999999', value: Number.MAX_SAFE_INTEGER, reason: 'absurdly much' },
    { quantity: '1e-999999999999', value: 1, reason: 'absurdly little' },
    { quantity: '0e999999999999', value: 0, reason: 'nothing, however often' },
  ])('reads $quantity: $reason', ({ quantity, value }) => {
    expect(quantityValue(quantity)).toBe(value);
  });

  it.each([
    '',
    '.',
    '+',
    'm',
    '1K',
    '1ki',
    '1 Gi',
    ' 1',
    '1Gi ',
    '1mi',
    '0x10',
    '1e',
    '1e1.5',
    '1e3k',
    '--1',
    'NaN',
    '9'.repeat(101),
    null,
    undefined,
    true,
    ['1'],
    Infinity,
  ])('takes %p for none', (quantity) => {
    expect(quantityValue(quantity)).toBeNull();
  });
});

describe('quantityMillis', () => {
  it.each([
    { quantity: '250m', millis: 250, reason: 'thousandths as they are' },
    { quantity: '2', millis: 2000, reason: 'whole cores' },
    { quantity: '0.1', millis: 100, reason: 'parts, without the error of binary fractions' },
    { quantity: '1.0001', millis: 1001, reason: 'less than a thousandth counts as one' },
    { quantity: '100u', millis: 1, reason: 'millionths too' },
    { quantity: '10k', millis: 10_000_000, reason: 'the cores of a virtual node' },
  ])('reads $quantity: $reason', ({ quantity, millis }) => {
    expect(quantityMillis(quantity)).toBe(millis);
  });
});

describe('any quantity', () => {
  const suffixes = { '': 1n, k: 10n ** 3n, M: 10n ** 6n, G: 10n ** 9n, Ki: 1n << 10n, Mi: 1n << 20n, Gi: 1n << 30n };
  const written = fc.record({
    digits: fc.nat({ max: 9_999_999 }),
    decimals: fc.nat({ max: 6 }),
    suffix: fc.constantFrom(...(Object.keys(suffixes) as (keyof typeof suffixes)[])),
  });
  const textOf = ({ digits, decimals, suffix }: { digits: number; decimals: number; suffix: string }): string => {
    const padded = String(digits).padStart(decimals + 1, '0');
    return `${padded.slice(0, padded.length - decimals)}.${padded.slice(padded.length - decimals)}${suffix}`;
  };

  it('is the least number of units that holds it', () => {
    fc.assert(
      fc.property(written, (parts) => {
        const value = BigInt(quantityValue(textOf(parts)) ?? -1);
        const scale = 10n ** BigInt(parts.decimals);
        const exact = BigInt(parts.digits) * suffixes[parts.suffix];
        expect(value * scale >= exact || value === BigInt(Number.MAX_SAFE_INTEGER)).toBe(true);
        expect(value === 0n || (value - 1n) * scale < exact).toBe(true);
      }),
    );
  });

  it('has as many thousandths as a thousand of it has units', () => {
    fc.assert(
      fc.property(written, ({ digits, decimals }) => {
        const text = textOf({ digits, decimals, suffix: '' });
        expect(quantityMillis(text)).toBe(quantityValue(`${text}k`));
        expect(quantityMillis(`${text}m`)).toBe(quantityValue(text));
      }),
    );
  });

  it('is the same however its exponent is written', () => {
    fc.assert(
      fc.property(fc.nat({ max: 999_999 }), fc.integer({ min: -12, max: 9 }), (digits, exponent) => {
        expect(quantityValue(`${digits}e${exponent}`)).toBe(quantityValue(`${digits}E${exponent}`));
        expect(quantityValue(`${digits}e3`)).toBe(quantityValue(`${digits}k`));
      }),
    );
  });

  it('of any text is a number that can be said exactly, or none', () => {
    const quantityLike = fc.stringMatching(/^[-+.0-9eEinumkKMGTP]{0,12}$/);
    fc.assert(
      fc.property(fc.oneof(fc.string(), quantityLike), (text) => {
        const value = quantityMillis(text);
        expect(value === null || Number.isSafeInteger(value)).toBe(true);
      }),
    );
  });
});
