import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { containerGroupSize, limitsBeyond } from './container-group-size.js';

const podOf = (...resources: JsonObject[]): JsonObject => ({
  containers: resources.map((each, index) => ({ name: `c${index}`, resources: each })),
});

describe('the size of a container group', () => {
  it.each<{ reason: string; pod: JsonObject; size: [number, number] }>([
    { reason: 'what is asked for', pod: podOf({ requests: { cpu: '500m', memory: '1G' } }), size: [0.5, 1] },
    { reason: 'a core and 1.5 GB where nothing is', pod: podOf({}), size: [1, 1.5] },
    { reason: 'memory by default', pod: podOf({ requests: { cpu: 2 } }), size: [2, 1.5] },
    { reason: 'a limit is a request', pod: podOf({ limits: { cpu: '2', memory: '4G' } }), size: [2, 4] },
    {
      reason: 'rounded down to what is sold',
      pod: podOf({ requests: { cpu: '15m', memory: '1Gi' } }),
      size: [0.01, 1],
    },
    { reason: 'never nothing', pod: podOf({ requests: { cpu: '1m', memory: '1M' } }), size: [0.01, 0.1] },
    {
      reason: 'all containers together',
      pod: podOf({ requests: { cpu: '100m', memory: '100M' } }, { requests: { cpu: '200m', memory: '200M' } }),
      size: [0.3, 0.3],
    },
    { reason: 'nothing to be made', pod: {}, size: [0, 0] },
  ])('$reason', ({ pod, size: [cpuCores, memoryGb] }) => {
    expect(containerGroupSize(pod)).toEqual({ cpuCores, memoryGb });
  });
});

describe('limits that are refused', () => {
  it.each<{ reason: string; pod: JsonObject; beyond: unknown[] }>([
    {
      reason: 'above its own request',
      pod: podOf({ requests: { cpu: '500m', memory: '1G' }, limits: { cpu: '2', memory: '1500M' } }),
      beyond: [
        { container: 'c0', resource: 'cpu', limit: 2, totalRequest: 0.5 },
        { container: 'c0', resource: 'memory', limit: 1.5, totalRequest: 1 },
      ],
    },
    {
      reason: 'not above what all request together',
      pod: podOf(
        { requests: { cpu: '1', memory: '1G' }, limits: { cpu: '2' } },
        { requests: { cpu: '1', memory: '1G' } },
      ),
      beyond: [],
    },
    { reason: 'limits alone', pod: podOf({ limits: { cpu: '2', memory: '4G' } }), beyond: [] },
    {
      reason: 'more than the size by default',
      pod: podOf({ requests: { cpu: '1' }, limits: { cpu: '1', memory: '2G' } }),
      beyond: [],
    },
    { reason: 'none', pod: podOf({}), beyond: [] },
  ])('$reason', ({ pod, beyond }) => {
    expect(limitsBeyond(pod)).toEqual(beyond);
  });
});
