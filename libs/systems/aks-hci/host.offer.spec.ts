import { describe, expect, it } from '@jest/globals';
import { hostSkusBody, hostVersionsBody } from '#libs/testing/aks-hci-samples.js';
import { compareVersions, minorSteps, offeredVersions, offeredVmSizes, unreadiness } from './host.offer.js';

describe('what a host offers', () => {
  const versions = offeredVersions(hostVersionsBody());

  it('versions in the order of their numbers, with what they lack', () => {
    expect(versions.map(({ version }) => version)).toEqual(['1.29.7', '1.29.9', '1.30.3', '1.30.4']);
    expect(versions.at(-1)).toMatchObject({
      upgrades: [],
      readiness: [{ ready: true }, { osSku: 'Windows2022', ready: false, errorMessage: 'being downloaded' }],
    });
  });

  it('machines, and nothing else', () => {
    expect(offeredVmSizes(hostSkusBody())).toEqual([
      { name: 'Standard_A4_v2', tier: 'Standard', capabilities: { vCPUs: '4' } },
      { name: 'Standard_D4s_v3', tier: 'Standard', capabilities: { vCPUs: '4' } },
    ]);
  });

  it('nothing where nothing is told', () => {
    expect(offeredVersions({})).toEqual([]);
    expect(offeredVmSizes({ properties: { values: [{}] } })).toEqual([]);
  });

  it.each([
    { version: 3, os: 'Linux', sku: 'CBLMariner', lacks: false },
    { version: 3, os: 'Windows', sku: 'Windows2022', lacks: true },
    { version: 3, os: 'windows', sku: 'Windows2019', lacks: true },
    { version: 2, os: 'Windows', sku: 'Windows2022', lacks: false },
  ])('$version lacks an image for $os $sku: $lacks', ({ version, os, sku, lacks }) => {
    expect(unreadiness(versions[version]!, os, sku) !== undefined).toBe(lacks);
  });

  it.each([
    { left: '1.29.7', right: '1.29.9', order: -1 },
    { left: '1.30.1', right: '1.29.9', order: 1 },
    { left: 'v1.29.10', right: '1.29.9', order: 1 },
    { left: '1.29.9', right: '1.29.9', order: 0 },
  ])('$left against $right is $order', ({ left, right, order }) => {
    expect(Math.sign(compareVersions(left, right))).toBe(order);
  });

  it('counts the minor versions between two', () => {
    expect([minorSteps('1.28.9', '1.30.1'), minorSteps('1.29.7', '1.29.9')]).toEqual([2, 0]);
  });
});
