import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { completedPullSecrets, fitOf, imagesByRegistry, pullSecretOf, registryOf } from './pull-secret.js';

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
  { image: 'shop.azurecr.io/web:1', registry: 'shop.azurecr.io', reason: 'the host comes first' },
  {
    image: 'Registry.Example.com:5000/a/web',
    registry: 'registry.example.com:5000',
    reason: 'a port',
  },
  { image: 'localhost/web', registry: 'localhost', reason: 'a host without a dot' },
  { image: 'microsoft/aci-helloworld', registry: 'index.docker.io', reason: 'a user of Docker Hub' },
  { image: 'nginx:1.27', registry: 'index.docker.io', reason: 'no user at all' },
  { image: 'docker.io/library/nginx', registry: 'index.docker.io', reason: 'its other name' },
])('the registry of $image: $reason', ({ image, registry }) => {
  expect(registryOf(image)).toBe(registry);
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

it('gives the images of each registry that may want a credential once', () => {
  const podSpec = {
    initContainers: [{ image: 'shop.azurecr.io/init:1' }, { image: 'nginx:1.27' }],
    containers: [{ image: 'shop.azurecr.io/web:1' }, { image: 'shop.azurecr.io/web:1' }, { image: 'ghcr.io/a/b' }, {}],
  };
  expect([...imagesByRegistry(podSpec)]).toEqual([
    ['shop.azurecr.io', ['shop.azurecr.io/init:1', 'shop.azurecr.io/web:1']],
    ['ghcr.io', ['ghcr.io/a/b']],
  ]);
});

it.each([
  { named: [], names: ['shop', 'tools'], reason: 'one for each registry' },
  { named: ['own'], names: ['own', 'shop', 'tools'], reason: 'beside those that are named' },
  { named: ['shop-2'], names: ['shop-2', 'tools'], reason: 'none where one that is named fits' },
])('completes the secrets that pods name: $reason', ({ named, names }) => {
  const there = [
    { name: 'shop', servers: ['shop.azurecr.io'] },
    { name: 'shop-2', servers: ['shop.azurecr.io'] },
    { name: 'tools', servers: ['tools.azurecr.io'] },
  ];
  const registries = ['shop.azurecr.io', 'tools.azurecr.io', 'other.azurecr.io'];
  expect(completedPullSecrets(registries, named, there)).toEqual(names);
});
