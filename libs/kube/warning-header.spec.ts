import { describe, expect, it } from '@jest/globals';
import { warningsOf } from './warning-header.js';

describe('warningsOf', () => {
  it.each([
    { header: undefined, expected: [], reason: 'none' },
    { header: '299 - "unknown field \\"spec.a\\""', expected: ['unknown field "spec.a"'], reason: 'quotes within' },
    { header: ['299 - "one, and more"', '299 - "two"'], expected: ['one, and more', 'two'], reason: 'several headers' },
    { header: '299 - "one", 299 k8s "two"', expected: ['one', 'two'], reason: 'several in one header' },
    { header: ['299 - "same"', '299 - "same"'], expected: ['same'], reason: 'the same once more' },
    { header: 'nonsense', expected: [], reason: 'something else' },
  ])('reads $reason', ({ header, expected }) => {
    expect(warningsOf({ warning: header })).toEqual(expected);
  });
});
