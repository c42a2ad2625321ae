import { describe, expect, it } from '@jest/globals';
import { redacted } from './redaction.js';

describe('redacted', () => {
  it.each([
    {
      text: 'see https://management.azure.com/x/operations/1?t=1&c=MII&s=SIGNATURE&h=hash for more',
      secret: 'SIGNATURE',
      reason: 'a signed poll URL',
    },
    { text: 'Authorization: Bearer abcdefgh.12345678', secret: 'abcdefgh', reason: 'a bearer token' },
    {
      text: 'token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln was refused',
      secret: 'eyJhbGci',
      reason: 'a JWT without the word Bearer',
    },
    { text: 'SharedAccessKey=topsecretvalue;EntityPath=x', secret: 'topsecretvalue', reason: 'a connection string' },
  ])('hides $reason', ({ text, secret }) => {
    expect(text).toContain(secret);
    expect(redacted(text)).not.toContain(secret);
  });

  it('leaves ordinary links and words alone', () => {
    const text = 'Another operation is in progress. See https://aka.ms/aks-pending-operation for more details';
    expect(redacted(text)).toBe(text);
  });

  it('bounds the length', () => {
    expect(redacted('x'.repeat(100_000)).length).toBe(2000);
  });
});
