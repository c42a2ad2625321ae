import type { Observation, RelationClaim } from '#libs/systems/contract/observation.js';

export const OBSERVED_AT = new Date('2026-03-01T12:00:00Z');

/** `OBSERVED_AT` and so many seconds. */
export function secondsLater(seconds: number): Date {
  return new Date(OBSERVED_AT.getTime() + seconds * 1000);
}

/** The canonical id of the object with this name that `anObservation` makes. */
export function canonicalIdOf(name: string): string {
  return `/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/rg/providers/example.test/things/${name.toLowerCase()}`;
}

/** A healthy object as Resource Graph tells of it, with whatever the test cares about. */
export function anObservation(name: string, overrides: Partial<Observation> = {}): Observation {
  return {
    kind: 'Thing',
    id: `/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Example.Test/things/${name}`,
    canonicalId: canonicalIdOf(name),
    name,
    location: 'westeurope',
    subscriptionId: '00000000-0000-0000-0000-000000000001',
    resourceGroup: 'rg',
    clusterUid: null,
    namespace: null,
    provisioningState: 'Succeeded',
    health: { state: 'Healthy', reason: null },
    tags: {},
    properties: { size: 1 },
    etag: null,
    observedAt: OBSERVED_AT,
    source: 'RESOURCE_GRAPH',
    relations: [],
    ...overrides,
  };
}

/** A claim between two objects of `anObservation`, by name. */
export function aClaim(type: RelationClaim['type'], from: string, to: string): RelationClaim {
  return { type, from: canonicalIdOf(from), to: canonicalIdOf(to) };
}
