import { format, inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { Secret } from './secret.js';

describe('a Secret', () => {
  const secret = new Secret('hunter2');

  it.each([
    { reason: 'in a text', text: String(secret) },
    { reason: 'as JSON', text: JSON.stringify({ deep: [{ secret }] }) },
    { reason: 'inspected', text: inspect({ secret }, { depth: 5, showHidden: true }) },
    { reason: 'formatted', text: format('%o %s %j', secret, secret, secret) },
    { reason: 'by its members', text: JSON.stringify(Object.entries(secret)) },
  ])('does not show itself $reason', ({ text }) => {
    expect(text).not.toContain('hunter2');
  });

  it('is there for whoever asks', () => {
    expect(secret.reveal()).toBe('hunter2');
  });
});
