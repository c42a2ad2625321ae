import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { endpointSlice } from '#libs/testing/kubernetes-samples.js';
import { endpointsOf, gathered } from './service-endpoints.js';

function slice(...endpoints: JsonObject[]): JsonObject {
  return endpointSlice('web', [], { endpoints });
}

describe('the endpoints of slices', () => {
  it.each([
    { endpoint: { addresses: ['10.0.0.1'] }, ready: true, reason: 'a missing condition means that it is ready' },
    { endpoint: { addresses: ['10.0.0.1'], conditions: {} }, ready: true, reason: 'so does an empty one' },
    { endpoint: { addresses: ['10.0.0.1'], conditions: { ready: false } }, ready: false, reason: 'it says no' },
  ])('ready is $ready where $reason', ({ endpoint, ready }) => {
    expect(endpointsOf(slice(endpoint))).toEqual([{ address: '10.0.0.1', ready, pod: null, node: null }]);
  });

  it.each([
    { raw: {}, reason: 'no endpoints' },
    { raw: { endpoints: null }, reason: 'null endpoints' },
    { raw: { endpoints: [{ addresses: null }, 'x', {}] }, reason: 'endpoints without an address' },
  ])('are none for a slice with $reason', ({ raw }) => {
    expect(endpointsOf(raw as JsonObject)).toEqual([]);
  });

  it('name the pod, and nothing else that an address may belong to', () => {
    const targetRef = { kind: 'Node', name: 'n' };
    expect(endpointsOf(slice({ addresses: ['10.0.0.1'], targetRef }))[0]).toMatchObject({ pod: null });
  });

  it('count an address once, ready where any slice says so, while one slice replaces another', () => {
    const waiting = { addresses: ['10.0.0.1'], conditions: { ready: false } };
    const ready = { addresses: ['10.0.0.1'] };
    for (const slices of [
      [slice(waiting), slice(ready)],
      [slice(ready), slice(waiting)],
    ]) {
      expect(gathered(slices.map(endpointsOf))).toMatchObject({ count: 1, ready: 1 });
    }
  });

  it('are shown up to a hundred, and counted all', () => {
    const many = Array.from({ length: 250 }, (_, index) => ({ addresses: [`10.0.1.${index}`] }));
    const all = gathered([endpointsOf(slice(...many))]);
    expect(all).toMatchObject({ count: 250, ready: 250 });
    expect(all.shown).toHaveLength(100);
  });
});
