import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Stack, type Answer } from './stack.js';

const ESTATE = path.resolve(import.meta.dirname, '../../apps/simulator/estates/scenario-d.estate.json');
const SUBSCRIPTION = '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3';
const CLUSTER = `/subscriptions/${SUBSCRIPTION}/resourceGroups/demo-vk/providers/Microsoft.ContainerService/managedClusters/demo-vk`;
const NODE = 'virtual-kubelet-aci-connector-linux-westus';
const OLD_TOLERATION = '{ key: azure.com/aci, effect: NoSchedule }';

const helloworld = (name: string, replicas: number, hostName: string, toleration: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: default }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      nodeSelector: { kubernetes.io/hostname: ${hostName} }
      tolerations: [${toleration}]
      containers: [{ name: ${name}, image: microsoft/aci-helloworld, ports: [{ containerPort: 80 }] }]
`;
const SERVICE = `
apiVersion: v1
kind: Service
metadata: { name: aci-helloworld, namespace: default }
spec: { type: LoadBalancer, selector: { app: aci-helloworld }, ports: [{ port: 80 }] }
`;

/** The connector of before the add-on: pods with public addresses, and pods that stay Pending. */
describe('scenario D', () => {
  let stack: Stack;

  beforeAll(async () => {
    stack = await Stack.start({ SIMULATOR_ESTATE: ESTATE });
  }, 120_000);

  afterAll(() => stack.stop(), 60_000);

  it('1: sees three machines and the virtual node with its old taint', async () => {
    const nodes = await stack.until('four nodes', async () => {
      const { body } = await stack.api('/v1/nodes?limit=50');
      return body.items.length === 4 ? body.items : undefined;
    });
    const natures = nodes.map(({ properties }: Answer['body']) => properties.virtual.nature).sort();
    expect(natures).toEqual(['none', 'none', 'none', 'virtual-kubelet']);
    const node = await stack.until('the virtual node', async () => {
      const { body } = await stack.api('/v1/virtual-nodes');
      return body.items[0];
    });
    expect(node).toMatchObject({
      name: NODE,
      properties: {
        nature: 'virtual-kubelet',
        ready: true,
        exposesPods: true,
        subnetId: null,
        taints: [{ key: 'azure.com/aci', effect: 'NoSchedule' }],
      },
    });
  });

  it('2: shows the three container groups of its pods, each with a public address that is flagged', async () => {
    await stack.does('kubernetes.manifest.apply', {
      cluster: CLUSTER,
      manifest: `${helloworld('aci-helloworld', 3, NODE, OLD_TOLERATION)}---${SERVICE}`,
    });
    const pods = await stack.until('three pods with their container groups', async () => {
      const data = await stack.asks(`{
        workloads(filter: { name: "aci-helloworld" }) {
          nodes { pods { name podIp containerGroup {
            name resourceGroup state exposure ipAddress cpuCores memoryGb orphan health healthReason virtualNode { name } } } }
        }
      }`);
      const found = data.workloads.nodes[0]?.pods ?? [];
      const isSettled = found.every(({ containerGroup }: Answer['body']) => containerGroup?.state === 'Running');
      return found.length === 3 && isSettled ? found : undefined;
    });
    for (const { name, podIp, containerGroup } of pods) {
      expect(containerGroup).toEqual({
        name: `default-${name}`,
        resourceGroup: expect.stringMatching(/^MC_demo-vk_demo-vk_westus$/i),
        state: 'Running',
        exposure: 'Public',
        ipAddress: podIp,
        cpuCores: 1,
        memoryGb: 1.5,
        orphan: false,
        health: 'Degraded',
        healthReason: expect.stringContaining('public'),
        virtualNode: { name: NODE },
      });
    }
    const { body } = await stack.api('/v1/services?q=aci-helloworld&maxAge=5');
    expect(body.items[0].properties.type).toBe('LoadBalancer');
  });

  it.each([
    {
      name: 'wrong-toleration',
      host: NODE,
      toleration: '{ key: virtual-kubelet.io/provider, operator: Exists }',
      said: 'untolerated taint {azure.com/aci: }',
      code: 'VIRTUAL_NODE_TAINT_RENAMED',
    },
    {
      name: 'wrong-selector',
      host: 'virtual-node-aci-linux',
      toleration: OLD_TOLERATION,
      said: 'affinity/selector',
      code: 'NODE_SELECTOR_MATCHES_NO_NODE',
    },
  ])('3: mends a pod that stays Pending by what is offered: $name', async ({ name, host, toleration, said, code }) => {
    await stack.does('kubernetes.manifest.apply', {
      cluster: CLUSTER,
      manifest: helloworld(name, 1, host, toleration),
    });
    const pod = await stack.until('the pod that nothing takes', async () => {
      const { body } = await stack.api(`/v1/pods?tag.app=${name}&namespace=default`);
      return body.items.find((item: Answer['body']) => item.properties.reason === 'Unschedulable');
    });
    expect(pod.properties.message).toContain(said);
    const [advice] = (await stack.api(`/v1/pods/${pod.uid}/advice`)).body.items;
    expect(advice).toMatchObject({ code, severity: 'error' });
    const [{ operations }] = advice.remedies;
    expect(operations.map(({ type }: Answer['body']) => type)).toEqual(['kubernetes.workload.patch']);
    for (const { type, input } of operations) await stack.does(type, input);
    const running = await stack.until('the pod to run there', async () => {
      const { body } = await stack.api(`/v1/pods?tag.app=${name}&namespace=default`);
      return body.items.find((item: Answer['body']) => item.properties.ready);
    });
    expect(running.properties.nodeName).toBe(NODE);
  });

  it('says which labels of a workload the virtual node has not, and which address its pods would have', async () => {
    const name = 'other-place';
    const manifest = helloworld(name, 1, 'virtual-node-aci-linux', OLD_TOLERATION);
    await stack.does('kubernetes.manifest.apply', { cluster: CLUSTER, manifest });
    const workload = await stack.until('its workload', async () => {
      const { body } = await stack.api(`/v1/workloads?q=${name}&namespace=default`);
      return body.items[0];
    });
    const burst = await stack.ended('virtualNodes.workload.burst', { workload: workload.uid });
    expect(burst).toMatchObject({ status: 'Failed', error: { code: 'PREFLIGHT_FAILED' } });
    const finding = (code: string): Answer['body'] => burst.findings.find((each: Answer['body']) => each.code === code);
    expect(finding('SELECTOR_CONFLICT').evidence).toEqual({
      selector: { 'kubernetes.io/hostname': 'virtual-node-aci-linux' },
      virtualNode: NODE,
    });
    expect(finding('PUBLIC_ADDRESSES')).toMatchObject({ severity: 'warning' });
    expect(finding('TILLER_WITHOUT_RIGHTS').remedy).toContain('virtualNodes.enable');
  });

  it('knows a Tiller that may do nothing', async () => {
    const tiller = await stack.until('Tiller', async () => {
      const { body } = await stack.api('/v1/workloads?q=tiller-deploy&namespace=kube-system');
      return body.items[0];
    });
    const { body } = await stack.api(`/v1/workloads/${tiller.uid}/advice`);
    expect(body.items).toMatchObject([
      { code: 'TILLER_WITHOUT_RIGHTS', severity: 'warning', evidence: { serviceAccount: 'default' } },
    ]);
  });

  it('does not take the add-on for a way out on a network that cannot carry it', async () => {
    const refused = await stack.ended('virtualNodes.enable', {
      cluster: CLUSTER,
      subnetName: 'virtual',
      subnetPrefix: '10.1.0.0/24',
    });
    const of = (severity: string): string[] =>
      refused.findings
        .filter((finding: Answer['body']) => finding.severity === severity)
        .map(({ code }: Answer['body']) => code);
    expect(of('error')).toEqual(['NETWORK_PLUGIN_UNSUPPORTED', 'NETWORK_NOT_OWN']);
    expect(of('warning')).toEqual(['EARLY_CONNECTOR_PRESENT']);
  });
});
