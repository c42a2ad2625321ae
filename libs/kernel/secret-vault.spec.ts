import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { Secret } from './secret.js';
import { SecretVault } from './secret-vault.js';

const key = (): Secret => new Secret(randomBytes(32).toString('base64'));
const unavailable = expect.objectContaining({ code: 'UNAVAILABLE' });

describe('SecretVault', () => {
  it('opens what it sealed, and never seals the same way twice', () => {
    const vault = new SecretVault([key()]);
    const secret = new Secret('apiVersion: v1 ü');
    const [first, second] = [vault.seal('place', secret), vault.seal('place', secret)];
    expect(first).not.toBe(second);
    expect(vault.open('place', first).reveal()).toBe('apiVersion: v1 ü');
    expect(first).not.toContain(Buffer.from('apiVersion').toString('base64url').slice(0, 8));
  });

  it('opens with an older key what was sealed before the key was changed', () => {
    const [older, newer] = [key(), key()];
    const sealed = new SecretVault([older]).seal('place', new Secret('kept'));
    const vault = new SecretVault([newer, older]);
    expect(vault.open('place', sealed).reveal()).toBe('kept');
    expect(sealed.split('.')[1]).not.toBe(vault.keyId);
  });

  const vault = new SecretVault([key()]);
  const sealed = vault.seal('place', new Secret('kept'));
  const flipped = `${sealed.slice(0, -3)}${sealed.at(-3) === 'A' ? 'B' : 'A'}${sealed.slice(-2)}`;

  it.each([
    { reason: 'in another place', vault, purpose: 'elsewhere', sealed },
    { reason: 'by a vault that lost the key', vault: new SecretVault([key()]), purpose: 'place', sealed },
    { reason: 'after it was changed', vault, purpose: 'place', sealed: flipped },
    { reason: 'when most of it is missing', vault, purpose: 'place', sealed: sealed.slice(0, 24) },
    { reason: 'of another version', vault, purpose: 'place', sealed: sealed.replace('v1', 'v2') },
  ])('does not open it $reason', ({ vault: opener, purpose, sealed: text }) => {
    expect(() => opener.open(purpose, text)).toThrow(unavailable);
  });

  it('refuses to keep anything without a key', () => {
    const empty = new SecretVault([]);
    expect(() => empty.seal('place', new Secret('x'))).toThrow(unavailable);
    expect(empty.keyId).toBeUndefined();
  });

  it('refuses a key of another length', () => {
    expect(() => new SecretVault([new Secret('c2hvcnQ=')])).toThrow(TypeError);
  });

  it('has the same fingerprint for the same text and place only', () => {
    expect(vault.fingerprint('place', 'a')).toBe(vault.fingerprint('place', 'a'));
    expect(vault.fingerprint('place', 'a')).not.toBe(vault.fingerprint('place', 'b'));
    expect(vault.fingerprint('place', 'a')).not.toBe(vault.fingerprint('other', 'a'));
  });
});
