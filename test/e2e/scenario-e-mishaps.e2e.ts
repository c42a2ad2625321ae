import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { servicePrincipalOf } from '../../apps/simulator/types/aci-connector.addon.js';
import { Stack, type Answer } from './stack.js';

const ESTATE = path.resolve(import.meta.dirname, '../../apps/simulator/estates/scenario-e.estate.json');
const SUBSCRIPTION = '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3';
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/netcoresample/providers`;
const clusterId = (name: string): string => `${GROUP}/Microsoft.ContainerService/managedClusters/${name}`;
const CLUSTER = clusterId('netcoresampleaks');
const NETWORK = `${GROUP}/Microsoft.Network/virtualNetworks/netcoresampleaksvnet`;
const PROVIDER = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerInstance`;
const NEW_SUBNET = { subnetName: 'aksvirtualsubnet', subnetPrefix: '10.0.2.0/24' };

/** What goes wrong before virtual nodes are switched on: each is said before anything is changed. */
describe('scenario E: mishaps', () => {
  let stack: Stack;

  beforeAll(async () => {
    stack = await Stack.start({ SIMULATOR_ESTATE: ESTATE, ENCRYPTION_KEYS: randomBytes(32).toString('base64') });
  }, 120_000);

  afterAll(() => stack.stop(), 60_000);

  const regions = (names: string[]) =>
    stack.simulator('/settings', { method: 'POST', body: { regionsWithoutContainerInstances: names } });

  const registration = async (): Promise<string> =>
    (await stack.azure(`${PROVIDER}?api-version=2021-04-01`)).body.registrationState;

  interface Mishap {
    code: string;
    severity: 'error' | 'warning';
    reason: string;
    /** `subnetPrefix` is left out where an error is needed that keeps the operation from going on. */
    input: Record<string, string>;
    arrange?(): Promise<unknown>;
    restore?(): Promise<unknown>;
  }

  const mishaps: Mishap[] = [
    {
      code: 'SUBNET_DELEGATED_ELSEWHERE',
      severity: 'error',
      reason: 'a subnet serves one service',
      input: { subnetName: 'webapps' },
      arrange: () =>
        stack.does('azure.subnet.create', {
          network: NETWORK,
          name: 'webapps',
          prefix: '10.0.6.0/24',
          delegation: 'Microsoft.Web/serverFarms',
        }),
    },
    {
      code: 'SUBNET_IN_USE',
      severity: 'error',
      reason: 'the nodes are in it',
      input: { subnetName: 'akssubnet' },
    },
    {
      code: 'REGION_UNSUPPORTED',
      severity: 'error',
      reason: 'Container Instances are offered elsewhere',
      input: NEW_SUBNET,
      arrange: () => regions(['eastus']),
      restore: () => regions([]),
    },
    {
      code: 'DAEMON_SETS_AFFECTED',
      severity: 'warning',
      reason: 'a DaemonSet that tolerates everything is placed on the virtual node',
      input: { subnetName: 'aksvirtualsubnet' },
      arrange: () =>
        stack.does('kubernetes.manifest.apply', {
          cluster: CLUSTER,
          manifest: `
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: agent, namespace: default }
spec:
  selector: { matchLabels: { app: agent } }
  template:
    metadata: { labels: { app: agent } }
    spec:
      tolerations: [{ operator: Exists }]
      containers: [{ name: agent, image: 'example.com/agent:1' }]
`,
        }),
    },
  ];

  it.each(mishaps)('$code: $reason', async ({ code, severity, input, arrange, restore }) => {
    await arrange?.();
    try {
      const operation = await stack.ended('virtualNodes.enable', { cluster: CLUSTER, ...input });
      expect(operation).toMatchObject({ status: 'Failed', error: { code: 'PREFLIGHT_FAILED' } });
      expect(operation.findings).toContainEqual(expect.objectContaining({ code, severity }));
    } finally {
      await restore?.();
    }
    const { body } = await stack.azure(`${CLUSTER}?api-version=2026-04-01`);
    expect(body.properties.addonProfiles?.aciConnectorLinux?.enabled).not.toBe(true);
  });

  it('PROVIDER_NOT_REGISTERED: comes with the registration, which mends it', async () => {
    await stack.azure(`${PROVIDER}/unregister?api-version=2021-04-01`, { method: 'POST' });
    await stack.until('the registration to be gone', async () => (await registration()) === 'NotRegistered');
    const refused = await stack.ended('virtualNodes.enable', { cluster: CLUSTER, ...NEW_SUBNET });
    const found = refused.findings.find(({ code }: Answer['body']) => code === 'PROVIDER_NOT_REGISTERED');
    for (const { type, input } of found.operations) await stack.does(type, input);
    expect(await registration()).toBe('Registered');
  });

  it('SUBNET_PREFIX_NEEDED: comes with a range that is free, which a service principal is let into', async () => {
    const cluster = clusterId('principalaks');
    const { body } = await stack.azure(`${cluster}?api-version=2026-04-01`);
    const principalId = servicePrincipalOf(body.properties.servicePrincipalProfile.clientId);
    const input = { cluster, subnetName: 'principalvirtualsubnet', principalId };
    const refused = await stack.ended('virtualNodes.enable', input);
    const [needed] = refused.findings.filter(({ severity }: Answer['body']) => severity === 'error');
    expect(needed).toMatchObject({ code: 'SUBNET_PREFIX_NEEDED', operations: [{ input: { principalId } }] });
    const operation = await stack.does(needed.operations[0].type, needed.operations[0].input);
    expect(operation.result).toMatchObject({ principalId, subnet: expect.stringMatching(/principalvirtualsubnet$/) });
    const node = await stack.until('its virtual node', async () => {
      const { items } = (await stack.api('/v1/virtual-nodes?maxAge=1')).body;
      return items.find(({ properties }: Answer['body']) => properties.ready);
    });
    expect(node.properties.subnetId).toMatch(/principalvirtualsubnet$/);
  });
});
