import { describe, expect, it } from '@jest/globals';
import type { ObservationSource } from '#libs/systems/contract/observation.js';
import { secondsLater } from '#libs/testing/observation.factory.js';
import { effectiveFreshness, leastTrusted, trustedTime } from './freshness.rule.js';
import type { Freshness } from './resource.record.js';

const settings = { resourceGraphLagSeconds: 120 };

function seen(source: ObservationSource, seconds: number): Freshness {
  return { source, observedAt: secondsLater(seconds) };
}

describe('the freshness rule', () => {
  it.each([
    { reason: 'of two answers of one source, the later', older: seen('ARM', 0), newer: seen('ARM', 1) },
    { reason: 'the index may lag behind a direct answer', older: seen('RESOURCE_GRAPH', 119), newer: seen('ARM', 0) },
    { reason: 'but not for ever', older: seen('ARM', 0), newer: seen('RESOURCE_GRAPH', 121) },
    { reason: 'the index lags equally for both', older: seen('RESOURCE_GRAPH', 0), newer: seen('RESOURCE_GRAPH', 1) },
    { reason: 'a watch speaks for its moment', older: seen('RESOURCE_GRAPH', 60), newer: seen('WATCH', 0) },
  ])('trusts one more: $reason', ({ older, newer }) => {
    expect(trustedTime(newer, settings)).toBeGreaterThan(trustedTime(older, settings));
  });

  it.each([
    { reason: 'no run yet', own: seen('ARM', 0), run: null, shown: seen('ARM', 0) },
    { reason: 'a later run has seen it unchanged', own: seen('ARM', 0), run: seen('ARM', 60), shown: seen('ARM', 60) },
    {
      reason: 'a run of the lagging index has not confirmed a recent direct answer',
      own: seen('ARM', 0),
      run: seen('RESOURCE_GRAPH', 60),
      shown: seen('ARM', 0),
    },
    { reason: 'seen after the run', own: seen('OPERATION', 90), run: seen('ARM', 60), shown: seen('OPERATION', 90) },
  ])('shows the freshness that is vouched for: $reason', ({ own, run, shown }) => {
    expect(effectiveFreshness(own, run, settings)).toEqual(shown);
  });

  it.each<{ reason: string; sources: ObservationSource[]; trustedAs: ObservationSource }>([
    { reason: 'an empty run may have asked anybody', sources: [], trustedAs: 'RESOURCE_GRAPH' },
    { reason: 'one lagging answer is enough', sources: ['ARM', 'RESOURCE_GRAPH'], trustedAs: 'RESOURCE_GRAPH' },
    { reason: 'one source', sources: ['WATCH'], trustedAs: 'WATCH' },
    { reason: 'all direct', sources: ['ARM', 'WATCH'], trustedAs: 'ARM' },
  ])('trusts a run as its weakest source: $reason', ({ sources, trustedAs }) => {
    expect(leastTrusted(new Set(sources))).toBe(trustedAs);
  });
});
