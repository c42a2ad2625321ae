import { ArmEndpoint } from '#libs/azure/arm-endpoint.js';
import { ArmId } from '#libs/kernel/arm-id.js';
import { ManualClock } from '#libs/kernel/clock.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { createAppServiceSystem } from '#libs/systems/app-service/app-service.module.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import { targetOf } from '#libs/systems/contract/system.contract-suite.js';
import { CONNECTED_CLUSTER_ID, NAMESPACE, SUBSCRIPTION, appServiceBodies } from './app-service-samples.js';
import { FakeArm } from './fake-arm.js';
import { FakeKube } from './fake-kube.js';
import { playOperation } from './operation-play.js';

const KINDS: Readonly<Record<string, string>> = {
  'microsoft.kubernetes/connectedclusters': 'ConnectedCluster',
  'microsoft.extendedlocation/customlocations': 'CustomLocation',
  'microsoft.web/kubeenvironments': 'KubeEnvironment',
  'microsoft.web/serverfarms': 'AppServicePlan',
  'microsoft.web/sites': 'WebApp',
  'microsoft.web/certificates': 'AppCertificate',
  'microsoft.app/connectedenvironments': 'ConnectedEnvironment',
  'microsoft.app/containerapps': 'ContainerApp',
};
const RELAY_AGENTS = ['clusterconnect-agent', 'kube-aad-proxy'];
/** The storage class that clusters on Azure Stack HCI have. */
export const DISK_CLASS: KubernetesObject = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'default', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: 'disk.csi.akshci.com',
  parameters: { dynamic: 'true' },
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'Immediate',
};

/** What names a resource in an input, as the house would have resolved it. */
export function appServiceReferences(input: JsonObject): Record<string, ResourceTarget> {
  return Object.fromEntries(
    Object.entries(input).flatMap(([field, value]) => {
      if (typeof value !== 'string') return [];
      const kind = KINDS[ArmId.tryParse(value)?.canonicalType ?? ''];
      return kind === undefined ? [] : [[field, targetOf(value, kind)]];
    }),
  );
}

/** A connected cluster with everything of App Service on it, in memory. */
export class AppServiceWorld {
  readonly arm = new FakeArm();
  readonly kube = new FakeKube();
  readonly cluster = this.kube.cluster(ArmId.parse(CONNECTED_CLUSTER_ID).uid);
  readonly clock = new ManualClock('2026-11-01T10:00:00Z');
  /** Of the web app; what is written is here afterwards. */
  settings: JsonObject = { MODE: 'production' };

  constructor() {
    this.arm.add(...appServiceBodies());
    for (const name of ['Web', 'App', 'ExtendedLocation', 'KubernetesConfiguration']) {
      const namespace = `Microsoft.${name}`;
      this.arm.set(`/subscriptions/${SUBSCRIPTION}/providers/${namespace}`, {
        namespace,
        registrationState: 'Registered',
      });
    }
    this.arm.answer('POST', /\/config\/appsettings\/list$/, () => ({
      status: 200,
      body: { properties: this.settings },
    }));
    this.arm.answer('PUT', /\/config\/appsettings$/, ({ body }) => {
      this.settings = (body?.properties ?? {}) as JsonObject;
      return { status: 200, body: { properties: this.settings } };
    });
    this.cluster.add(...RELAY_AGENTS.map(relayAgent), DISK_CLASS);
  }

  /** @param endpoint `https://…` for Azure itself. */
  play(type: string, input: JsonObject, endpoint?: string) {
    const azure = this.arm.azure();
    const parts = endpoint === undefined ? azure : { ...azure, endpoint: new ArmEndpoint(endpoint) };
    const system = createAppServiceSystem(parts, this.kube, this.clock);
    return playOperation(system.operations, type, input, appServiceReferences(input));
  }

  /** Changes the properties of an object behind everyone's back. */
  change(id: string, properties: JsonObject): void {
    const body = this.arm.get(id) ?? {};
    this.arm.set(id, { ...body, properties: { ...(body.properties as JsonObject), ...properties } });
  }

  stopRelayAgents(): void {
    for (const name of RELAY_AGENTS) this.cluster.remove({ group: 'apps', kind: 'Deployment' }, 'azure-arc', name);
  }

  /** Pods that bear the labels of the web app. */
  runPods(count: number, generation = 'a'): void {
    for (let index = 0; index < count; index++) this.cluster.add(appPod(`k8swebapp2-${generation}${index}`));
  }
}

function relayAgent(name: string): KubernetesObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'azure-arc' },
    status: { availableReplicas: 1 },
  };
}

export function appPod(name: string, labels: Record<string, string> = {}): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: NAMESPACE,
      uid: `uid-${name}`,
      labels: { app: 'k8swebapp2', 'k8se.microsoft.com/owner': 'app', ...labels },
    },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  };
}
