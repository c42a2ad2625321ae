// The objects of the inventory benches: one in two is a cluster's, each has four tags, one relation and 850 bytes of properties.
const KINDS = ['ManagedCluster', 'Pod', 'AgentPool', 'Workload', 'Fleet', 'Node', 'FleetMember', 'Service'];
const LOCATIONS = ['eastus', 'westeurope', 'northeurope', 'westus2'];

export function observations(count, observedAt, round = 0) {
  return Array.from({ length: count }, (_, index) => observation(index, observedAt, round));
}

function observation(index, observedAt, round) {
  const subscriptionId = `00000000-0000-0000-0000-0000000000${String(index % 10).padStart(2, '0')}`;
  const scope = `/subscriptions/${subscriptionId}/resourceGroups/rg-${index % 300}`;
  const id = `${scope}/providers/Microsoft.Bench/things/thing-${index}`;
  const ofCluster = index % 2 === 1;
  return {
    kind: KINDS[index % KINDS.length],
    id,
    canonicalId: id.toLowerCase(),
    name: `thing-${(index * 7919) % 1_000_003}`,
    location: LOCATIONS[index % LOCATIONS.length],
    subscriptionId,
    resourceGroup: `rg-${index % 300}`,
    clusterUid: ofCluster ? `00000000-0000-5000-8000-${String(index % 100).padStart(12, '0')}` : null,
    namespace: ofCluster ? `namespace-${index % 50}` : null,
    provisioningState: 'Succeeded',
    health: { state: 'Healthy', reason: null },
    tags: {
      env: ['dev', 'test', 'prod'][index % 3],
      team: `team-${index % 40}`,
      costCenter: String(index % 500),
      owner: `user${index % 1000}@example.com`,
    },
    properties: {
      kubernetesVersion: `1.32.${index % 9}`,
      round,
      powerState: { code: 'Running' },
      dnsPrefix: `dns-${index}`,
      fqdn: `dns-${index}-abc.hcp.eastus.azmk8s.io`,
      agentPoolProfiles: [
        {
          ...{ name: 'system', count: 3, vmSize: 'Standard_D4s_v5', osDiskSizeGB: 128, osDiskType: 'Managed' },
          ...{ maxPods: 110, type: 'VirtualMachineScaleSets', mode: 'System', orchestratorVersion: '1.32.4' },
          ...{ enableAutoScaling: false, powerState: { code: 'Running' } },
        },
        { name: 'user', count: 5, vmSize: 'Standard_D8s_v5', osDiskSizeGB: 128, maxPods: 110, mode: 'User' },
      ],
      networkProfile: {
        ...{ networkPlugin: 'azure', networkPolicy: 'cilium', loadBalancerSku: 'standard' },
        ...{ serviceCidr: '10.0.0.0/16', dnsServiceIP: '10.0.0.10', outboundType: 'loadBalancer' },
      },
      identity: {
        type: 'SystemAssigned',
        principalId: '11111111-1111-1111-1111-111111111111',
        tenantId: '22222222-2222-2222-2222-222222222222',
      },
    },
    etag: `"${index}"`,
    observedAt,
    source: 'RESOURCE_GRAPH',
    relations: [{ type: 'memberOf', from: id.toLowerCase(), to: `/fleets/fleet-${index % 20}` }],
  };
}
