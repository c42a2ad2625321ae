import { describe, expect, it } from '@jest/globals';
import { isAtImage } from './node-image.js';

const FAMILY = 'AKSUbuntu-2204gen2containerd';

describe('whether nodes are at an image', () => {
  it.each([
    { image: `${FAMILY}-202610.28.0`, wanted: `${FAMILY}-202610.28.0`, at: true, reason: 'it is that one' },
    { image: `${FAMILY}-202611.02.0`, wanted: `${FAMILY}-202610.28.0`, at: true, reason: 'it is of a later month' },
    { image: `${FAMILY}-202610.28.1`, wanted: `${FAMILY}-202610.28.0`, at: true, reason: 'it was mended since' },
    { image: `${FAMILY}-202610.9.0`, wanted: `${FAMILY}-202610.28.0`, at: false, reason: 'days are numbers' },
    { image: `${FAMILY}-202609.30.9`, wanted: `${FAMILY}-202610.28.0`, at: false, reason: 'it is of an earlier month' },
    { image: 'AKSAzureLinux-V3gen2-202611.02.0', wanted: `${FAMILY}-202610.28.0`, at: false, reason: 'another family' },
    { image: 'custom', wanted: `${FAMILY}-202610.28.0`, at: false, reason: 'it has no date' },
    { image: null, wanted: `${FAMILY}-202610.28.0`, at: false, reason: 'nobody tells it' },
  ])('$image of $wanted: $at, since $reason', ({ image, wanted, at }) => {
    expect(isAtImage(image, wanted)).toBe(at);
  });
});
