import { describe, expect, it } from '@jest/globals';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import {
  ARC_GROUP,
  ARC_SUBSCRIPTION,
  CONNECTED_ID,
  EXTENSION_ID,
  LOCATION_ID,
  PROVIDER_OBJECT_ID,
  agentConfiguration,
  agentDeployment,
  connectedBody,
  extensionBody,
  locationBody,
  registeredProvider,
} from '#libs/testing/arc-samples.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { FakeArm, refusal } from '#libs/testing/fake-arm.js';
import { FakeKube, apiResource, type FakeCluster } from '#libs/testing/fake-kube.js';
import { playOperation, tokenOf } from '#libs/testing/operation-play.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { contextOf, targetOf } from '../contract/system.contract-suite.js';
import { CHART_BINDING } from './arc-agents.js';
import { createArcSystem } from './arc.module.js';

const cluster = targetOf(CONNECTED_ID, 'ConnectedCluster');
const extension = targetOf(EXTENSION_ID, 'ClusterExtension');
const customLocation = targetOf(LOCATION_ID, 'CustomLocation');
const attachedCluster = targetOf('/providers/Pilothouse.Clusters/attachedClusters/edge', 'AttachedCluster');
const OTHER_OBJECT_ID = '44444444-0000-4000-8000-000000000004';
const BINDINGS = { group: 'rbac.authorization.k8s.io', kind: 'ClusterRoleBinding' };
const PROVIDERS = ['Microsoft.Kubernetes', 'Microsoft.KubernetesConfiguration', 'Microsoft.ExtendedLocation'];

interface World {
  arm: FakeArm;
  kube: FakeKube;
  inCluster: FakeCluster;
  play: ReturnType<typeof playOperation>;
}

/** All is well: a connected cluster with cluster connect, the provider's rights, and an extension. */
function world(
  type: string,
  input: JsonObject,
  references: Record<string, ResourceTarget>,
  prepare: (world: Omit<World, 'play'>) => void = () => undefined,
): World {
  const arm = new FakeArm();
  arm.add(connectedBody(), extensionBody());
  arm.set(ARC_GROUP, { id: ARC_GROUP, location: 'eastus' });
  for (const namespace of PROVIDERS) {
    arm.set(`/subscriptions/${ARC_SUBSCRIPTION}/providers/${namespace}`, registeredProvider(namespace));
  }
  const kube = new FakeKube();
  const inCluster = kube.cluster(cluster.uid);
  inCluster.add(
    agentDeployment('clusterconnect-agent'),
    agentDeployment('kube-aad-proxy'),
    agentConfiguration(),
    certificate('azure-identity-certificate'),
    certificate('kube-aad-proxy-certificate'),
    binding(CHART_BINDING),
  );
  prepare({ arm, kube, inCluster });
  const { operations } = createArcSystem(arm.azure(), kube);
  return { arm, kube, inCluster, play: playOperation(operations, type, input, references) };
}

/** What an agent has got from Azure. */
function certificate(name: string): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'azure-arc' } };
}

/** What Helm writes down of a revision of a release. */
function releaseRecord(release: string, revision: number, namespace: string, status = 'failed'): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: `sh.helm.release.v1.${release}.v${revision}`,
      namespace,
      labels: { owner: 'helm', name: release, status, version: String(revision) },
    },
  };
}

function definition(name: string): KubernetesObject {
  return { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name } };
}

function binding(name: string, objectId = PROVIDER_OBJECT_ID) {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'r' },
    subjects: [{ kind: 'User', name: objectId }],
  };
}

function withoutAgents({ inCluster }: Omit<World, 'play'>): void {
  for (const { kind, metadata } of inCluster.objects) {
    if (kind === 'Deployment') inCluster.remove({ group: 'apps', kind }, metadata.namespace, metadata.name);
  }
}

const SECRETS = { group: '', kind: 'Secret' };
const withoutIdentity = ({ inCluster }: Pick<World, 'inCluster'>): void => {
  inCluster.add(agentDeployment('clusterconnect-agent', 0), agentDeployment('kube-aad-proxy', 0));
  inCluster.remove(SECRETS, 'azure-arc', 'azure-identity-certificate');
};
const withoutProxyCertificate = ({ inCluster }: Pick<World, 'inCluster'>): void => {
  inCluster.add(agentDeployment('kube-aad-proxy', 0));
  inCluster.remove(SECRETS, 'azure-arc', 'kube-aad-proxy-certificate');
};
const withoutProxyPods = ({ inCluster }: Pick<World, 'inCluster'>): void => {
  const message =
    'pods "kube-aad-proxy-5d8f" is forbidden: unable to validate against any security context constraint: hostPath volumes are not allowed to be used';
  const refused = { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message };
  inCluster.add({ ...agentDeployment('kube-aad-proxy', 0), status: { conditions: [refused] } });
};
const withoutBinding = ({ inCluster }: Omit<World, 'play'>): void =>
  inCluster.remove(BINDINGS, undefined, CHART_BINDING);
const noAccess = ({ inCluster }: Omit<World, 'play'>): void => {
  inCluster.refuse({}, new ControlError('CLUSTER_ACCESS_MISSING', 'nobody gave it'));
};
const silent = ({ inCluster }: Omit<World, 'play'>): void => {
  inCluster.refuse({}, new ControlError('KUBERNETES_UNAVAILABLE', 'silence'));
};
const connected =
  (change: JsonObject) =>
  ({ arm }: Omit<World, 'play'>): void =>
    arm.add(connectedBody(change));
const gone =
  (id: string) =>
  ({ arm }: Omit<World, 'play'>): void =>
    arm.remove(id);
const unregistered =
  (namespace: string) =>
  ({ arm }: Omit<World, 'play'>): void =>
    arm.set(`/subscriptions/${ARC_SUBSCRIPTION}/providers/${namespace}`, { registrationState: 'NotRegistered' });
const providerOf =
  (namespace: string, resourceType: string, offered: JsonObject) =>
  ({ arm }: Omit<World, 'play'>): void =>
    arm.set(`/subscriptions/${ARC_SUBSCRIPTION}/providers/${namespace}`, {
      registrationState: 'Registered',
      resourceTypes: [{ resourceType, ...offered }],
    });
const noSubscription = ({ arm }: Omit<World, 'play'>): void =>
  arm.answer('GET', /\/providers\/Microsoft\.[A-Za-z]+$/, refusal(404, 'SubscriptionNotFound', 'unknown'));
const otherCluster = ({ inCluster }: Omit<World, 'play'>): void => {
  inCluster.add(agentConfiguration('another'));
};

interface Row {
  prepare?: (world: Omit<World, 'play'>) => void;
  change?: JsonObject;
  /** References that lead elsewhere. */
  elsewhere?: Record<string, ResourceTarget>;
  found: string[];
  reason: string;
}

function describeFindings(
  type: string,
  input: JsonObject,
  references: Record<string, ResourceTarget>,
  rows: readonly Row[],
): void {
  it.each(rows)('finds $found when $reason', async ({ prepare, change, elsewhere, found }) => {
    // null takes a member of the usual input away.
    const members = Object.entries({ ...input, ...change }).filter(([, value]) => value !== null);
    const given = Object.fromEntries(members);
    const { arm, kube, play } = world(type, given, { ...references, ...elsewhere }, prepare);
    expect(await play.codes()).toEqual(found);
    expect([arm.writes(), kube.writes()]).toEqual([[], []]);
  });

  it('has a row here for each of its findings', () => {
    const seen = new Set(rows.flatMap(({ found }) => found.map((text) => text.split(' ')[1])));
    const { play } = world(type, input, references);
    expect([...seen].sort()).toEqual(Object.keys(play.operation.findings).sort());
  });
}

describe('arc.cluster.connect', () => {
  const input = { subscriptionId: ARC_SUBSCRIPTION, resourceGroup: 'akshci-eu', name: 'new', location: 'East US' };
  const elsewhere = { ...input, attachedCluster: attachedCluster.id };
  const NEW_ID = CONNECTED_ID.replace('my-workload-cluster', 'new');
  const attached =
    (prepare: (edge: FakeCluster) => void) =>
    ({ kube }: Omit<World, 'play'>): void =>
      prepare(kube.cluster(attachedCluster.uid));
  const runs = 'info AGENTS_RUN_ELSEWHERE';

  describeFindings('arc.cluster.connect', elsewhere, { attachedCluster }, [
    { found: [runs], reason: 'all is prepared' },
    { prepare: noSubscription, found: ['error SUBSCRIPTION_NOT_FOUND'], reason: 'there is no such subscription' },
    {
      prepare: unregistered('Microsoft.Kubernetes'),
      found: ['error PROVIDER_NOT_REGISTERED'],
      reason: 'the provider is not registered',
    },
    {
      prepare: providerOf('Microsoft.Kubernetes', 'connectedClusters', { locations: ['West Europe'] }),
      found: ['error LOCATION_NOT_SUPPORTED', runs],
      reason: 'the region has no Arc',
    },
    {
      prepare: providerOf('Microsoft.Kubernetes', 'connectedClusters', { apiVersions: ['1999-01-01'] }),
      found: ['error API_VERSION_RETIRED', runs],
      reason: 'Azure has moved on',
    },
    { prepare: gone(ARC_GROUP), found: ['error RESOURCE_GROUP_NOT_FOUND'], reason: 'there is no such group' },
    {
      prepare: ({ arm }) =>
        arm.add({ ...connectedBody({ connectivityStatus: 'Offline' }), id: NEW_ID, location: 'westeurope' }),
      found: ['error CLUSTER_EXISTS_DIFFERENT', runs],
      reason: 'the name is taken in another region',
    },
    {
      prepare: ({ arm }) => arm.add({ ...connectedBody(), id: NEW_ID }),
      found: ['info CLUSTER_CONNECTED'],
      reason: 'it is connected',
    },
    {
      prepare: ({ arm }) => arm.add({ ...connectedBody({ connectivityStatus: 'Expired' }), id: NEW_ID }),
      found: ['error CLUSTER_EXPIRED', runs],
      reason: 'its certificate has run out',
    },
    {
      prepare: attached((edge) => edge.refuse({}, new ControlError('CLUSTER_ACCESS_MISSING', 'none'))),
      found: [runs, 'error CLUSTER_ACCESS_MISSING'],
      reason: 'the attached credential is gone',
    },
    {
      prepare: attached((edge) => edge.refuse({}, new ControlError('KUBERNETES_TIMEOUT', 'slow'))),
      found: [runs, 'error CLUSTER_UNREACHABLE'],
      reason: 'the attached cluster does not answer',
    },
    {
      prepare: attached((edge) => (edge.mayDo = () => ({ allowed: false, reason: 'no' }))),
      found: [runs, 'warning NOT_CLUSTER_ADMINISTRATOR'],
      reason: 'the attached credential is not that of an administrator',
    },
    {
      prepare: attached((edge) => edge.add(agentConfiguration('another'))),
      found: [runs, 'error AGENTS_OF_OTHER_CLUSTER'],
      reason: 'it is connected under another name',
    },
    {
      prepare: attached((edge) =>
        edge.add({
          apiVersion: 'v1',
          kind: 'Namespace',
          metadata: { name: 'azure-arc' },
          status: { phase: 'Terminating' },
        }),
      ),
      found: [runs, 'error AGENT_NAMESPACE_TERMINATING'],
      reason: 'former agents are going down',
    },
    {
      prepare: attached((edge) =>
        edge
          .serve({
            group: 'apiextensions.k8s.io',
            version: 'v1',
            kind: 'CustomResourceDefinition',
            plural: 'customresourcedefinitions',
            namespaced: false,
            verbs: ['get'],
            subresources: [],
          })
          .add({
            apiVersion: 'apiextensions.k8s.io/v1',
            kind: 'CustomResourceDefinition',
            metadata: { name: 'connectedclusters.arc.azure.com' },
          }),
      ),
      found: [runs, 'error AGENT_LEFTOVERS'],
      reason: 'former agents have left their definitions',
    },
    {
      prepare: attached((edge) =>
        edge.add(
          releaseRecord('azure-arc', 1, 'azure-arc-release'),
          agentDeployment('config-agent'),
          agentConfiguration('new'),
        ),
      ),
      found: [runs],
      reason: 'the agents are there already, and nothing is left over',
    },
    {
      prepare: attached((edge) => {
        edge.mayDo = () => ({ allowed: false, reason: 'no' });
        edge.refuse({ verb: 'list', kind: 'Secret' }, new ControlError('KUBERNETES_FORBIDDEN', 'no secrets'));
      }),
      found: [runs, 'warning NOT_CLUSTER_ADMINISTRATOR'],
      reason: 'the attached credential may list no secrets',
    },
    {
      change: { contextNamespace: 'arc' },
      found: [runs, 'error CONTEXT_NAMESPACE_MISSING'],
      reason: 'Helm would find no place for its record',
    },
    {
      prepare: attached((edge) => (edge.contextNamespace = 'arc')),
      found: [runs, 'error CONTEXT_NAMESPACE_MISSING'],
      reason: 'the attached kubeconfig names a namespace that is not there',
    },
    {
      prepare: attached((edge) => {
        edge.contextNamespace = 'arc';
        edge.add({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } });
      }),
      change: { contextNamespace: 'default' },
      found: [runs],
      reason: 'the agents are installed by another kubeconfig',
    },
  ]);

  it('deletes each part that former agents have left by an operation of its own', async () => {
    const { play } = world('arc.cluster.connect', elsewhere, { attachedCluster }, ({ kube }) =>
      kube
        .cluster(attachedCluster.uid)
        .serve(
          apiResource('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'customresourcedefinitions', {
            namespaced: false,
          }),
        )
        .add(
          definition('connectedclusters.arc.azure.com'),
          definition('gitconfigs.clusterconfig.azure.com'),
          definition('certificates.cert-manager.io'),
          binding('azure-arc-operator'),
          releaseRecord('azure-arc', 2, 'azure-arc-release'),
          releaseRecord('other', 1, 'azure-arc-release'),
        ),
    );
    const finding = (await play.findings()).find(({ code }) => code === 'AGENT_LEFTOVERS');
    expect(finding?.operations).toEqual(
      [
        {
          apiVersion: 'apiextensions.k8s.io/v1',
          kind: 'CustomResourceDefinition',
          name: 'connectedclusters.arc.azure.com',
        },
        {
          apiVersion: 'apiextensions.k8s.io/v1',
          kind: 'CustomResourceDefinition',
          name: 'gitconfigs.clusterconfig.azure.com',
        },
        { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', name: 'azure-arc-operator' },
        { apiVersion: 'v1', kind: 'Secret', namespace: 'azure-arc-release', name: 'sh.helm.release.v1.azure-arc.v2' },
      ].map((named) => ({ type: 'kubernetes.object.delete', input: { cluster: attachedCluster.id, ...named } })),
    );
  });

  it('makes the missing namespace by an operation that can be sent as it is', async () => {
    const { play } = world('arc.cluster.connect', { ...elsewhere, contextNamespace: 'arc' }, { attachedCluster });
    const finding = (await play.findings()).find(({ code }) => code === 'CONTEXT_NAMESPACE_MISSING');
    expect(finding?.operations).toEqual([
      {
        type: 'kubernetes.manifest.apply',
        input: { cluster: attachedCluster.id, manifest: expect.stringContaining('name: arc') },
      },
    ]);
  });

  it('registers the cluster with a key of its own, then waits for its agents and shows the command', async () => {
    const { arm, play } = world('arc.cluster.connect', input, {});
    const started = await play.step('register');
    const body = arm.requests.at(-1)?.body;
    expect(body).toMatchObject({
      location: 'eastus',
      identity: { type: 'SystemAssigned' },
      properties: { agentPublicKeyCertificate: expect.stringMatching(/^MII[A-Za-z0-9+/=]{600,}$/) },
    });
    arm.settle();
    await expect(play.step('register', tokenOf(started))).resolves.toMatchObject({ outcome: 'done' });
    const waiting = await play.step('agents');
    expect(waiting).toMatchObject({ outcome: 'blocked', message: expect.stringContaining('az connectedk8s connect') });
    // People take their time: it is looked for ever more rarely.
    expect(waiting).toMatchObject({ retryAfterSeconds: 7 });
    await expect(play.step('agents', undefined, 100)).resolves.toMatchObject({ retryAfterSeconds: 60 });
    arm.add({ ...connectedBody(), id: NEW_ID });
    await expect(play.step('agents')).resolves.toMatchObject({ outcome: 'done' });
    await expect(play.verify()).resolves.toMatchObject({ verdict: 'reached' });
  });

  it.each<{
    prepare: (edge: Pick<World, 'inCluster'>) => void;
    attach?: false;
    said: RegExp;
    reason: string;
  }>([
    {
      prepare: withoutIdentity,
      said: /have no certificate.*Not available: clusterconnect-agent/,
      reason: 'no identity',
    },
    { prepare: withoutProxyCertificate, said: /certificate has not come/, reason: 'no certificate of the proxy' },
    { prepare: withoutProxyPods, said: /refuses the pods/, reason: 'the proxy may not run' },
    {
      prepare: () => undefined,
      said: /installed and run, and have not reported/,
      reason: 'they have not reported yet',
    },
    {
      prepare: ({ inCluster }) => inCluster.add(agentDeployment('config-agent', 0)),
      said: /Not available: config-agent\./,
      reason: 'one of them does not start',
    },
    {
      prepare: withoutIdentity,
      attach: false,
      said: /have no certificate/,
      reason: 'the credential was attached to the connected cluster itself',
    },
    {
      prepare: ({ inCluster }) => inCluster.add(agentConfiguration('another')),
      said: /^new is not connected\. Install/,
      reason: 'they belong to another cluster',
    },
  ])('says of agents that are there and do not report what is known of them: $reason', async (row) => {
    const { arm, kube, play } = world(
      'arc.cluster.connect',
      row.attach === false ? input : elsewhere,
      row.attach === false ? {} : { attachedCluster },
    );
    arm.add({ ...connectedBody({ connectivityStatus: null }), id: NEW_ID });
    const inCluster = kube.cluster(
      row.attach === false ? targetOf(NEW_ID, 'ConnectedCluster').uid : attachedCluster.uid,
    );
    inCluster.add(
      agentDeployment('clusterconnect-agent'),
      agentDeployment('kube-aad-proxy'),
      agentConfiguration('new'),
      certificate('azure-identity-certificate'),
      certificate('kube-aad-proxy-certificate'),
    );
    row.prepare({ inCluster });
    await expect(play.step('agents')).resolves.toMatchObject({
      outcome: 'blocked',
      message: expect.stringMatching(row.said),
    });
  });

  it('does not wait for agents that can never come back', async () => {
    const { arm, play } = world('arc.cluster.connect', input, {});
    arm.add({ ...connectedBody({ connectivityStatus: 'Expired' }), id: NEW_ID });
    await expect(play.step('agents')).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});

describe('arc.cluster.disconnect', () => {
  const input = { cluster: CONNECTED_ID };
  const MACHINES_ID = `${CONNECTED_ID}/providers/Microsoft.HybridContainerService/provisionedClusterInstances/default`;
  const withMachines = ({ arm }: Omit<World, 'play'>): void => arm.set(MACHINES_ID, { id: MACHINES_ID });
  describeFindings('arc.cluster.disconnect', input, { cluster }, [
    { prepare: gone(EXTENSION_ID), found: ['info AGENTS_REMAIN'], reason: 'nothing stands on it' },
    { prepare: gone(CONNECTED_ID), found: ['info CLUSTER_NOT_FOUND'], reason: 'it is gone' },
    {
      prepare: ({ arm }) => arm.add(locationBody()),
      found: ['error CUSTOM_LOCATIONS_REMAIN', 'warning EXTENSIONS_REMAIN', 'info AGENTS_REMAIN'],
      reason: 'things stand on it',
    },
    {
      prepare: (made) => {
        gone(EXTENSION_ID)(made);
        withMachines(made);
      },
      found: ['error MACHINES_REMAIN', 'info AGENTS_REMAIN'],
      reason: 'its machines would be left on the host',
    },
    {
      prepare: ({ arm }) => {
        arm.remove(EXTENSION_ID);
        arm.answer('GET', /provisionedClusterInstances/, refusal(409, 'MissingSubscriptionRegistration', 'none'));
      },
      found: ['info AGENTS_REMAIN'],
      reason: 'nobody has ever made machines in the subscription',
    },
  ]);

  it('leads to the deletion that takes the machines too', async () => {
    const { play } = world('arc.cluster.disconnect', input, { cluster }, withMachines);
    const [finding] = await play.findings();
    expect(finding).toMatchObject({
      code: 'MACHINES_REMAIN',
      evidence: { provisionedCluster: MACHINES_ID },
      operations: [{ type: 'hci.cluster.delete', input: { cluster: MACHINES_ID } }],
    });
  });

  it('deletes nothing where machines were made after it had been checked', async () => {
    const { arm, play } = world('arc.cluster.disconnect', input, { cluster }, withMachines);
    await expect(play.step('delete')).rejects.toMatchObject({
      code: 'CONFLICT',
      diagnosis: { code: 'MACHINES_REMAIN', operations: [{ type: 'hci.cluster.delete' }] },
    });
    expect(arm.writes()).toEqual([]);
  });

  it('is done when the cluster is gone from Azure', async () => {
    const { arm, play } = world('arc.cluster.disconnect', input, { cluster });
    const started = await play.step('delete');
    arm.settle();
    await expect(play.step('delete', tokenOf(started))).resolves.toMatchObject({ outcome: 'done' });
    await expect(play.verify()).resolves.toMatchObject({ verdict: 'reached', absent: [{ uid: cluster.uid }] });
  });
});

describe('arc.feature.enable', () => {
  const input = { cluster: CONNECTED_ID, features: ['cluster-connect', 'custom-locations'] };
  it('says while it waits why the agents that are there do not work', async () => {
    const { play } = world('arc.feature.enable', input, { cluster }, withoutProxyPods);
    await expect(play.step('switch-on')).resolves.toMatchObject({
      outcome: 'blocked',
      message: expect.stringMatching(/refuses the pods.*azure-arc-kube-aad-proxy-sa.*--features cluster-connect/),
    });
  });

  describeFindings('arc.feature.enable', input, { cluster }, [
    { found: ['info FEATURES_ENABLED'], reason: 'they are on' },
    { prepare: gone(CONNECTED_ID), found: ['error CLUSTER_NOT_FOUND'], reason: 'there is no such cluster' },
    {
      prepare: connected({ connectivityStatus: 'Offline' }),
      found: ['warning CLUSTER_NOT_CONNECTED', 'info FEATURES_ENABLED'],
      reason: 'Azure hears nothing of it',
    },
    {
      prepare: connected({ connectivityStatus: 'Expired' }),
      found: ['warning CLUSTER_EXPIRED', 'info FEATURES_ENABLED'],
      reason: 'its certificate has run out',
    },
    {
      prepare: connected({ privateLinkState: 'Enabled' }),
      found: ['error PRIVATE_LINK_CLUSTER', 'info FEATURES_ENABLED'],
      reason: 'it talks by private link',
    },
    { prepare: noAccess, found: ['error CLUSTER_ACCESS_MISSING'], reason: 'nobody has attached a kubeconfig' },
    { prepare: silent, found: ['error CLUSTER_UNREACHABLE'], reason: 'it does not answer' },
    {
      prepare: otherCluster,
      found: ['error AGENTS_OF_OTHER_CLUSTER', 'info FEATURES_ENABLED'],
      reason: 'the kubeconfig leads to another cluster',
    },
    {
      prepare: withoutBinding,
      found: ['error OBJECT_ID_MISSING'],
      reason: 'nobody says whom to give rights',
    },
    { prepare: withoutAgents, found: ['info CHART_RUNS_ELSEWHERE'], reason: 'somebody has to run Helm' },
    {
      prepare: withoutAgents,
      change: { features: ['custom-locations'] },
      found: ['warning CLUSTER_CONNECT_OFF', 'info FEATURES_ENABLED'],
      reason: 'custom locations alone lead nowhere',
    },
    {
      prepare: withoutProxyPods,
      change: { features: ['custom-locations'] },
      found: ['warning PROXY_PODS_REFUSED', 'info FEATURES_ENABLED'],
      reason: 'cluster connect is not off: its proxy may not run',
    },
    {
      prepare: connected({
        arcAgentProfile: { desiredAgentVersion: '1.31.3', agentAutoUpgrade: 'Disabled' },
        agentVersion: '1.9.0',
      }),
      found: ['warning AGENTS_OUTDATED', 'info FEATURES_ENABLED'],
      reason: 'the agents are older than Azure wants them',
    },
    {
      prepare: connected({ arcAgentProfile: { desiredAgentVersion: '1.31.3' } }),
      found: ['info FEATURES_ENABLED'],
      reason: 'the agents are as new as Azure wants them',
    },
    {
      prepare: withoutIdentity,
      found: ['warning AGENTS_WITHOUT_IDENTITY', 'info CHART_RUNS_ELSEWHERE'],
      reason: 'the agents have got no certificate',
    },
    {
      prepare: withoutProxyCertificate,
      found: ['warning PROXY_CERTIFICATE_MISSING', 'info CHART_RUNS_ELSEWHERE'],
      reason: 'the proxy waits for its certificate',
    },
    {
      prepare: withoutProxyPods,
      found: ['warning PROXY_PODS_REFUSED', 'info CHART_RUNS_ELSEWHERE'],
      reason: 'a policy forbids the pods of the proxy',
    },
    {
      prepare: ({ inCluster }) => {
        withoutProxyCertificate({ inCluster });
        inCluster.refuse({ verb: 'get', kind: 'Secret' }, new ControlError('KUBERNETES_FORBIDDEN', 'no secrets'));
      },
      found: ['info CHART_RUNS_ELSEWHERE'],
      reason: 'the credential may see everything but secrets',
    },
    {
      change: { customLocationsObjectId: OTHER_OBJECT_ID },
      found: ['warning WRONG_OBJECT_BOUND'],
      reason: 'the rights were given to another object',
    },
    {
      change: { customLocationsObjectId: PROVIDER_OBJECT_ID.toUpperCase() },
      found: ['info FEATURES_ENABLED'],
      reason: 'object ids are written in any casing',
    },
  ]);

  it('is not done while another object has the rights than the one that was named', async () => {
    const { play } = world(
      'arc.feature.enable',
      { cluster: CONNECTED_ID, features: ['custom-locations'], customLocationsObjectId: OTHER_OBJECT_ID },
      { cluster },
    );
    await expect(play.step('switch-on')).resolves.toMatchObject({ outcome: 'blocked' });
    await expect(play.verify()).resolves.toMatchObject({ verdict: 'missed' });
    await play.step('grant');
    await expect(play.step('switch-on')).resolves.toMatchObject({ outcome: 'done' });
    await expect(play.verify()).resolves.toMatchObject({ verdict: 'reached' });
  });

  it('gives the rights by itself, shows the command for the rest, and goes on when it sees the agents', async () => {
    const { inCluster, play } = world(
      'arc.feature.enable',
      { ...input, customLocationsObjectId: PROVIDER_OBJECT_ID },
      { cluster },
      (made) => {
        withoutAgents(made);
        withoutBinding(made);
      },
    );
    await expect(play.step('grant')).resolves.toMatchObject({ outcome: 'done' });
    expect(inCluster.object(BINDINGS, undefined, 'pilothouse-custom-locations-least-privilege')).toBeDefined();
    await expect(play.step('switch-on')).resolves.toMatchObject({
      outcome: 'blocked',
      message: expect.stringMatching(/az connectedk8s enable-features .* --features cluster-connect$/),
    });
    await expect(play.verify()).resolves.toMatchObject({ verdict: 'missed' });
    inCluster.add(agentDeployment('clusterconnect-agent'), agentDeployment('kube-aad-proxy', 0));
    await expect(play.step('switch-on')).resolves.toMatchObject({ outcome: 'blocked' });
    inCluster.add(agentDeployment('kube-aad-proxy'));
    await expect(play.step('switch-on')).resolves.toMatchObject({ outcome: 'done' });
    await expect(play.verify()).resolves.toMatchObject({
      verdict: 'reached',
      result: { features: { 'cluster-connect': true, 'custom-locations': true, 'azure-rbac': false } },
    });
  });
});

describe('arc.feature.disable', () => {
  const input = { cluster: CONNECTED_ID, features: ['cluster-connect', 'custom-locations'] };
  describeFindings('arc.feature.disable', input, { cluster }, [
    { found: ['info CHART_RUNS_ELSEWHERE'], reason: 'somebody has to run Helm' },
    {
      prepare: (made) => {
        withoutAgents(made);
        withoutBinding(made);
      },
      found: ['info FEATURES_DISABLED'],
      reason: 'they are off',
    },
    { prepare: gone(CONNECTED_ID), found: ['error CLUSTER_NOT_FOUND'], reason: 'there is no such cluster' },
    {
      prepare: connected({ connectivityStatus: 'Offline' }),
      found: ['warning CLUSTER_NOT_CONNECTED', 'info CHART_RUNS_ELSEWHERE'],
      reason: 'Azure hears nothing of it',
    },
    {
      prepare: connected({ connectivityStatus: 'Expired' }),
      found: ['warning CLUSTER_EXPIRED', 'info CHART_RUNS_ELSEWHERE'],
      reason: 'its certificate has run out',
    },
    { prepare: noAccess, found: ['error CLUSTER_ACCESS_MISSING'], reason: 'nobody has attached a kubeconfig' },
    { prepare: silent, found: ['error CLUSTER_UNREACHABLE'], reason: 'it does not answer' },
    {
      prepare: otherCluster,
      found: ['error AGENTS_OF_OTHER_CLUSTER', 'info CHART_RUNS_ELSEWHERE'],
      reason: 'the kubeconfig leads to another cluster',
    },
    {
      prepare: ({ arm }) => arm.add(locationBody()),
      found: ['error CUSTOM_LOCATIONS_DEPEND', 'info CHART_RUNS_ELSEWHERE'],
      reason: 'custom locations need them',
    },
  ]);

  it('takes away its own bindings and waits for the chart to take away the others', async () => {
    const { inCluster, play } = world('arc.feature.disable', input, { cluster }, (made) =>
      made.inCluster.add(binding('pilothouse-custom-locations-cluster-admin')),
    );
    await play.step('revoke');
    expect(inCluster.objects.filter(({ kind }) => kind === 'ClusterRoleBinding')).toHaveLength(1);
    await expect(play.step('switch-off')).resolves.toMatchObject({
      outcome: 'blocked',
      message: expect.stringContaining('disable-features'),
    });
    withoutAgents({ inCluster } as World);
    withoutBinding({ inCluster } as World);
    await expect(play.step('switch-off')).resolves.toMatchObject({ outcome: 'done' });
    await expect(play.verify()).resolves.toMatchObject({ verdict: 'reached' });
  });
});

/** Two versions of a type: the newer one does not run on the Kubernetes of the samples. */
const catalogue =
  (type: string) =>
  ({ arm }: Omit<World, 'play'>): void => {
    const path = `/subscriptions/${ARC_SUBSCRIPTION}/providers/Microsoft.KubernetesConfiguration/locations/eastus/extensionTypes/${type}/versions`;
    const unsupported = { connectedCluster: [{ distributions: ['aks_workload'], unsupportedVersions: ['1.30'] }] };
    arm.set(`${path}/1.9.0`, { properties: { version: '1.9.0' } });
    arm.set(`${path}/1.10.0`, { properties: { version: '1.10.0', unsupportedKubernetesVersions: unsupported } });
  };

describe('arc.extension.install', () => {
  const input = {
    cluster: CONNECTED_ID,
    name: 'new',
    extensionType: 'Microsoft.Flux',
    releaseNamespace: 'flux-system',
    settings: { 'envoy.loadBalancerIp': '192.168.0.102', 'buildService.storageClassName': 'default' },
  };
  const storageClass = ({ inCluster }: Omit<World, 'play'>): void => {
    inCluster
      .serve({
        group: 'storage.k8s.io',
        version: 'v1',
        kind: 'StorageClass',
        plural: 'storageclasses',
        namespaced: false,
        verbs: ['get'],
        subresources: [],
      })
      .add({ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: 'default' } });
  };
  const and =
    (...all: ((made: Omit<World, 'play'>) => void)[]) =>
    (made: Omit<World, 'play'>): void =>
      all.forEach((each) => each(made));
  const retired = { extensionType: 'microsoft.web.appservice' };
  const pools =
    (...addresses: string[]) =>
    ({ inCluster }: Omit<World, 'play'>): void => {
      inCluster.serve(apiResource('metallb.io/v1beta1', 'IPAddressPool', 'ipaddresspools')).add({
        apiVersion: 'metallb.io/v1beta1',
        kind: 'IPAddressPool',
        metadata: { name: 'pool', namespace: 'metallb-system' },
        spec: { addresses },
      });
    };

  const front = (namespace: string, annotations: JsonObject): KubernetesObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'front', namespace, annotations } as KubernetesObject['metadata'],
    status: { loadBalancer: { ingress: [{ ip: '192.168.0.102' }] } },
  });
  const ownFront = ({ inCluster }: Omit<World, 'play'>): void => void inCluster.add(front('akshci-apps', {}));
  const otherFront =
    (annotations: JsonObject) =>
    ({ inCluster }: Omit<World, 'play'>): void =>
      void inCluster.add(front('shop', annotations));

  describeFindings('arc.extension.install', input, { cluster }, [
    { prepare: storageClass, found: [], reason: 'all is prepared' },
    {
      prepare: ({ inCluster }) =>
        inCluster.refuse({ verb: 'list', kind: 'Secret' }, new ControlError('KUBERNETES_FORBIDDEN', 'no secrets')),
      found: ['error STORAGE_CLASS_NOT_FOUND'],
      reason: 'the credential may list no secrets, and sees the rest',
    },
    {
      prepare: and(storageClass, catalogue('microsoft.flux')),
      found: ['warning KUBERNETES_VERSION_NOT_SUPPORTED'],
      reason: 'the newest version does not run on such a cluster, and Azure may take another',
    },
    {
      prepare: and(storageClass, catalogue('microsoft.web.appservice')),
      change: { name: 'appservice-ext', ...retired },
      found: ['warning EXTENSION_TYPE_RETIRED', 'info EXTENSION_EXISTS'],
      reason: 'it is there and stays at its version',
    },
    {
      prepare: and(storageClass, ownFront),
      change: { name: 'appservice-ext', ...retired, releaseNamespace: null },
      found: ['warning EXTENSION_TYPE_RETIRED', 'info EXTENSION_EXISTS'],
      reason: 'the address is that of the extension itself, whose namespace Azure knows',
    },
    {
      prepare: and(storageClass, ownFront, otherFront({})),
      change: { name: 'appservice-ext', ...retired, releaseNamespace: null },
      found: ['warning EXTENSION_TYPE_RETIRED', 'info EXTENSION_EXISTS', 'error ADDRESS_IN_USE'],
      reason: 'a service of its own hides no other that has the address too',
    },
    {
      prepare: and(storageClass, otherFront({ 'metallb.universe.tf/allow-shared-ip': 'front' })),
      found: ['warning ADDRESS_IN_USE'],
      reason: 'the load balancer may give both the address',
    },
    {
      change: { settings: { 'buildService.storageClassName': '', 'envoy.loadBalancerIp': '' } },
      found: [],
      reason: 'what is left empty is left to the cluster',
    },
    {
      prepare: and(storageClass, catalogue('microsoft.flux')),
      change: { version: '1.9.0' },
      found: [],
      reason: 'the version that it is held at does',
    },
    {
      prepare: and(storageClass, ({ arm }) =>
        arm.answer('GET', /extensionTypes/, refusal(400, 'NoRegisteredProviderFound', 'there is no such preview')),
      ),
      found: [],
      reason: 'Azure has no catalogue any more',
    },
    {
      prepare: storageClass,
      change: retired,
      found: ['warning EXTENSION_TYPE_RETIRED'],
      reason: 'Azure has closed the type',
    },
    { prepare: gone(CONNECTED_ID), found: ['error CLUSTER_NOT_FOUND'], reason: 'there is no such cluster' },
    {
      prepare: and(storageClass, connected({ connectivityStatus: 'Connecting' })),
      found: ['error CLUSTER_NOT_CONNECTED'],
      reason: 'nobody would install it',
    },
    {
      prepare: and(storageClass, connected({ connectivityStatus: 'Expired' })),
      found: ['error CLUSTER_EXPIRED'],
      reason: 'its certificate has run out',
    },
    {
      prepare: and(storageClass, noSubscription),
      found: ['error SUBSCRIPTION_NOT_FOUND'],
      reason: 'the subscription has gone from sight',
    },
    {
      prepare: and(storageClass, unregistered('Microsoft.KubernetesConfiguration')),
      found: ['error PROVIDER_NOT_REGISTERED'],
      reason: 'the provider is not registered',
    },
    {
      prepare: and(
        storageClass,
        providerOf('Microsoft.KubernetesConfiguration', 'extensions', { apiVersions: ['1999-01-01'] }),
      ),
      found: ['error API_VERSION_RETIRED'],
      reason: 'Azure has moved on',
    },
    { prepare: noAccess, found: ['info CLUSTER_ACCESS_MISSING'], reason: 'Azure needs no access of ours' },
    {
      prepare: ({ inCluster }) => inCluster.refuse({}, new ControlError('AZURE_FORBIDDEN', 'It lists no kubeconfig.')),
      found: ['info CLUSTER_ACCESS_MISSING'],
      reason: 'what Azure does not let us see it sees itself',
    },
    {
      prepare: ({ inCluster }) => inCluster.refuse({}, new ControlError('KUBERNETES_THROTTLED', 'Later.')),
      found: ['info CLUSTER_UNREACHABLE'],
      reason: 'a cluster that asks for patience stops nobody',
    },
    { prepare: silent, found: ['info CLUSTER_UNREACHABLE'], reason: 'Azure may reach it all the same' },
    {
      prepare: storageClass,
      change: { name: 'appservice-ext', ...retired },
      found: ['warning EXTENSION_TYPE_RETIRED', 'info EXTENSION_EXISTS'],
      reason: 'it is there',
    },
    {
      prepare: storageClass,
      change: { name: 'appservice-ext' },
      found: ['error EXTENSION_EXISTS_DIFFERENT'],
      reason: 'the name belongs to another type',
    },
    {
      prepare: and(storageClass, ({ inCluster }) => inCluster.add(releaseRecord('new', 3, 'flux-system'))),
      found: ['error RELEASE_NAME_IN_USE'],
      reason: 'a release is left over, whatever its revision',
    },
    {
      prepare: and(storageClass, ({ inCluster }) => {
        inCluster.add(releaseRecord('new', 1, 'other'), releaseRecord('another', 1, 'flux-system'));
      }),
      found: [],
      reason: 'releases of other names and in other namespaces are in nobody\u2019s way',
    },
    {
      prepare: and(storageClass, pools('192.168.0.150-192.168.0.200', '10.0.0.0/28')),
      found: ['error ADDRESS_OUTSIDE_POOL'],
      reason: 'the load balancer has no such address',
    },
    {
      prepare: and(storageClass, pools('192.168.0.150-192.168.0.200', '192.168.0.96/28')),
      found: [],
      reason: 'one of the pools has the address',
    },
    {
      prepare: and(storageClass, pools('fd00::/64')),
      found: [],
      reason: 'pools of other addresses say nothing about it',
    },
    {
      prepare: and(storageClass, ({ inCluster }) => {
        inCluster.add({
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'web', namespace: 'shop' },
          status: { loadBalancer: { ingress: [{ ip: '192.168.0.102' }] } },
        });
      }),
      found: ['error ADDRESS_IN_USE'],
      reason: 'the address is taken',
    },
    { found: ['error STORAGE_CLASS_NOT_FOUND'], reason: 'the storage class is not there' },
    {
      prepare: and(
        storageClass,
        providerOf('Microsoft.KubernetesConfiguration', 'extensions', { locations: ['westus'] }),
      ),
      found: ['error LOCATION_NOT_SUPPORTED'],
      reason: 'the region of the cluster has none',
    },
  ]);

  function secretly(
    type: string,
    given: JsonObject,
    references: Record<string, ResourceTarget>,
    prepare?: (made: Omit<World, 'play'>) => void,
  ) {
    const made = world(type, given, references, prepare);
    const { operation } = made.play;
    const secrets = { protectedSettings: new Secret('{"key":"hidden"}') };
    const context = { ...contextOf(operation, operation.input.parse(given), references), secrets };
    return {
      ...made,
      run: (resumeToken?: Secret) => operation.steps[0]!.run({ ...context, resumeToken, attempt: 1 }),
    };
  }

  it('brings the secrets with the first request, and the version only where Azure does not upgrade', async () => {
    const { arm, run } = secretly('arc.extension.install', { ...input, version: '1.2.3' }, { cluster });
    await run();
    expect(arm.requests.at(-1)).toMatchObject({
      method: 'PUT',
      body: {
        properties: {
          extensionType: 'Microsoft.Flux',
          scope: { cluster: { releaseNamespace: 'flux-system' } },
          version: '1.2.3',
          autoUpgradeMinorVersion: false,
          configurationProtectedSettings: { key: 'hidden' },
        },
      },
    });
  });

  it('merges into one that is there, since a PUT would take away its other secrets', async () => {
    const { arm, run } = secretly(
      'arc.extension.update',
      { extension: EXTENSION_ID, settings: { a: 'b' }, protectedSettings: '{"key":"hidden"}' },
      { extension },
    );
    arm.answer('PATCH', /extensions/, { status: 200, body: extensionBody() });
    await run();
    expect(arm.writes()).toEqual([`PATCH ${EXTENSION_ID}`]);
    expect(arm.requests.at(-1)?.body).toEqual({
      properties: { configurationSettings: { a: 'b' }, configurationProtectedSettings: { key: 'hidden' } },
    });
  });

  it('offers no records of a release that is deployed before it is installed', async () => {
    const { play } = world('arc.extension.install', input, { cluster }, ({ inCluster }) =>
      inCluster.add(releaseRecord('new', 1, 'flux-system', 'deployed')),
    );
    const found = (await play.findings()).filter(({ code }) => code === 'RELEASE_NAME_IN_USE');
    expect(found.map(({ operations }) => operations)).toEqual([[]]);
  });

  it('says what is known of a failure, with what mends it', async () => {
    const { arm, play } = world('arc.extension.install', input, { cluster }, ({ inCluster }) =>
      inCluster.add(
        releaseRecord('new', 1, 'flux-system'),
        releaseRecord('new', 2, 'flux-system'),
        releaseRecord('other', 1, 'flux-system'),
      ),
    );
    const started = await play.step('install');
    arm.fail('InstallationFailed', 'err [cannot re-use a name that is still in use]');
    const forget = (name: string): JsonObject => ({
      type: 'kubernetes.object.delete',
      input: { cluster: CONNECTED_ID, apiVersion: 'v1', kind: 'Secret', name, namespace: 'flux-system' },
    });
    await expect(play.step('install', tokenOf(started))).rejects.toMatchObject({
      code: 'AZURE_OPERATION_FAILED',
      diagnosis: {
        code: 'RELEASE_NAME_IN_USE',
        evidence: {
          secrets: ['flux-system/sh.helm.release.v1.new.v1', 'flux-system/sh.helm.release.v1.new.v2'],
        },
        operations: [forget('sh.helm.release.v1.new.v1'), forget('sh.helm.release.v1.new.v2')],
      },
    });
  });

  it.each([
    {
      isPlaced: true,
      records: [
        releaseRecord('new', 1, 'flux-system', 'superseded'),
        releaseRecord('new', 2, 'flux-system', 'deployed'),
        releaseRecord('new', 3, 'flux-system', 'failed'),
      ],
      secrets: [1, 2, 3].map((revision) => `flux-system/sh.helm.release.v1.new.v${revision}`),
      reason: 'one that is deployed would be nobody\u2019s',
    },
    {
      isPlaced: true,
      records: [releaseRecord('new', 1, 'flux-system', 'pending-install')],
      secrets: ['flux-system/sh.helm.release.v1.new.v1'],
      reason: 'one that is being installed may still come',
    },
    {
      isPlaced: false,
      records: [releaseRecord('new', 1, 'shop')],
      secrets: undefined,
      reason: 'where it is to be nobody knows, and elsewhere it is in nobody\u2019s way',
    },
  ])('leaves the records of a release alone: $reason', async ({ isPlaced, records, secrets }) => {
    const { releaseNamespace: _namespace, ...unplaced } = input;
    const sent: JsonObject = isPlaced ? input : unplaced;
    const { arm, play } = world('arc.extension.install', sent, { cluster }, ({ inCluster }) =>
      inCluster.add(...records),
    );
    const started = await play.step('install');
    arm.fail('InstallationFailed', 'err [cannot re-use a name that is still in use]');
    const error: unknown = await play.step('install', tokenOf(started)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ diagnosis: { code: 'RELEASE_NAME_IN_USE', operations: [] } });
    expect((error as ControlError).diagnosis?.evidence.secrets).toEqual(secrets);
  });

  it.each([
    { given: {}, isOffered: true, reason: 'as it was asked for' },
    {
      given: { protectedSettings: '{"key":"hidden"}' },
      isOffered: false,
      reason: 'not where secrets would be missing',
    },
  ])('offers the same once more where something else was changing the cluster, $reason', async (row) => {
    const sent = { ...input, ...row.given };
    const { arm, play } = world('arc.extension.install', sent, { cluster });
    const busy =
      'unable to add the configuration: Operation cannot be fulfilled on extensionconfigs.clusterconfig.azure.com "new": the object has been modified';
    arm.answer('PUT', /extensions/, refusal(409, 'ExtensionOperationFailed', busy));
    await expect(play.step('install')).rejects.toMatchObject({
      diagnosis: {
        code: 'RELEASE_BUSY',
        operations: row.isOffered
          ? [{ type: 'arc.extension.install', input: { ...sent, releaseTrain: 'Stable' } }]
          : [],
      },
    });
  });

  const notReady = 'failed, and has been uninstalled due to atomic being set: timed out waiting for the condition';
  const pod = (name: string, status: JsonObject): KubernetesObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'akshci-apps' },
    status,
  });
  const service = (name: string, type: string, status: JsonObject): KubernetesObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'akshci-apps' },
    spec: { type, loadBalancerIP: '192.168.0.102' },
    status,
  });
  const ready = (status: string): JsonObject => ({ type: 'Ready', status });

  it.each([{ type: 'arc.extension.update' }, { type: 'arc.extension.remove' }])(
    'names what does not become ready, so that its advice can be asked for: $type',
    async ({ type }) => {
      const isUpdate = type === 'arc.extension.update';
      const { arm, play } = world(
        type,
        { extension: EXTENSION_ID, ...(isUpdate ? { version: '1.0.0' } : {}) },
        { extension },
        ({ inCluster }) =>
          inCluster.add(
            pod('well', { phase: 'Running', conditions: [ready('True')] }),
            pod('done', { phase: 'Succeeded', conditions: [ready('False')] }),
            pod('image', {
              phase: 'Pending',
              conditions: [ready('False')],
              containerStatuses: [{ state: { waiting: { reason: 'ImagePullBackOff', message: 'Back-off' } } }],
            }),
            pod('place', {
              phase: 'Pending',
              conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes' }],
            }),
            service('envoy', 'LoadBalancer', { loadBalancer: {} }),
            service('web', 'LoadBalancer', { loadBalancer: { ingress: [{ ip: '192.168.0.103' }] } }),
            service('inside', 'ClusterIP', {}),
            {
              apiVersion: 'apps/v1',
              kind: 'Deployment',
              metadata: { name: 'controller', namespace: 'akshci-apps' },
              status: {
                conditions: [
                  {
                    type: 'ReplicaFailure',
                    status: 'True',
                    message: 'admission webhook "validation.gatekeeper.sh" denied the request',
                  },
                ],
              },
            },
          ),
      );
      arm.answer('DELETE', /extensions/, refusal(409, 'ExtensionOperationFailed', notReady));
      arm.answer('PATCH', /extensions/, refusal(409, 'ExtensionOperationFailed', notReady));
      await expect(play.step(isUpdate ? 'update' : 'remove')).rejects.toMatchObject({
        diagnosis: {
          code: 'PODS_NOT_READY',
          evidence: {
            namespace: 'akshci-apps',
            pods: [
              { pod: 'image', uid: expect.stringMatching(/^[0-9a-f-]{36}$/), reason: 'ImagePullBackOff' },
              { pod: 'place', reason: 'Unschedulable', message: '0/1 nodes' },
            ],
            services: [{ service: 'envoy', wanted: '192.168.0.102' }],
            refused: [{ deployment: 'controller', message: expect.stringContaining('gatekeeper') }],
          },
        },
      });
    },
  );

  it('believes the agents rather than Azure about the end', async () => {
    const { play } = world(
      'arc.extension.install',
      { ...input, name: 'appservice-ext', ...retired },
      { cluster },
      ({ arm }) =>
        arm.add(
          extensionBody({
            statuses: [{ code: 'InstallationFailed', level: 'Error', message: 'timed out waiting for the condition' }],
          }),
        ),
    );
    await expect(play.verify()).rejects.toMatchObject({
      code: 'VERIFICATION_FAILED',
      diagnosis: { code: 'PODS_NOT_READY' },
    });
  });
});

describe('arc.extension.update', () => {
  const input = { extension: EXTENSION_ID, settings: { a: 'b' } };
  describeFindings('arc.extension.update', input, { extension }, [
    { found: [], reason: 'there is something to change' },
    { prepare: gone(EXTENSION_ID), found: ['error EXTENSION_NOT_FOUND'], reason: 'there is no such extension' },
    {
      prepare: ({ arm }) => arm.add(extensionBody({ provisioningState: 'Updating' })),
      found: ['warning EXTENSION_BUSY'],
      reason: 'somebody is changing it',
    },
    {
      prepare: ({ arm }) => arm.add(extensionBody({ isSystemExtension: true })),
      found: ['error SYSTEM_EXTENSION'],
      reason: 'it came with the cluster',
    },
    {
      change: { version: '1.0.0', autoUpgrade: true },
      found: ['error VERSION_WITH_AUTO_UPGRADE'],
      reason: 'both cannot be',
    },
    {
      change: { settings: { appsNamespace: 'akshci-apps' } },
      found: ['info NOTHING_TO_CHANGE'],
      reason: 'it is so already',
    },
    {
      prepare: ({ arm }) => arm.add(extensionBody({ version: '0.12.2' })),
      change: { settings: {}, version: '0.12.2' },
      found: [],
      reason: 'it is at the version, and Azure upgrades it all the same',
    },
    {
      prepare: ({ arm }) => arm.add(extensionBody({ version: '0.12.2', autoUpgradeMinorVersion: false })),
      change: { settings: {}, version: '0.12.2' },
      found: ['info NOTHING_TO_CHANGE'],
      reason: 'it is held at the version',
    },
    {
      prepare: catalogue('microsoft.web.appservice'),
      change: { settings: {}, version: '1.10.0' },
      found: ['error KUBERNETES_VERSION_NOT_SUPPORTED'],
      reason: 'that version does not run on such a cluster',
    },
    {
      change: { settings: { 'buildService.storageClassName': 'fast' } },
      found: ['error STORAGE_CLASS_NOT_FOUND'],
      reason: 'the storage class is not there',
    },
    {
      prepare: ({ inCluster }) => {
        inCluster.serve(apiResource('metallb.io/v1beta1', 'IPAddressPool', 'ipaddresspools')).add({
          apiVersion: 'metallb.io/v1beta1',
          kind: 'IPAddressPool',
          metadata: { name: 'pool', namespace: 'metallb-system' },
          spec: { addresses: ['192.168.0.150-192.168.0.200'] },
        });
      },
      change: { settings: { 'envoy.loadBalancerIp': '192.168.0.99' } },
      found: ['error ADDRESS_OUTSIDE_POOL'],
      reason: 'the load balancer has no such address',
    },
    {
      prepare: ({ inCluster }) => {
        inCluster.add({
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'web', namespace: 'shop' },
          status: { loadBalancer: { ingress: [{ ip: '192.168.0.99' }] } },
        });
      },
      change: { settings: { 'envoy.loadBalancerIp': '192.168.0.99' } },
      found: ['error ADDRESS_IN_USE'],
      reason: 'the address is taken',
    },
    {
      prepare: ({ inCluster }) => {
        inCluster.add({
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'envoy', namespace: 'akshci-apps' },
          status: { loadBalancer: { ingress: [{ ip: '192.168.0.99' }] } },
        });
      },
      change: { settings: { 'envoy.loadBalancerIp': '192.168.0.99' } },
      found: [],
      reason: 'the address is that of the extension itself',
    },
    {
      prepare: noAccess,
      change: { settings: { 'envoy.loadBalancerIp': '192.168.0.99' } },
      found: ['info CLUSTER_ACCESS_MISSING'],
      reason: 'Azure needs no access of ours',
    },
    {
      prepare: silent,
      change: { settings: { 'envoy.loadBalancerIp': '192.168.0.99' } },
      found: ['info CLUSTER_UNREACHABLE'],
      reason: 'Azure may reach it all the same',
    },
    { prepare: gone(CONNECTED_ID), found: ['error CLUSTER_NOT_FOUND'], reason: 'its cluster is gone' },
    {
      prepare: connected({ connectivityStatus: 'Offline' }),
      found: ['error CLUSTER_NOT_CONNECTED'],
      reason: 'nobody would change it',
    },
    {
      prepare: connected({ connectivityStatus: 'Expired' }),
      found: ['error CLUSTER_EXPIRED'],
      reason: 'its certificate has run out',
    },
  ]);

  it('holds at its present version one that Azure has upgraded by itself', async () => {
    const { arm, play } = world('arc.extension.update', { extension: EXTENSION_ID, version: '0.12.2' }, { extension });
    await play.step('update');
    expect(arm.requests.findLast(({ method }) => method === 'PATCH')?.body).toEqual({
      properties: { autoUpgradeMinorVersion: false, version: '0.12.2' },
    });
    await expect(play.step('update')).resolves.toMatchObject({ outcome: 'done' });
    await expect(play.verify()).resolves.toMatchObject({ verdict: 'reached' });
  });

  it('waits until the agents report the version that was asked for', async () => {
    const held = { version: '0.12.1', autoUpgradeMinorVersion: false };
    const { arm, play } = world(
      'arc.extension.update',
      { extension: EXTENSION_ID, version: '0.12.1' },
      { extension },
      (made) => made.arm.add(extensionBody(held)),
    );
    await expect(play.verify()).resolves.toMatchObject({ verdict: 'pending' });
    arm.add(extensionBody({ ...held, currentVersion: '0.12.1' }));
    await expect(play.verify()).resolves.toMatchObject({ verdict: 'reached' });
  });
});

describe('arc.extension.remove', () => {
  const input = { extension: EXTENSION_ID };
  describeFindings('arc.extension.remove', input, { extension }, [
    { found: [], reason: 'nothing stands on it' },
    { prepare: gone(EXTENSION_ID), found: ['info EXTENSION_NOT_FOUND'], reason: 'it is gone' },
    {
      prepare: ({ arm }) => arm.add(extensionBody({ isSystemExtension: true })),
      found: ['error SYSTEM_EXTENSION'],
      reason: 'it came with the cluster',
    },
    {
      prepare: ({ arm }) => arm.add(locationBody()),
      found: ['error CUSTOM_LOCATIONS_DEPEND'],
      reason: 'a custom location stands on it',
    },
    {
      prepare: connected({ connectivityStatus: 'Offline' }),
      found: ['error CLUSTER_OFFLINE'],
      reason: 'nobody would remove it',
    },
    {
      prepare: connected({ connectivityStatus: 'Offline' }),
      change: { force: true },
      found: ['warning LEFT_IN_CLUSTER'],
      reason: 'it is removed by force',
    },
  ]);

  it('asks Azure to forget it where that is wanted, also in the middle of a removal that hangs', async () => {
    const { arm, play } = world('arc.extension.remove', { ...input, force: true }, { extension }, ({ arm: made }) =>
      made.add(extensionBody({ provisioningState: 'Deleting' })),
    );
    await play.step('remove');
    const sent = arm.requests.at(-1)!;
    expect([sent.method, sent.query.get('forceDelete')]).toEqual(['DELETE', 'true']);
  });
});

describe('arc.customLocation.create', () => {
  const input = { cluster: CONNECTED_ID, name: 'akshci-apps', namespace: 'akshci-apps', extension: EXTENSION_ID };
  const references = { cluster, extension };
  const OTHER_ID = LOCATION_ID.replace('customLocations/akshci-apps', 'customLocations/other');

  describeFindings('arc.customLocation.create', input, references, [
    { found: [], reason: 'all is prepared' },
    { prepare: gone(CONNECTED_ID), found: ['error CLUSTER_NOT_FOUND'], reason: 'there is no such cluster' },
    {
      prepare: connected({ connectivityStatus: 'Offline' }),
      found: ['error CLUSTER_NOT_CONNECTED'],
      reason: 'the provider could not come in',
    },
    {
      prepare: connected({ connectivityStatus: 'Expired' }),
      found: ['error CLUSTER_EXPIRED'],
      reason: 'its certificate has run out',
    },
    {
      prepare: connected({ privateLinkState: 'Enabled' }),
      found: ['error PRIVATE_LINK_CLUSTER'],
      reason: 'it talks by private link',
    },
    {
      prepare: noSubscription,
      found: ['error SUBSCRIPTION_NOT_FOUND'],
      reason: 'the subscription has gone from sight',
    },
    {
      prepare: unregistered('Microsoft.ExtendedLocation'),
      found: ['error PROVIDER_NOT_REGISTERED'],
      reason: 'the provider is not registered',
    },
    {
      prepare: providerOf('Microsoft.ExtendedLocation', 'customLocations', { locations: ['westeurope'] }),
      found: ['error LOCATION_NOT_SUPPORTED'],
      reason: 'the region of the cluster has none',
    },
    {
      prepare: providerOf('Microsoft.ExtendedLocation', 'customLocations', { apiVersions: ['1999-01-01'] }),
      found: ['error API_VERSION_RETIRED'],
      reason: 'Azure has moved on',
    },
    { prepare: gone(EXTENSION_ID), found: ['error EXTENSION_NOT_FOUND'], reason: 'there is no such extension' },
    {
      prepare: ({ arm }) => arm.add(extensionBody({ provisioningState: 'Failed' })),
      found: ['error EXTENSION_NOT_READY'],
      reason: 'the extension has failed',
    },
    {
      prepare: ({ arm }) => arm.add({ ...locationBody(), id: OTHER_ID }),
      found: ['error NAMESPACE_TAKEN'],
      reason: 'the namespace is taken',
    },
    { prepare: ({ arm }) => arm.add(locationBody()), found: ['info LOCATION_EXISTS'], reason: 'it is there' },
    {
      prepare: ({ arm }) => arm.add(locationBody({ namespace: 'other' })),
      found: ['error LOCATION_EXISTS_DIFFERENT'],
      reason: 'the name belongs to another namespace',
    },
    { prepare: noAccess, found: ['info CLUSTER_ACCESS_MISSING'], reason: 'Azure needs no access of ours' },
    { prepare: silent, found: ['info CLUSTER_UNREACHABLE'], reason: 'Azure may reach it all the same' },
    { prepare: withoutAgents, found: ['error CLUSTER_CONNECT_OFF'], reason: 'nobody would let the provider in' },
    { prepare: withoutBinding, found: ['warning PROVIDER_NOT_GRANTED'], reason: 'nobody has given it rights' },
    {
      prepare: connected({
        arcAgentProfile: { desiredAgentVersion: '1.31.3', agentAutoUpgrade: 'Disabled' },
        agentVersion: '1.9.0',
      }),
      found: ['warning AGENTS_OUTDATED'],
      reason: 'the agents are older than Azure wants them',
    },
    {
      prepare: connected({ arcAgentProfile: { desiredAgentVersion: '1.31.3' } }),
      found: [],
      reason: 'the agents are as new as Azure wants them',
    },
    {
      prepare: withoutIdentity,
      found: ['error AGENTS_WITHOUT_IDENTITY'],
      reason: 'the agents have got no certificate',
    },
    {
      prepare: withoutProxyCertificate,
      found: ['error PROXY_CERTIFICATE_MISSING'],
      reason: 'the proxy waits for its certificate',
    },
    {
      prepare: withoutProxyPods,
      found: ['error PROXY_PODS_REFUSED'],
      reason: 'a policy forbids the pods of the proxy',
    },
    {
      change: { customLocationsObjectId: OTHER_OBJECT_ID },
      found: ['warning WRONG_OBJECT_BOUND'],
      reason: 'another object has been given its rights',
    },
    {
      change: { customLocationsObjectId: PROVIDER_OBJECT_ID },
      found: [],
      reason: 'the very object has been given its rights',
    },
    {
      elsewhere: { extension: targetOf(EXTENSION_ID.replace('my-workload-cluster', 'another'), 'ClusterExtension') },
      found: ['error EXTENSION_OF_OTHER_CLUSTER'],
      reason: 'the extension is in another cluster',
    },
  ]);

  const forbidden = (objectId: string): string =>
    `"namespaces is forbidden: User \\"${objectId}\\" cannot create resource \\"namespaces\\" in API group \\"\\" at the cluster scope"`;
  const NO_LISTENERS =
    'The operation to Create a Namespace: "apps", failed with the following error: "an error on the server ("404 There are no listeners connected for the endpoint."';
  const NOT_PERMITTED =
    '"Microsoft.ExtendedLocation" resource provider does not have the required permissions to create a namespace on the cluster. Refer to https://aka.ms/ArcK8sCustomLocationsDocsEnableFeature';
  const grantOf = (objectId: string): JsonObject => ({
    type: 'arc.customLocation.grant',
    input: { cluster: CONNECTED_ID, objectId, role: 'least-privilege' },
  });

  it.each<{
    said: string;
    named?: string;
    prepare?: (made: Omit<World, 'play'>) => void;
    code: string;
    operations: JsonObject[];
    reason: string;
  }>([
    {
      said: forbidden(OTHER_OBJECT_ID),
      code: 'WRONG_OBJECT_BOUND',
      operations: [grantOf(OTHER_OBJECT_ID)],
      reason: 'the rights of the provider were given to another object than Azure names',
    },
    {
      said: forbidden(OTHER_OBJECT_ID),
      prepare: ({ inCluster }) => inCluster.add(agentConfiguration('another')),
      code: 'PROVIDER_NOT_GRANTED',
      operations: [grantOf(OTHER_OBJECT_ID)],
      reason: 'what is bound was seen in another cluster, by its kubeconfig',
    },
    {
      said: forbidden(PROVIDER_OBJECT_ID),
      code: 'PROVIDER_NOT_GRANTED',
      operations: [grantOf(PROVIDER_OBJECT_ID)],
      reason: 'the object is bound, to a role that is too narrow',
    },
    {
      said: forbidden(OTHER_OBJECT_ID),
      prepare: noAccess,
      code: 'PROVIDER_NOT_GRANTED',
      operations: [grantOf(OTHER_OBJECT_ID)],
      reason: 'nobody can see who is bound',
    },
    {
      said: NOT_PERMITTED,
      named: OTHER_OBJECT_ID,
      code: 'WRONG_OBJECT_BOUND',
      operations: [grantOf(OTHER_OBJECT_ID)],
      reason: 'the caller has said the object id, and another one is bound',
    },
    {
      said: NOT_PERMITTED,
      code: 'PROVIDER_NOT_GRANTED',
      operations: [grantOf(PROVIDER_OBJECT_ID)],
      reason: 'the chart alone says the object id',
    },
    {
      said: NOT_PERMITTED,
      prepare: ({ inCluster }) => inCluster.add(binding('pilothouse-custom-locations-least-privilege')),
      code: 'PROVIDER_NOT_GRANTED',
      operations: [],
      reason: 'that object has been given its rights already: it is the wrong one',
    },
    {
      said: NOT_PERMITTED,
      prepare: withoutBinding,
      code: 'PROVIDER_NOT_GRANTED',
      operations: [],
      reason: 'nobody says the object id',
    },
    {
      said: NO_LISTENERS,
      prepare: withoutAgents,
      code: 'CLUSTER_CONNECT_OFF',
      operations: [{ type: 'arc.feature.enable', input: { cluster: CONNECTED_ID, features: ['cluster-connect'] } }],
      reason: 'cluster connect is off',
    },
    {
      said: NO_LISTENERS,
      prepare: withoutProxyPods,
      code: 'PROXY_PODS_REFUSED',
      operations: [],
      reason: 'cluster connect is on, and its proxy may not run',
    },
  ])('is explained by $code: $reason', async ({ said, named, prepare, code, operations }) => {
    const { arm, play } = world(
      'arc.customLocation.create',
      { ...input, ...(named === undefined ? {} : { customLocationsObjectId: named }) },
      references,
      prepare,
    );
    const started = await play.step('create');
    arm.fail('CreateNamespaceFailed', said);
    await expect(play.step('create', tokenOf(started))).rejects.toMatchObject({
      code: 'AZURE_OPERATION_FAILED',
      diagnosis: { code, operations },
    });
  });

  it('takes the region of its cluster, whatever is asked', async () => {
    const { arm, play } = world('arc.customLocation.create', input, references);
    await play.step('create');
    expect(arm.requests.at(-1)).toMatchObject({
      method: 'PUT',
      path: LOCATION_ID,
      body: { location: 'eastus', properties: { hostResourceId: CONNECTED_ID, clusterExtensionIds: [EXTENSION_ID] } },
    });
  });

  it('puts an extension beside those that are there, and keeps what it does not know', async () => {
    const first = EXTENSION_ID.replace('appservice-ext', 'first');
    const { arm, play } = world('arc.customLocation.create', input, references, ({ arm: made }) =>
      made.add(locationBody({ clusterExtensionIds: [first], future: { kept: true } })),
    );
    await play.step('create');
    expect(arm.requests.at(-1)?.body).toMatchObject({
      properties: { clusterExtensionIds: [first, EXTENSION_ID], future: { kept: true } },
    });
  });

  it('tries again after a failure that has been mended', async () => {
    const { arm, play } = world('arc.customLocation.create', input, references, ({ arm: made }) =>
      made.add(locationBody({ provisioningState: 'Failed' })),
    );
    const started = await play.step('create');
    arm.settle();
    arm.set(`${LOCATION_ID}/enabledResourceTypes/x`, {
      id: `${LOCATION_ID}/enabledResourceTypes/x`,
      properties: { typesMetadata: [{ resourceProviderNamespace: 'Microsoft.Web', resourceType: 'sites' }] },
    });
    await expect(play.step('create', tokenOf(started))).resolves.toMatchObject({ outcome: 'done' });
    await expect(play.verify()).resolves.toMatchObject({
      verdict: 'reached',
      result: { enabledResourceTypes: ['Microsoft.Web/sites'] },
    });
  });
});

describe('arc.customLocation.delete', () => {
  describeFindings('arc.customLocation.delete', { customLocation: LOCATION_ID }, { customLocation }, [
    { found: ['info LOCATION_NOT_FOUND'], reason: 'it is gone' },
    {
      prepare: ({ arm }) => arm.add(locationBody({ provisioningState: 'Updating' })),
      found: ['warning LOCATION_BUSY'],
      reason: 'somebody is changing it',
    },
    {
      prepare: ({ arm }) => {
        arm.add(locationBody());
        const data = [{ id: `${ARC_GROUP}/providers/Microsoft.Web/sites/app` }];
        arm.answer('POST', /resourcegraph/i, {
          status: 200,
          body: { totalRecords: 1, count: 1, data, resultTruncated: 'false' },
        });
      },
      found: ['warning RESOURCES_PLACED'],
      reason: 'an app is placed on it',
    },
  ]);
});

describe('arc.customLocation.grant', () => {
  const input = { cluster: CONNECTED_ID, objectId: PROVIDER_OBJECT_ID };
  const LEAST = 'pilothouse-custom-locations-least-privilege';
  describeFindings('arc.customLocation.grant', input, { cluster }, [
    { found: [], reason: 'all is prepared' },
    { prepare: gone(CONNECTED_ID), found: ['error CLUSTER_NOT_FOUND'], reason: 'there is no such cluster' },
    { prepare: noAccess, found: ['error CLUSTER_ACCESS_MISSING'], reason: 'nobody has attached a kubeconfig' },
    { prepare: silent, found: ['error CLUSTER_UNREACHABLE'], reason: 'it does not answer' },
    {
      prepare: otherCluster,
      found: ['error AGENTS_OF_OTHER_CLUSTER'],
      reason: 'the kubeconfig leads to another cluster',
    },
    {
      prepare: ({ inCluster }) => (inCluster.mayDo = ({ verb }) => ({ allowed: verb === 'create', reason: '' })),
      found: ['error GRANT_NOT_ALLOWED'],
      reason: 'nobody can give more than they have',
    },
    { change: { role: 'cluster-admin' }, found: ['warning WIDE_ROLE'], reason: 'everything is asked for' },
    {
      prepare: ({ inCluster }) => inCluster.add(binding(LEAST)),
      found: ['info GRANT_EXISTS'],
      reason: 'it has them',
    },
    {
      prepare: ({ inCluster }) => inCluster.add(binding(LEAST, 'another')),
      found: ['warning OTHER_OBJECT_BOUND'],
      reason: 'another object id is bound',
    },
  ]);

  it.each([
    { role: undefined, name: 'pilothouse-custom-locations', reason: 'the least rights unless said otherwise' },
    { role: 'cluster-admin', name: 'cluster-admin', reason: 'everything, by its name' },
  ])('binds the role $name: $reason', async ({ role, name }) => {
    const { inCluster, play } = world(
      'arc.customLocation.grant',
      { ...input, ...(role === undefined ? {} : { role }) },
      { cluster },
    );
    await play.step('grant');
    const made = inCluster.object(BINDINGS, undefined, `pilothouse-custom-locations-${role ?? 'least-privilege'}`);
    expect(made).toMatchObject({ roleRef: { name }, subjects: [{ kind: 'User', name: PROVIDER_OBJECT_ID }] });
    await expect(play.verify()).resolves.toMatchObject({ verdict: 'reached', result: { role: name } });
  });

  it('gives no role that could read secrets or do everything unless that is asked for', async () => {
    const { inCluster, play } = world('arc.customLocation.grant', input, { cluster });
    await play.step('grant');
    const role = inCluster.object({ ...BINDINGS, kind: 'ClusterRole' }, undefined, 'pilothouse-custom-locations');
    const rules = role?.rules as { resources: string[]; verbs: string[] }[];
    expect(rules.flatMap(({ resources }) => resources)).not.toEqual(expect.arrayContaining(['secrets']));
    expect(JSON.stringify(rules)).not.toContain('*');
  });
});
