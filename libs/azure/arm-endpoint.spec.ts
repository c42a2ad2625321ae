import { describe, expect, it } from '@jest/globals';
import { ArmEndpoint } from './arm-endpoint.js';

describe('ArmEndpoint', () => {
  it.each([
    { text: 'http://management.azure.com', reason: 'plain http leaves this machine' },
    { text: 'http://127.0.0.1.evil.example', reason: 'only looks like a loopback address' },
    { text: 'http://[::2]:3100', reason: 'not the loopback address of IPv6' },
    { text: 'https://user:secret@management.azure.com', reason: 'credentials in a URL end up in logs' },
    { text: 'https://management.azure.com/base', reason: 'paths of ids start at the root' },
    { text: 'https://management.azure.com?x=1', reason: 'a query would be lost' },
    { text: 'ftp://127.0.0.1', reason: 'not http' },
    { text: 'management.azure.com', reason: 'not a URL' },
  ])('refuses $text: $reason', ({ text }) => {
    expect(() => new ArmEndpoint(text)).toThrow(TypeError);
  });

  it.each([
    { text: 'https://management.azure.com', scope: 'https://management.azure.com/.default', reason: 'public cloud' },
    {
      text: 'https://westus.management.azure.com',
      scope: 'https://management.azure.com/.default',
      reason: 'a regional name has no audience of its own',
    },
    {
      text: 'https://management.usgovcloudapi.net',
      scope: 'https://management.usgovcloudapi.net/.default',
      reason: 'a sovereign cloud',
    },
    { text: 'https://arm.stack.example', scope: 'https://arm.stack.example/.default', reason: 'Azure Stack Hub' },
    {
      text: 'http://127.0.0.1:3100',
      scope: 'https://management.azure.com/.default',
      reason: 'a simulator has no audience',
    },
  ])('asks for tokens of $scope at $text: $reason', ({ text, scope }) => {
    expect(new ArmEndpoint(text).tokenScope).toBe(scope);
  });

  it.each([
    {
      endpoint: 'https://management.azure.com',
      url: 'https://management.azure.com/a?t=1',
      followed: true,
      reason: 'the endpoint itself',
    },
    {
      endpoint: 'https://management.azure.com',
      url: 'https://westus.management.azure.com/a',
      followed: true,
      reason: 'a regional name',
    },
    {
      endpoint: 'https://westus.management.azure.com',
      url: 'https://management.azure.com/a',
      followed: true,
      reason: 'a regional endpoint hands out global URLs',
    },
    {
      endpoint: 'https://management.azure.com',
      url: '/subscriptions/x/operationresults/1',
      followed: true,
      reason: 'a relative Location, as resource groups have',
    },
    {
      endpoint: 'https://management.azure.com',
      url: 'http://management.azure.com/a',
      followed: false,
      reason: 'the token would travel in the clear',
    },
    {
      endpoint: 'https://management.azure.com',
      url: 'https://management.azure.com:8443/a',
      followed: false,
      reason: 'another port is another service',
    },
    {
      endpoint: 'https://management.azure.com',
      url: 'https://management.azure.com@evil.example/a',
      followed: false,
      reason: 'the host is evil.example',
    },
    {
      endpoint: 'https://management.azure.com',
      url: 'https://evil-management.azure.com/a',
      followed: false,
      reason: 'not below the name',
    },
    {
      endpoint: 'https://management.azure.com',
      url: 'https://westeurope.rp.kubernetesconfiguration.azure.com/a',
      followed: false,
      reason: 'an address of the extensions provider, outside ARM',
    },
    {
      endpoint: 'https://management.azure.com',
      url: 'https://management.usgovcloudapi.net/a',
      followed: false,
      reason: 'another cloud',
    },
    {
      endpoint: 'https://management.usgovcloudapi.net',
      url: 'https://usgovvirginia.management.usgovcloudapi.net/a',
      followed: true,
      reason: 'a region of that cloud',
    },
    {
      endpoint: 'https://arm.stack.example',
      url: 'https://x.arm.stack.example/a',
      followed: false,
      reason: 'an unknown host has no regional names',
    },
    {
      endpoint: 'http://127.0.0.1:3100',
      url: 'http://localhost:3100/a',
      followed: true,
      reason: 'the same simulator under its other name',
    },
    { endpoint: 'http://127.0.0.1:3100', url: 'http://127.0.0.1:3101/a', followed: false, reason: 'another process' },
    {
      endpoint: 'http://127.0.0.1:3100',
      url: 'https://management.azure.com/a',
      followed: false,
      reason: 'a simulator must not send us to the real cloud',
    },
    { endpoint: 'https://management.azure.com', url: 'not a url at all://', followed: false, reason: 'no URL' },
    {
      endpoint: 'https://management.azure.com',
      url: '//evil.example/a',
      followed: false,
      reason: 'relative to the scheme only',
    },
  ])('$reason ($url): $followed', ({ endpoint, url, followed }) => {
    expect(new ArmEndpoint(endpoint).follow(url) !== undefined).toBe(followed);
  });

  it('gives clients an https twin of a loopback endpoint and turns it back on the wire', () => {
    const endpoint = new ArmEndpoint('http://127.0.0.1:3100');
    const url = endpoint.url('/subscriptions', '2022-12-01', { $top: '5' });
    expect(url).toBe('https://127.0.0.1:3100/subscriptions?api-version=2022-12-01&%24top=5');
    expect(endpoint.wireUrl(url)).toBe('http://127.0.0.1:3100/subscriptions?api-version=2022-12-01&%24top=5');
    expect(endpoint.wireUrl('https://localhost:3100/x')).toBe('http://127.0.0.1:3100/x');
  });

  it('keeps a followed URL verbatim: its signature is over the text', () => {
    const url = 'https://management.azure.com/a%2Fb/*?api-version=1&s=A%2BB&h=x~';
    expect(new ArmEndpoint('https://management.azure.com').follow(url)).toBe(url);
  });
});
