import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { rawObjects } from '../contract/raw-reader.js';
import { watchedCluster } from '#libs/testing/kubernetes-samples.js';
import { nodeKind, observeNode } from './node.kind.js';
import { observePod, podKind } from './pod.kind.js';
import { observeWorkload, workloadKind } from './workload.kind.js';

const RECORDINGS = path.resolve(import.meta.dirname, '../../../../shared/recordings/kubernetes-1.32');
const available = existsSync(RECORDINGS);
if (!available)
  console.warn('Skipped: the recordings of a real server are not at ../shared/recordings beside the repository.');

const cluster = watchedCluster();
const reading = { cluster, observedAt: new Date('2026-11-21T08:05:00Z'), source: 'WATCH' as const };

function recorded(name: string): JsonObject {
  const file = JSON.parse(readFileSync(path.join(RECORDINGS, `${name}.json`), 'utf8')) as JsonObject;
  return (file.response as { body: JsonObject }).body;
}

/** Servers leave kind and version out of the items of a list. */
function itemsOf(name: string, kind: string): JsonObject[] {
  return rawObjects(recorded(name), 'items').map((item) => ({ ...item, apiVersion: 'v1', kind }));
}

(available ? describe : describe.skip)('what a real server has shown', () => {
  it('nodes: a machine and the virtual node of the add-on', () => {
    const nodes = itemsOf('24-list-nodes', 'Node').map((item) => observeNode(item, reading));
    expect(nodes.map(({ health }) => health.state)).toEqual(['Healthy', 'Healthy']);
    expect(nodes.map(({ properties }) => nodeKind.describe(properties))).toMatchObject([
      {
        ready: true,
        roles: ['agent'],
        pool: 'nodepool1',
        kubeletVersion: 'v1.32.13',
        allocatable: { cpuMillicores: 2000, memoryBytes: 4 * 2 ** 30, pods: 110 },
        virtual: { nature: 'none' },
      },
      {
        taints: [{ key: 'virtual-kubelet.io/provider', value: 'azure', effect: 'NoSchedule' }],
        allocatable: { cpuMillicores: 10_000_000 },
        virtual: { nature: 'aci-connector-addon' },
      },
    ]);
  });

  it.each([
    { name: '46-pods-of-no-toleration', words: 'had untolerated taint {virtual-kubelet.io/provider: azure}' },
    { name: '47-pods-of-wrong-toleration', words: 'nodes are available' },
    { name: '48-pods-of-too-big', words: 'Insufficient cpu' },
    { name: '49-pods-of-wrong-hostname', words: 'nodes are available' },
    { name: '50-pods-of-unbound-pvc', words: 'pod has unbound immediate PersistentVolumeClaims' },
  ])('pods that cannot be placed: $name', ({ name, words }) => {
    const [pod] = itemsOf(name, 'Pod').map((item) => observePod(item, reading));
    expect(pod?.health).toEqual({ state: 'Degraded', reason: expect.stringContaining(words) });
    expect(podKind.describe(pod!.properties)).toMatchObject({ reason: 'Unschedulable', nodeName: null, ready: false });
    expect(pod?.relations.map(({ type }) => type)).toEqual(['owns']);
  });

  it('a pod on the virtual node, with the Deployment that it belongs to', () => {
    const [pod] = itemsOf('45-pods-of-aci-helloworld', 'Pod').map((item) => observePod(item, reading));
    expect(pod).toMatchObject({
      health: { state: 'Progressing' },
      relations: [
        { type: 'owns', from: `kubernetes://${cluster.uid}/apps/Deployment/demo/aci-helloworld` },
        { type: 'scheduledOn', to: `kubernetes://${cluster.uid}/core/Node/virtual-node-aci-linux` },
      ],
    });
    expect(podKind.describe(pod!.properties)).toMatchObject({
      qosClass: 'Burstable',
      cpuRequestMillicores: 100,
      memoryRequestBytes: 64 * 2 ** 20,
      owner: { kind: 'ReplicaSet' },
    });
  });

  it('a Deployment that was just made, and one whose pods wait', () => {
    const made = observeWorkload(recorded('25-apply-deployment-create'), reading);
    expect(made.health.state).toBe('Progressing');
    expect(workloadKind.describe(made.properties)).toMatchObject({ workloadType: 'Deployment', replicas: 3 });
    const events = recorded('59-watch-deployments') as unknown as { type: string; object: JsonObject }[];
    const changed = events
      .filter(({ type }) => type === 'MODIFIED')
      .map(({ object }) => observeWorkload(object, reading));
    expect(changed.length).toBeGreaterThan(0);
    for (const { health } of changed) expect(health.state).toBe('Progressing');
  });

  it('nothing of what changes without anything having changed', () => {
    for (const { properties } of itemsOf('24-list-nodes', 'Node').map((item) => observeNode(item, reading))) {
      expect(JSON.stringify(properties)).not.toMatch(/managedFields|resourceVersion|lastHeartbeatTime/);
    }
  });
});
