import { describe, expect, it } from '@jest/globals';
import { retryAfterSeconds } from './retry-after.js';

describe('retryAfterSeconds', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  it.each([
    { headers: { 'retry-after': '17' }, seconds: 17, reason: 'whole seconds' },
    { headers: { 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' }, seconds: 30, reason: 'an HTTP date' },
    { headers: { 'retry-after': 'Wed, 31 Dec 2025 23:00:00 GMT' }, seconds: 0, reason: 'a date that has passed' },
    {
      headers: { 'x-ms-retry-after-ms': '1500', 'retry-after': '9' },
      seconds: 1.5,
      reason: 'milliseconds are more exact',
    },
    { headers: { 'retry-after': 'soon' }, seconds: undefined, reason: 'no time at all' },
    { headers: {}, seconds: undefined, reason: 'absent' },
  ])('$reason', ({ headers, seconds }) => {
    expect(retryAfterSeconds(new Map(Object.entries(headers)), now)).toBe(seconds);
  });
});
