import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { delay, systemClock } from '#libs/kernel/clock.js';
import { ArmId } from '#libs/kernel/arm-id.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import { armApiVersion } from '#libs/azure/arm-api-versions.js';
import { createKube } from '#libs/kube/kube.factory.js';
import type { Kube } from '#libs/kube/kube.js';
import { DEFAULT_KUBE_OPTIONS } from '#libs/kube/kube.options.js';
import { createArcSystem } from '#libs/systems/arc/arc.module.js';
import type { Observation } from '#libs/systems/contract/observation.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import type { System } from '#libs/systems/contract/system.js';
import { collected, describeSystem, targetOf } from '#libs/systems/contract/system.contract-suite.js';
import { SCENARIO_B } from '../../apps/simulator/simulator.options.js';
import { AzureOnSimulator, OperationPlayer, SUBSCRIPTION } from './azure-on-simulator.js';

const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/akshci-eu`;
const CLUSTER = `${GROUP}/providers/Microsoft.Kubernetes/connectedClusters/my-workload-cluster`;
const CONFIGURATION = `${CLUSTER}/providers/Microsoft.KubernetesConfiguration`;
const EXTENSION = `${CONFIGURATION}/extensions/appservice-ext`;
const LOCATION = `${GROUP}/providers/Microsoft.ExtendedLocation/customLocations/akshci-apps`;
const SCHEMAS = path.resolve(import.meta.dirname, '../../../shared/arm-schemas');
const available = existsSync(SCHEMAS);
if (!available)
  console.warn('Skipped: the official ARM schemas are not at ../shared/arm-schemas beside the repository.');

const cluster = targetOf(CLUSTER, 'ConnectedCluster');
const extension = targetOf(EXTENSION, 'ClusterExtension');
const customLocation = targetOf(LOCATION, 'CustomLocation');
const attachedCluster = targetOf('/providers/Pilothouse.Clusters/attachedClusters/edge', 'AttachedCluster');
const call = { correlationId: 'c', signal: new AbortController().signal };

/** Arc with the real transports, to Azure and into the cluster. */
class ArcOnSimulator {
  private constructor(
    readonly world: AzureOnSimulator,
    readonly kube: Kube,
    readonly arc: System,
  ) {}

  static async start(): Promise<ArcOnSimulator> {
    const settings = { lroSeconds: 0, indexLagSeconds: 0, throttleScale: 0 };
    const world = await AzureOnSimulator.start({ estate: SCENARIO_B, clock: systemClock, settings });
    const answer = await fetch(`${world.origin}/_simulator/kubeconfig?cluster=my-workload-cluster&user=admin`);
    const kubeconfig = new Secret(await answer.text());
    const kube = createKube(DEFAULT_KUBE_OPTIONS, {
      providers: [
        {
          name: 'attached kubeconfig',
          kinds: ['ConnectedCluster'],
          kubeconfig: async () => ({ kubeconfig, origin: 'attached' }),
        },
      ],
      tokens: () => Promise.reject(new TypeError('No token is needed here.')),
      findCluster: async (uid) => (uid === cluster.uid ? cluster : undefined),
    });
    return new ArcOnSimulator(world, kube, createArcSystem(world.azure, kube));
  }

  async stop(): Promise<void> {
    await this.kube.close();
    await this.world.stop();
  }

  player(type: string, input: JsonObject, references: Record<string, ResourceTarget>): OperationPlayer {
    const operation = this.arc.operations.find((candidate) => candidate.type === type)!;
    return new OperationPlayer(this.world, operation, input, references);
  }

  async does(type: string, input: JsonObject, references: Record<string, ResourceTarget>): Promise<void> {
    const verification = await this.player(type, input, references).play();
    if (verification.verdict !== 'reached') throw new Error(`${type}: ${JSON.stringify(verification)}`);
  }

  /** What somebody with Helm does elsewhere; it is done when the agents run. */
  async switchOn(features: string[]): Promise<void> {
    await this.world.control('kubernetes/my-workload-cluster/arc-agents', { features });
    const input = { cluster: CLUSTER, features: features.filter((feature) => feature !== 'custom-locations') };
    await this.does('arc.feature.enable', input, { cluster });
  }

  async principal(): Promise<string> {
    const { principalId } = await this.world.control('custom-locations-principal');
    return principalId as string;
  }

  async install(): Promise<void> {
    await this.does('arc.extension.install', INSTALL, { cluster });
  }

  /** Something of every kind. */
  async fill(): Promise<void> {
    await this.install();
    await this.switchOn(['cluster-connect']);
    await this.does('arc.customLocation.grant', { cluster: CLUSTER, objectId: await this.principal() }, { cluster });
    await this.does('arc.customLocation.create', CREATE, { cluster, extension });
    const flux = { sourceKind: 'GitRepository', gitRepository: { url: 'https://example.com/apps' } };
    const id = `${CONFIGURATION}/fluxConfigurations/apps`;
    await this.world.control('resources', { id, operation: 'upsert', body: { properties: { ...flux, ...DONE } } });
  }

  async observed(): Promise<Observation[]> {
    const collector = this.arc.collectors[0]!;
    const { batches } = await collected(collector.collect(collector.scopes([SUBSCRIPTION])[0]!, call));
    return batches.flat();
  }
}

const DONE = { provisioningState: 'Succeeded', complianceState: 'Compliant' };
const INSTALL = {
  cluster: CLUSTER,
  name: 'appservice-ext',
  extensionType: 'Microsoft.Web.Appservice',
  releaseNamespace: 'akshci-apps',
  settings: { appsNamespace: 'akshci-apps' },
};
const CREATE = { cluster: CLUSTER, name: 'akshci-apps', namespace: 'akshci-apps', extension: EXTENSION };
const CONNECT = { subscriptionId: SUBSCRIPTION, resourceGroup: 'akshci-eu', name: 'edge', location: 'eastus' };

const filled = await ArcOnSimulator.start();
await filled.fill();
afterAll(() => filled.stop());

const samples: Record<string, JsonObject[]> = {};
for (const { kind, properties } of await filled.observed()) (samples[kind] ??= []).push(properties);

describeSystem('arc, on the simulator', {
  otherKinds: ['FleetMember', 'AttachedCluster'],
  samples,
  operations: {
    'arc.cluster.connect': {
      input: { ...CONNECT, name: 'my-workload-cluster', attachedCluster: attachedCluster.id },
      references: { attachedCluster },
    },
    'arc.feature.enable': { input: { cluster: CLUSTER, features: ['cluster-connect'] }, references: { cluster } },
    'arc.extension.install': {
      input: { ...INSTALL, name: 'flux', extensionType: 'Microsoft.Flux' },
      references: { cluster },
    },
    'arc.extension.update': { input: { extension: EXTENSION, settings: { a: 'b' } }, references: { extension } },
    'arc.customLocation.create': { input: CREATE, references: { cluster, extension } },
    'arc.customLocation.delete': { input: { customLocation: LOCATION }, references: { customLocation } },
    'arc.customLocation.grant': {
      input: { cluster: CLUSTER, objectId: '00000000-0000-4000-8000-000000000001', role: 'cluster-admin' },
      references: { cluster },
    },
    'arc.cluster.disconnect': {
      input: { cluster: `${CLUSTER}-gone` },
      references: { cluster: targetOf(`${CLUSTER}-gone`, 'ConnectedCluster') },
    },
    'arc.feature.disable': { input: { cluster: CLUSTER, features: ['azure-rbac'] }, references: { cluster } },
    'arc.extension.remove': {
      input: { extension: `${EXTENSION}-gone` },
      references: { extension: targetOf(`${EXTENSION}-gone`, 'ClusterExtension') },
    },
  },
  world: () => ({
    system: filled.arc,
    subscriptionId: SUBSCRIPTION,
    absent: [targetOf(`${CLUSTER}x`, 'ConnectedCluster'), targetOf(`${EXTENSION}x`, 'ClusterExtension')],
  }),
});

describe('the estate of scenario B', () => {
  it('is the same from ARM as from Resource Graph', async () => {
    const picture = (observations: Observation[]) =>
      observations
        .map(({ canonicalId, properties, tags, location, health, relations }) => ({
          canonicalId,
          properties,
          tags,
          location,
          health,
          relations,
        }))
        .sort((left, right) => (left.canonicalId < right.canonicalId ? -1 : 1));
    const fromGraph = await filled.observed();
    await filled.world.control('faults', { match: { kind: 'graph' }, fault: { type: 'error', status: 500 } });
    const fromArm = await filled.observed();
    await fetch(`${filled.world.origin}/_simulator/faults`, { method: 'DELETE' });
    expect(new Set(fromArm.map(({ source }) => source))).toEqual(new Set(['ARM']));
    expect(picture(fromArm)).toEqual(picture(fromGraph));
  });
});

describe('operations on Arc', () => {
  let here: ArcOnSimulator;
  beforeEach(async () => {
    here = await ArcOnSimulator.start();
  });
  afterEach(() => here.stop());

  const writes = async (pattern: RegExp): Promise<string[]> =>
    (await here.world.writes()).filter((write) => pattern.test(write));

  it('send one request when the worker dies between sending it and saving the token', async () => {
    await here.world.control('settings', { lroSeconds: 1 });
    const player = here.player('arc.extension.install', INSTALL, { cluster });
    await player.runStep();
    player.forgetToken();
    await expect(player.play()).resolves.toMatchObject({ verdict: 'reached' });
    expect(await writes(/extensions/)).toEqual([`PUT ${EXTENSION}`]);
  });

  it('send one request when the answer to it is lost', async () => {
    await here.world.control('settings', { lroSeconds: 1 });
    await here.world.control('faults', { match: { method: 'PUT' }, fault: { type: 'drop-after-effect' }, times: 1 });
    const player = here.player('arc.extension.install', INSTALL, { cluster });
    await expect(player.runStep()).rejects.toMatchObject({ retry: { kind: 'backoff' } });
    await expect(player.play()).resolves.toMatchObject({ verdict: 'reached' });
    expect(await writes(/extensions/)).toHaveLength(1);
  });

  it('end well when the addresses of the operations expire', async () => {
    await here.world.control('settings', { lroSeconds: 1 });
    const player = here.player('arc.extension.install', INSTALL, { cluster });
    await player.runStep();
    await here.world.control('faults', { match: {}, fault: { type: 'expire-poll-urls' } });
    await expect(player.play()).resolves.toMatchObject({ verdict: 'reached' });
    expect(await writes(/extensions/)).toHaveLength(1);
  });

  it('keep the secrets of an extension that is changed', async () => {
    await here.install();
    const body = { properties: { configurationProtectedSettings: { key: 'hidden' } } };
    await here.world.control('resources', { id: EXTENSION, operation: 'patch', body });
    await here.does('arc.extension.update', { extension: EXTENSION, settings: { a: 'b' } }, { extension });
    const reading = await here.world.azure.arm.get(EXTENSION, '2025-03-01', call);
    expect(reading).toMatchObject({
      body: { properties: { configurationProtectedSettings: { key: '' }, configurationSettings: { a: 'b' } } },
    });
  });

  it('recognise both mishaps of a custom location by what Azure really answers', async () => {
    await here.install();
    const create = () => here.player('arc.customLocation.create', CREATE, { cluster, extension }).play();
    await expect(create()).rejects.toMatchObject({ diagnosis: { code: 'CLUSTER_CONNECT_OFF' } });
    await here.switchOn(['cluster-connect']);
    const objectId = await here.principal();
    await expect(create()).rejects.toMatchObject({
      diagnosis: { code: 'PROVIDER_NOT_GRANTED', evidence: { objectId } },
    });
    await here.does('arc.customLocation.grant', { cluster: CLUSTER, objectId }, { cluster });
    await expect(create()).resolves.toMatchObject({ verdict: 'reached' });
  });

  it('say that the proxy waits for its certificate instead of that cluster connect is off', async () => {
    await here.install();
    const secret = { apiVersion: 'v1', kind: 'Secret' };
    const metadata = { name: 'kube-aad-proxy-certificate', namespace: 'azure-arc' };
    await here.world.control('kubernetes/my-workload-cluster/objects', {
      operation: 'delete',
      objects: [{ ...secret, metadata }],
    });
    const features = ['cluster-connect'];
    await here.world.control('kubernetes/my-workload-cluster/arc-agents', { features, reachesAzure: false });
    const creation = () => here.player('arc.customLocation.create', CREATE, { cluster, extension });
    expect(await creation().findings()).toContain('error PROXY_CERTIFICATE_MISSING');
    await expect(creation().play()).rejects.toMatchObject({ diagnosis: { code: 'PROXY_CERTIFICATE_MISSING' } });
    await here.switchOn(features);
    await expect(creation().play()).rejects.toMatchObject({ diagnosis: { code: 'PROVIDER_NOT_GRANTED' } });
  });

  it('name the namespace in which the pods of an extension do not become ready', async () => {
    const settings = { 'buildService.storageClassName': 'absent' };
    const installation = here.player('arc.extension.install', { ...INSTALL, settings }, { cluster });
    expect(await installation.findings()).toContain('error STORAGE_CLASS_NOT_FOUND');
    await expect(installation.play()).rejects.toMatchObject({
      diagnosis: { code: 'PODS_NOT_READY', evidence: { namespace: 'akshci-apps', pods: [] } },
    });
  });

  it('recognise a release that a removal by force has left, and install again once it is gone', async () => {
    await here.switchOn(['cluster-connect']);
    await here.install();
    await here.does('arc.extension.remove', { extension: EXTENSION, force: true }, { extension });
    const again = here.player('arc.extension.install', INSTALL, { cluster });
    expect(await again.findings()).toContain('error RELEASE_NAME_IN_USE');
    await expect(again.play()).rejects.toMatchObject({
      diagnosis: {
        code: 'RELEASE_NAME_IN_USE',
        // What a removal by force leaves runs on: its records are not to go alone.
        operations: [],
        evidence: { secrets: ['akshci-apps/sh.helm.release.v1.appservice-ext.v1'] },
      },
    });
    await here.world.control('kubernetes/my-workload-cluster/objects', {
      operation: 'delete',
      objects: [
        {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: 'sh.helm.release.v1.appservice-ext.v1', namespace: 'akshci-apps' },
        },
      ],
    });
    await expect(here.player('arc.extension.install', INSTALL, { cluster }).play()).resolves.toMatchObject({
      verdict: 'reached',
    });
  });

  it('say that a type has been retired in the words of Azure, where Azure says so', async () => {
    await here.world.control('settings', { retiredExtensionTypes: ['microsoft.web.appservice'] });
    await expect(here.player('arc.extension.install', INSTALL, { cluster }).play()).rejects.toMatchObject({
      code: 'AZURE_REJECTED',
      diagnosis: { code: 'EXTENSION_TYPE_RETIRED' },
    });
  });

  it('connect a cluster and take it out again', async () => {
    const player = here.player('arc.cluster.connect', CONNECT, {});
    const playing = player.play();
    const edge = `${GROUP}/providers/Microsoft.Kubernetes/connectedClusters/edge`;
    for (;;) {
      const reading = await here.world.azure.arm.get(edge, '2024-01-01', call);
      if (reading.state === 'found') break;
      await delay(20);
    }
    await here.world.control('kubernetes/edge/arc-agents', {});
    await expect(playing).resolves.toMatchObject({ verdict: 'reached', result: { connectivityStatus: 'Connected' } });
    const references = { cluster: targetOf(edge, 'ConnectedCluster') };
    await here.does('arc.cluster.disconnect', { cluster: edge }, references);
    await expect(here.world.azure.arm.get(edge, '2024-01-01', call)).resolves.toMatchObject({ state: 'missing' });
  });

  (available ? it : it.skip)('send bodies that the official ARM schemas allow', async () => {
    await here.fill();
    const version = { ...INSTALL, name: 'pinned', extensionType: 'Microsoft.Flux', version: '1.2.3' };
    await here.does('arc.extension.install', version, { cluster });
    await here.player('arc.cluster.connect', { ...CONNECT, tags: { a: 'b' } }, {}).runStep('register');
    const sent = (await here.world.requests({ method: 'PUT' })).filter(
      ({ path: at }) => ArmId.tryParse(at) !== undefined,
    );
    const faults = sent.flatMap(({ path: at, body }) => {
      const { canonicalType } = ArmId.parse(at);
      const type = TYPES.find((candidate) => candidate.toLowerCase() === canonicalType);
      return type === undefined || !isJsonObject(body) ? [] : requestFaults(type, body);
    });
    expect(faults).toEqual([]);
    expect(new Set(sent.map(({ path: at }) => ArmId.parse(at).canonicalType))).toEqual(
      new Set(TYPES.map((type) => type.toLowerCase())),
    );
  });
});

const TYPES = [
  'Microsoft.Kubernetes/connectedClusters',
  'Microsoft.KubernetesConfiguration/extensions',
  'Microsoft.ExtendedLocation/customLocations',
];

function requestFaults(type: string, body: JsonObject): string[] {
  const file = path.join(SCHEMAS, `${type.replaceAll('/', '.')}@${armApiVersion(type)}.json`);
  const { request } = JSON.parse(readFileSync(file, 'utf8')) as { request: JsonObject };
  // The schemas carry annotations of their own ("examples" beside a type), which strict mode would refuse.
  const validate = new Ajv2020({ strict: false, allErrors: true }).compile(request);
  return validate(body)
    ? []
    : (validate.errors ?? []).map((error) => `${type}${error.instancePath} ${error.message ?? ''}`);
}
