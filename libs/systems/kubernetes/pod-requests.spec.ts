import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { podRequests } from './pod-requests.js';

function container(cpu: string, memory: string, more: JsonObject = {}): JsonObject {
  return { name: 'c', resources: { requests: { cpu, memory } }, ...more };
}
const sidecar = { restartPolicy: 'Always' };

describe('podRequests', () => {
  it.each([
    { spec: undefined, cpuMillicores: 0, memoryBytes: 0, reason: 'nothing is said' },
    { spec: { containers: [{ name: 'c' }] }, cpuMillicores: 0, memoryBytes: 0, reason: 'nothing is requested' },
    {
      spec: { containers: [container('100m', '10'), container('200m', '20')] },
      cpuMillicores: 300,
      memoryBytes: 30,
      reason: 'containers run together',
    },
    {
      spec: {
        containers: [container('100m', '10')],
        initContainers: [container('500m', '5'), container('300m', '40')],
      },
      cpuMillicores: 500,
      memoryBytes: 40,
      reason: 'init containers run one after the other before them',
    },
    {
      spec: { containers: [container('100m', '10')], initContainers: [container('50m', '5', sidecar)] },
      cpuMillicores: 150,
      memoryBytes: 15,
      reason: 'a sidecar stays',
    },
    {
      spec: {
        containers: [container('100m', '10')],
        initContainers: [container('50m', '5', sidecar), container('400m', '1'), container('10m', '1', sidecar)],
      },
      cpuMillicores: 450,
      memoryBytes: 16,
      reason: 'an init container runs beside the sidecars that started before it, and beside no other',
    },
    {
      spec: { containers: [container('100m', '10')], overhead: { cpu: '250m', memory: '120' } },
      cpuMillicores: 350,
      memoryBytes: 130,
      reason: 'the runtime takes something as well',
    },
    {
      spec: {
        containers: [container('100m', '10')],
        resources: { requests: { cpu: '1' } },
        overhead: { cpu: '1m' },
      },
      cpuMillicores: 1001,
      memoryBytes: 10,
      reason: 'what is requested for the whole pod takes the place of the sum',
    },
    {
      spec: { containers: 'wrong', initContainers: [1, null], resources: [], overhead: 7 },
      cpuMillicores: 0,
      memoryBytes: 0,
      reason: 'it makes no sense',
    },
  ])('is $cpuMillicores millicores and $memoryBytes bytes where $reason', ({ spec, cpuMillicores, memoryBytes }) => {
    expect(podRequests(spec)).toEqual({ cpuMillicores, memoryBytes });
  });
});
