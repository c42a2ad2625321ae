import { describe, expect, it } from '@jest/globals';
import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { customLocationOf, extendedLocation } from './custom-location.js';

const ID =
  '/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/g/providers/Microsoft.ExtendedLocation/customLocations/c';

describe('the custom location of a resource', () => {
  it.each<{ body: JsonObject; found: string | undefined; reason: string }>([
    { body: { extendedLocation: { name: ID, type: 'CustomLocation' } }, found: ID, reason: 'as ARM writes it' },
    { body: { extendedLocation: { name: ID } }, found: ID, reason: 'some clients leave the type out' },
    {
      body: { extendedLocation: { customLocation: ID } },
      found: ID,
      reason: 'as environments had it at first (P-W03)',
    },
    { body: { properties: { customLocation: ID } }, found: ID, reason: 'in the bag of older versions' },
    { body: { extendedLocation: { name: 'losangeles', type: 'EdgeZone' } }, found: undefined, reason: 'an edge zone' },
    { body: { location: 'eastus' }, found: undefined, reason: 'an ordinary region' },
  ])('is read: $reason', ({ body, found }) => {
    expect(customLocationOf(body)?.toString()).toBe(found);
  });

  it('is written with its type: ARM takes a request without it for one about another resource', () => {
    expect(extendedLocation(ArmId.parse(ID))).toEqual({ name: ID, type: 'CustomLocation' });
  });
});
