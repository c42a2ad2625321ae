import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ArmId, canonicalLocation } from './arm-id.js';
import { ControlError } from './control-error.js';
import { isUuid } from './resource-uid.js';

const SUBSCRIPTION = '11111111-2222-3333-4444-555555555555';
const FLEET = `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ContainerService/fleets/f1`;

describe('ArmId.parse', () => {
  const good = [
    {
      reason: 'a subscription',
      text: `/subscriptions/${SUBSCRIPTION}`,
      type: 'Microsoft.Resources/subscriptions',
      name: SUBSCRIPTION,
      parent: undefined,
    },
    {
      reason: 'a resource group',
      text: `/subscriptions/${SUBSCRIPTION}/resourceGroups/demo_aks01`,
      type: 'Microsoft.Resources/resourceGroups',
      name: 'demo_aks01',
      parent: `/subscriptions/${SUBSCRIPTION}`,
    },
    {
      reason: 'a resource',
      text: FLEET,
      type: 'Microsoft.ContainerService/fleets',
      name: 'f1',
      parent: `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg`,
    },
    {
      reason: 'a nested type',
      text: `${FLEET}/members/m1`,
      type: 'Microsoft.ContainerService/fleets/members',
      name: 'm1',
      parent: FLEET,
    },
    {
      reason: 'an extension resource',
      text: `${FLEET}/providers/Microsoft.KubernetesConfiguration/extensions/e1`,
      type: 'Microsoft.KubernetesConfiguration/extensions',
      name: 'e1',
      parent: FLEET,
    },
    {
      reason: 'an extension of a subscription',
      text: `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments/r1`,
      type: 'Microsoft.Authorization/roleAssignments',
      name: 'r1',
      parent: `/subscriptions/${SUBSCRIPTION}`,
    },
    {
      reason: 'a tenant resource',
      text: '/providers/Microsoft.Management/managementGroups/root',
      type: 'Microsoft.Management/managementGroups',
      name: 'root',
      parent: undefined,
    },
    {
      reason: 'an extension of a tenant resource',
      text: '/providers/Microsoft.Management/managementGroups/root/providers/Microsoft.Authorization/roleAssignments/r1',
      type: 'Microsoft.Authorization/roleAssignments',
      name: 'r1',
      parent: '/providers/Microsoft.Management/managementGroups/root',
    },
    {
      reason: 'a trailing slash, as some answers have',
      text: `${FLEET}/`,
      type: 'Microsoft.ContainerService/fleets',
      name: 'f1',
      parent: `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg`,
    },
  ];

  it.each(good)('takes $reason', ({ text, type, name, parent }) => {
    const id = ArmId.parse(text);
    expect(id.type).toBe(type);
    expect(id.name).toBe(name);
    expect(id.parent?.toString()).toBe(parent);
  });

  const bad = [
    { reason: 'nothing', text: '' },
    { reason: 'the root', text: '/' },
    { reason: 'no leading slash', text: FLEET.slice(1) },
    { reason: 'a subscription that is no uuid', text: '/subscriptions/abc' },
    { reason: 'no resource group name', text: `/subscriptions/${SUBSCRIPTION}/resourceGroups` },
    { reason: 'a group name that ends in a full stop', text: `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg.` },
    { reason: 'a type without a name', text: FLEET.slice(0, -3) },
    { reason: 'a provider without a type', text: `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.X` },
    { reason: 'an empty segment', text: FLEET.replace('/fleets', '//fleets') },
    { reason: 'a way out of the path', text: `${FLEET}/members/..` },
    { reason: 'a query', text: `${FLEET}?api-version=1` },
    { reason: 'a fragment', text: `${FLEET}#x` },
    { reason: 'an escaped character', text: `${FLEET}/members/a%2Fb` },
    { reason: 'a NUL byte', text: `${FLEET}/members/a\u0000b` },
    { reason: 'white space at the edge of a segment', text: `${FLEET} ` },
    { reason: 'more than any id has', text: `${FLEET}/members/${'m'.repeat(2100)}` },
    { reason: 'something that is not a provider', text: `/subscriptions/${SUBSCRIPTION}/fleets/f1` },
  ];

  it.each(bad)('refuses $reason', ({ text }) => {
    expect(() => ArmId.parse(text)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
    expect(ArmId.tryParse(text)).toBeUndefined();
  });
});

describe('an ArmId', () => {
  const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,20}$/);
  const anyId = fc
    .record({
      subscription: fc.uuid(),
      group: fc.option(fc.stringMatching(/^[A-Za-z0-9_-]{1,30}$/), { nil: undefined }),
      parts: fc.array(
        fc.record({
          namespace: fc
            .tuple(word, word)
            .map(([left, right]) => `${left.replaceAll('-', '')}.${right.replaceAll('-', '')}`),
          segments: fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 3 }),
        }),
        { maxLength: 3 },
      ),
    })
    .map(({ subscription, group, parts }) =>
      [
        `/subscriptions/${subscription}`,
        group === undefined ? '' : `/resourceGroups/${group}`,
        ...parts.map((part) => `/providers/${part.namespace}${part.segments.map(([t, n]) => `/${t}/${n}`).join('')}`),
      ].join(''),
    )
    // A segment named like the keyword would rightly be read as one.
    .filter(
      (text) =>
        !/\/providers\/[^/]+(\/[^/]+\/[^/]+)*\/(providers|[^/]+\/providers)(\/|$)/i.test(
          text.replace(/\/providers\/[^/]+\./g, '/P.'),
        ),
    );

  it('is what it was parsed from, and its canonical form is a fixed point', () => {
    fc.assert(
      fc.property(anyId, (text) => {
        const id = ArmId.parse(text);
        expect(id.toString()).toBe(text);
        expect(ArmId.parse(id.canonical).canonical).toBe(id.canonical);
        expect(ArmId.parse(id.canonical).uid).toBe(id.uid);
        expect(isUuid(id.uid)).toBe(true);
      }),
    );
  });

  it('is the same thing in any case', () => {
    fc.assert(
      fc.property(anyId, (text) => {
        const id = ArmId.parse(text);
        expect(id.equals(ArmId.parse(text.toUpperCase()))).toBe(true);
        expect(ArmId.parse(text.toUpperCase()).uid).toBe(id.uid);
      }),
    );
  });

  it('has a parent that its own id starts with', () => {
    fc.assert(
      fc.property(anyId, (text) => {
        const id = ArmId.parse(text);
        if (id.parent !== undefined) expect(id.toString().startsWith(`${id.parent.toString()}/`)).toBe(true);
      }),
    );
  });

  it('keeps its uid for ever: it is written down in other systems', () => {
    expect(ArmId.parse(FLEET).uid).toBe('01141166-82d0-5b01-9fed-a20a5d830e84');
  });

  it('is built from parts', () => {
    const group = ArmId.resourceGroup(SUBSCRIPTION, 'rg');
    expect(group.resource('Microsoft.ContainerService/fleets', 'f1').toString()).toBe(FLEET);
    expect(group.resource('Microsoft.ContainerService/fleets', 'f1').child('members', 'm1').names).toEqual([
      'f1',
      'm1',
    ]);
    expect(() => group.resource('Microsoft.ContainerService/fleets', '../x')).toThrow(ControlError);
  });

  it('knows an extension when it sees one', () => {
    const extension = ArmId.parse(FLEET).resource('Microsoft.KubernetesConfiguration/extensions', 'e1');
    expect(extension.isExtension).toBe(true);
    expect(ArmId.parse(FLEET).isExtension).toBe(false);
  });
});

describe('canonicalLocation', () => {
  it.each([
    { reason: 'a display name', given: 'East US 2' },
    { reason: 'a name', given: 'eastus2' },
    { reason: 'mixed case', given: 'EastUS2' },
  ])('takes $reason', ({ given }) => {
    expect(canonicalLocation(given)).toBe('eastus2');
  });
});
