import type { LookupFunction } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { isLinkLocal, refusingLinkLocal } from './link-local.rule.js';

describe('isLinkLocal', () => {
  it.each([
    { hostname: '169.254.169.254', reason: 'the metadata service of most clouds' },
    { hostname: '169.254.0.1', reason: 'the beginning of the range' },
    { hostname: '[fe80::1]', reason: 'the range of IPv6, as a URL has it' },
    { hostname: 'fe80::1%eth0', reason: 'with the name of an interface' },
    { hostname: 'febf::ffff', reason: 'the end of the range of IPv6' },
    { hostname: '::ffff:169.254.169.254', reason: 'IPv4 within IPv6' },
    { hostname: '[::ffff:a9fe:a9fe]', reason: 'the same as a URL writes it' },
    { hostname: '64:ff9b::a9fe:a9fe', reason: 'as a NAT64 leads to it' },
    { hostname: '168.63.129.16', reason: 'what machines in Azure speak to' },
    { hostname: '::ffff:168.63.129.16', reason: 'the same within IPv6' },
    { hostname: '64:ff9b::a83f:8110', reason: 'the same as a NAT64 leads to it' },
    { hostname: 'fd00:ec2::254', reason: 'the metadata service of Amazon' },
  ])('$hostname: $reason', ({ hostname }) => {
    expect(isLinkLocal(hostname)).toBe(true);
  });

  it.each([
    { hostname: '169.253.255.255', reason: 'before the range' },
    { hostname: '169.255.0.0', reason: 'after the range' },
    { hostname: '10.0.0.1', reason: 'private, as many API servers are' },
    { hostname: '127.0.0.1', reason: 'this machine' },
    { hostname: '[::1]', reason: 'this machine' },
    { hostname: 'fec0::1', reason: 'after the range of IPv6' },
    { hostname: 'fd00::1', reason: 'private' },
    { hostname: '64:ff9b::a00:1', reason: 'another address behind a NAT64' },
    { hostname: 'api.example', reason: 'a name, of which nothing is known yet' },
    { hostname: '', reason: 'nothing' },
  ])('not $hostname: $reason', ({ hostname }) => {
    expect(isLinkLocal(hostname)).toBe(false);
  });
});

describe('refusingLinkLocal', () => {
  const outcomeOf = (lookup: LookupFunction, all: boolean) =>
    new Promise<{ error: unknown; found: unknown }>((resolve) => {
      refusingLinkLocal(lookup)('api.example', { all }, (error, found) => {
        resolve({ error, found });
      });
    });
  const one =
    (address: string): LookupFunction =>
    (_hostname, _options, callback) => {
      callback(null, address, 4);
    };
  const several =
    (...addresses: string[]): LookupFunction =>
    (_hostname, _options, callback) => {
      callback(
        null,
        addresses.map((address) => ({ address, family: 4 })),
      );
    };

  it.each([
    { lookup: one('169.254.169.254'), all: false, reason: 'the only address' },
    { lookup: several('10.0.0.1', '169.254.169.254'), all: true, reason: 'one of several addresses' },
  ])('refuses $reason', async ({ lookup, all }) => {
    expect((await outcomeOf(lookup, all)).error).toMatchObject({ code: 'INVALID_KUBECONFIG', retryable: false });
  });

  it('hands on every other address', async () => {
    expect(await outcomeOf(one('10.0.0.1'), false)).toEqual({ error: null, found: '10.0.0.1' });
    expect(await outcomeOf(several('10.0.0.1'), true)).toEqual({
      error: null,
      found: [{ address: '10.0.0.1', family: 4 }],
    });
  });

  it('hands on that a name is not known', async () => {
    const unknown = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
    const outcome = await outcomeOf((_hostname, _options, callback) => {
      callback(unknown, '');
    }, false);
    expect(outcome.error).toBe(unknown);
  });
});
