import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { fitOf, mayPullAnonymously, pullSecretOf, registryOf } from './pull-secret.js';

const secret = (type: string, key: string, content: string): JsonObject => ({
  metadata: { name: 'regcred' },
  type,
  data: { [key]: Buffer.from(content).toString('base64') },
});
const JSON_TYPE = 'kubernetes.io/dockerconfigjson';
const entry = { username: 'puller', password: 'hidden' };

describe('the servers of a secret', () => {
  it.each([
    {
      reason: 'the present form',
      given: secret(JSON_TYPE, '.dockerconfigjson', JSON.stringify({ auths: { 'shop.azurecr.io': entry } })),
      servers: ['shop.azurecr.io'],
    },
    {
      reason: 'the form of before',
      given: secret('kubernetes.io/dockercfg', '.dockercfg', JSON.stringify({ 'shop.azurecr.io': entry })),
      servers: ['shop.azurecr.io'],
    },
    { reason: 'none where it is no JSON', given: secret(JSON_TYPE, '.dockerconfigjson', '{'), servers: [] },
    { reason: 'none where it is empty', given: { metadata: { name: 'regcred' }, type: JSON_TYPE }, servers: [] },
  ])('are read: $reason', ({ given, servers }) => {
    expect(pullSecretOf(given)).toEqual({ name: 'regcred', servers });
  });

  it('are not looked for in another secret', () => {
    expect(pullSecretOf(secret('Opaque', '.dockerconfigjson', '{"auths":{"a":{}}}'))).toBeUndefined();
  });
});

it.each([
  { image: 'shop.azurecr.io/web:1', registry: 'shop.azurecr.io', anonymous: false, reason: 'the host comes first' },
  {
    image: 'Registry.Example.com:5000/a/web',
    registry: 'registry.example.com:5000',
    anonymous: true,
    reason: 'a port',
  },
  { image: 'localhost/web', registry: 'localhost', anonymous: true, reason: 'a host without a dot' },
  { image: 'microsoft/aci-helloworld', registry: 'index.docker.io', anonymous: true, reason: 'a user of Docker Hub' },
  { image: 'nginx:1.27', registry: 'index.docker.io', anonymous: true, reason: 'no user at all' },
  { image: 'docker.io/library/nginx', registry: 'index.docker.io', anonymous: true, reason: 'its other name' },
])('the registry of $image: $reason', ({ image, registry, anonymous }) => {
  expect(registryOf(image)).toBe(registry);
  expect(mayPullAnonymously(registry)).toBe(anonymous);
});

it.each([
  { servers: ['shop.azurecr.io'], registry: 'shop.azurecr.io', fit: 'host', reason: 'the very name' },
  { servers: ['other.azurecr.io', 'SHOP.azurecr.io'], registry: 'shop.azurecr.io', fit: 'host', reason: 'one of them' },
  { servers: ['https://shop.azurecr.io'], registry: 'shop.azurecr.io', fit: 'address', reason: 'a scheme' },
  { servers: ['shop.azurecr.io/v1/'], registry: 'shop.azurecr.io', fit: 'address', reason: 'a path' },
  {
    servers: ['https://index.docker.io/v1/'],
    registry: 'index.docker.io',
    fit: 'address',
    reason: 'as kubectl has it',
  },
  { servers: ['docker.io'], registry: 'index.docker.io', fit: 'host', reason: 'another name of the same' },
  { servers: ['https://other.azurecr.io'], registry: 'shop.azurecr.io', fit: 'other', reason: 'another registry' },
  { servers: [], registry: 'shop.azurecr.io', fit: 'other', reason: 'none' },
])('a secret for $servers fits $registry as $fit: $reason', ({ servers, registry, fit }) => {
  expect(fitOf({ name: 'regcred', servers }, registry)).toBe(fit);
});
