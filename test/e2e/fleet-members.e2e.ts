import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Stack } from './stack.js';

const SUBSCRIPTION = '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3';
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups`;
const clusterId = (name: string): string =>
  `${GROUP}/demo_aks01/providers/Microsoft.ContainerService/managedClusters/${name}`;
const FLEET = `${GROUP}/demo_aks_fleetmng/providers/Microsoft.ContainerService/fleets/aks-fleet01`;

/** Two clusters, a fleet with a hub, members that come and go, and who they are. */
describe('members of a fleet', () => {
  let stack: Stack;

  beforeAll(async () => {
    stack = await Stack.start();
  }, 120_000);

  afterAll(() => stack.stop(), 60_000);

  it('shows the two clusters with their network and their nodes', async () => {
    const { status, body } = await stack.api('/v1/managed-clusters?resourceGroup=demo_aks01&sort=name');
    expect(status).toBe(200);
    expect(body.partial).toBe(false);
    expect(body.items).toHaveLength(2);
    for (const [index, name] of ['demo-aks01', 'demo-aks02'].entries()) {
      expect(body.items[index]).toMatchObject({
        kind: 'ManagedCluster',
        name,
        location: 'eastus',
        subscriptionId: SUBSCRIPTION,
        health: 'Healthy',
        provisioningState: 'Succeeded',
        properties: { networkPlugin: 'azure', nodeCount: 1, nodePoolCount: 1, powerState: 'Running' },
        freshness: { source: expect.stringMatching(/^(RESOURCE_GRAPH|ARM)$/) },
      });
      expect(body.items[index].properties.virtualNetworkId).toMatch(/virtualNetworks\/demo-vnet$/);
    }
  });

  it('knows the fleet, its hub and the groups that Azure made for it', async () => {
    const { body } = await stack.graphql(`{
      fleets(filter: { name: "aks-fleet01" }) {
        nodes { name location health hub { fqdn kubernetesVersion } hubCluster { name resourceGroup } members { name } }
        partial
      }
    }`);
    expect(body.errors).toBeUndefined();
    const [fleet] = body.data.fleets.nodes;
    expect(fleet).toMatchObject({ name: 'aks-fleet01', location: 'eastus', health: 'Healthy' });
    expect(fleet.hub.fqdn).toMatch(/azmk8s\.io$/);
    expect(fleet.hubCluster).toMatchObject({ name: 'hub', resourceGroup: expect.stringMatching(/^FL_/i) });
    expect(body.data.fleets.partial).toBe(false);
  });

  it('joins the second cluster; the member is there at once, and the audit log knows who did it', async () => {
    const accepted = await stack.startOperation('fleet.member.join', {
      fleet: FLEET,
      cluster: clusterId('demo-aks02'),
      group: 'canary',
      labels: { env: 'demo' },
    });
    expect(accepted.status).toBe(202);
    expect(accepted.headers.get('operation-location')).toContain(`/v1/operations/${accepted.body.id}`);
    expect(Number(accepted.headers.get('retry-after'))).toBeGreaterThan(0);

    const ended = await stack.endOf(accepted.body.id);
    expect(ended).toMatchObject({ status: 'Succeeded', error: null, requestedBy: 'administrator' });

    const { body } = await stack.api('/v1/fleet-members?sort=name');
    const joined = body.items.find((item: { properties: { clusterId: string } }) =>
      item.properties.clusterId.toLowerCase().endsWith('/demo-aks02'),
    );
    expect(joined).toMatchObject({
      uid: ended.target.uid,
      provisioningState: 'Succeeded',
      properties: { group: 'canary', labels: { env: 'demo' } },
      freshness: { source: 'OPERATION' },
    });

    const audit = await stack.api(`/v1/audit-events?operationId=${accepted.body.id}`);
    expect(audit.body.items.map((event: { action: string; outcome: string }) => [event.action, event.outcome])).toEqual(
      [
        ['operation.accepted', 'accepted'],
        ['operation.ended', 'succeeded'],
      ],
    );
    expect(audit.body.items[0]).toMatchObject({ principalName: 'administrator', operationType: 'fleet.member.join' });
  });

  it('tells members with location, version and state, and each one’s cluster and pools, in one query', async () => {
    const { body } = await stack.graphql(`{
      fleets {
        nodes {
          name
          freshness { ageSeconds source observedAt }
          members {
            name group provisioningState
            cluster { name location kubernetesVersion nodePools { name count vmSize freshness { ageSeconds } } }
          }
        }
      }
    }`);
    expect(body.errors).toBeUndefined();
    const fleet = body.data.fleets.nodes.find((node: { name: string }) => node.name === 'aks-fleet01');
    const clusters = fleet.members.map((member: { cluster: { name: string } }) => member.cluster.name).sort();
    expect(clusters).toEqual(['demo-aks01', 'demo-aks02']);
    for (const member of fleet.members) {
      expect(member).toMatchObject({ provisioningState: 'Succeeded', cluster: { location: 'eastus' } });
      expect(member.cluster.kubernetesVersion).toMatch(/^\d+\.\d+/);
      expect(member.cluster.nodePools).toEqual([
        expect.objectContaining({ name: 'nodepool1', vmSize: 'Standard_DS2_v2' }),
      ]);
    }
  });

  it('refuses a cluster that is a member already, before anything is sent', async () => {
    const before = await stack.azureRequests('PUT', /\/members\//i);
    const created = await stack.startOperation('fleet.create', {
      subscriptionId: SUBSCRIPTION,
      resourceGroup: 'demo_aks_fleetmng',
      name: 'second-fleet',
      location: 'eastus',
      hub: false,
    });
    expect(await stack.endOf(created.body.id)).toMatchObject({ status: 'Succeeded' });
    const { body } = await stack.startOperation('fleet.member.join', {
      fleet: FLEET.replace('aks-fleet01', 'second-fleet'),
      cluster: clusterId('demo-aks01'),
    });
    const ended = await stack.endOf(body.id);
    expect(ended).toMatchObject({ status: 'Failed', error: { code: 'PREFLIGHT_FAILED' } });
    expect(ended.findings.filter((finding: { severity: string }) => finding.severity === 'error')).not.toEqual([]);
    expect(await stack.azureRequests('PUT', /\/members\//i)).toHaveLength(before.length);
  });

  it('lets a member leave; it is gone at once, with its history kept', async () => {
    const { body } = await stack.api('/v1/fleet-members');
    const member = body.items.find((item: { properties: { clusterId: string } }) =>
      item.properties.clusterId.toLowerCase().endsWith('/demo-aks02'),
    );
    const left = await stack.startOperation('fleet.member.leave', { member: member.uid });
    expect(left.status).toBe(202);
    expect(await stack.endOf(left.body.id)).toMatchObject({ status: 'Succeeded' });
    expect((await stack.api(`/v1/fleet-members/${member.uid}`)).status).toBe(404);
    const history = await stack.api(`/v1/resources/${member.uid}/history`);
    expect(history.status).toBe(200);
    expect(history.body.items.length).toBeGreaterThan(0);
    expect(history.body.items[0].validTo).not.toBeNull();
  });

  it('deletes a fleet', async () => {
    const id = FLEET.replace('aks-fleet01', 'second-fleet');
    const { body } = await stack.startOperation('fleet.delete', { fleet: id });
    expect(await stack.endOf(body.id)).toMatchObject({ status: 'Succeeded' });
    expect((await stack.api(`/v1/resources?id=${encodeURIComponent(id)}`)).body.items).toEqual([]);
    expect((await stack.azure(`${id}?api-version=2025-03-01`)).status).toBe(404);
  });
});
