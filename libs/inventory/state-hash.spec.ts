import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { canonicalHash } from '#libs/kernel/canonical-json.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { Observation } from '#libs/systems/contract/observation.js';
import { aClaim, anObservation, secondsLater } from '#libs/testing/observation.factory.js';
import { stateHash } from './state-hash.js';

function hashOf(overrides: Partial<Observation>): string {
  return stateHash(anObservation('a', overrides)).toString('hex');
}

describe('stateHash', () => {
  const before = hashOf({});

  it.each<{ reason: string; overrides: Partial<Observation> }>([
    { reason: 'the kind is part of what is shown', overrides: { kind: 'Other' } },
    { reason: 'an object can be moved', overrides: { location: 'eastus' } },
    { reason: 'no location differs from any', overrides: { location: null } },
    { reason: 'a provisioning state is watched for', overrides: { provisioningState: 'Updating' } },
    { reason: 'health is watched for', overrides: { health: { state: 'Degraded', reason: null } } },
    { reason: 'the reason may change alone', overrides: { health: { state: 'Healthy', reason: 'x' } } },
    { reason: 'a new tag', overrides: { tags: { a: 'b' } } },
    { reason: 'a value deep inside', overrides: { properties: { size: 2 } } },
    { reason: 'text is not a number', overrides: { properties: { size: '1' } } },
    { reason: 'the order of a list means something', overrides: { properties: { size: 1, list: [2, 1] } } },
    { reason: 'a claim was added', overrides: { relations: [aClaim('owns', 'a', 'b')] } },
  ])('tells states apart: $reason', ({ overrides }) => {
    expect(hashOf(overrides)).not.toBe(before);
  });

  it.each<{ reason: string; overrides: Partial<Observation> }>([
    { reason: 'seen again later', overrides: { observedAt: secondsLater(60) } },
    { reason: 'seen by another source', overrides: { source: 'ARM' } },
    { reason: 'an etag moves without a visible change', overrides: { etag: '"2"' } },
    { reason: 'sources spell ids differently', overrides: { id: anObservation('a').id.toUpperCase(), name: 'A' } },
    { reason: 'resource groups vary in case', overrides: { resourceGroup: 'RG' } },
  ])('is the same state: $reason', ({ overrides }) => {
    expect(hashOf(overrides)).toBe(before);
  });

  it('does not depend on the order of claims', () => {
    const claims = [aClaim('owns', 'a', 'b'), aClaim('memberOf', 'a', 'c')];
    expect(hashOf({ relations: claims })).toBe(hashOf({ relations: claims.toReversed() }));
  });

  it('is equal for equal properties only, in any order of members', () => {
    const objects = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 5 }) as fc.Arbitrary<JsonObject>;
    const shuffled = (value: JsonObject): JsonObject => Object.fromEntries(Object.entries(value).toReversed());
    fc.assert(
      fc.property(objects, objects, (left, right) => {
        expect(hashOf({ properties: left })).toBe(hashOf({ properties: shuffled(left) }));
        // The kernel's canonical hash is the judge.
        const areEqual = canonicalHash(left) === canonicalHash(right);
        expect(hashOf({ properties: left }) === hashOf({ properties: right })).toBe(areEqual);
      }),
    );
  });
});
