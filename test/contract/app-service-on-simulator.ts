import { fileURLToPath } from 'node:url';
import { ArmId } from '#libs/kernel/arm-id.js';
import { systemClock } from '#libs/kernel/clock.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import { createKube } from '#libs/kube/kube.factory.js';
import type { Kube } from '#libs/kube/kube.js';
import { DEFAULT_KUBE_OPTIONS } from '#libs/kube/kube.options.js';
import { createAppServiceSystem } from '#libs/systems/app-service/app-service.module.js';
import type { Verification } from '#libs/systems/contract/operation-definition.js';
import type { System } from '#libs/systems/contract/system.js';
import { targetOf } from '#libs/systems/contract/system.contract-suite.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import { AzureOnSimulator, OperationPlayer, SUBSCRIPTION } from './azure-on-simulator.js';

const SCENARIO_B = fileURLToPath(new URL('../../apps/simulator/estates/scenario-b.estate.json', import.meta.url));

const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/akshci-eu`;
const provider = (type: string, name: string): string => `${GROUP}/providers/${type}/${name}`;
export const CLUSTER = provider('Microsoft.Kubernetes/connectedClusters', 'my-workload-cluster');
export const EXTENSION = `${CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions/appservice-ext`;
export const CUSTOM_LOCATION = provider('Microsoft.ExtendedLocation/customLocations', 'akshci-apps');
export const ENVIRONMENT = provider('Microsoft.Web/kubeEnvironments', 'akshci-env');
export const PLAN = provider('Microsoft.Web/serverfarms', 'akshci-plan');
export const WEB_APP = provider('Microsoft.Web/sites', 'k8swebapp2');
export const CERTIFICATE = provider('Microsoft.Web/certificates', 'webapps');
export const CONTAINER_EXTENSION = EXTENSION.replace('appservice-ext', 'apps-ext');
export const CONTAINER_LOCATION = CUSTOM_LOCATION.replace('akshci-apps', 'container-apps');
export const CONNECTED_ENVIRONMENT = provider('Microsoft.App/connectedEnvironments', 'apps-env');
export const CONTAINER_APP = provider('Microsoft.App/containerApps', 'shop');
export const NAMESPACE = 'akshci-apps';
export const HOST_NAME = 'webapps.akshci.aimless.jp';

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

export const ENABLE: JsonObject = {
  cluster: CLUSTER,
  name: 'akshci-env',
  namespace: NAMESPACE,
  staticIp: '192.168.0.102',
};

/** What names a resource in an input, as the house would have resolved it. */
export function referencesOf(input: JsonObject): Record<string, ResourceTarget> {
  return Object.fromEntries(
    Object.entries(input).flatMap(([field, value]) => {
      if (typeof value !== 'string') return [];
      const kind = KINDS[ArmId.tryParse(value)?.canonicalType ?? ''];
      return kind === undefined ? [] : [[field, targetOf(value, kind)]];
    }),
  );
}

/** App Service with the real transports to a simulator that keeps the time of the wall and plays scenario B. */
export class AppServiceOnSimulator {
  private constructor(
    readonly world: AzureOnSimulator,
    readonly kube: Kube,
    readonly system: System,
  ) {}

  static async start(): Promise<AppServiceOnSimulator> {
    const settings = { lroSeconds: 0, indexLagSeconds: 0, throttleScale: 0 };
    const world = await AzureOnSimulator.start({ clock: systemClock, settings, estate: SCENARIO_B });
    const kube = createKube(DEFAULT_KUBE_OPTIONS, {
      providers: [
        {
          name: 'attached kubeconfig',
          kinds: ['ConnectedCluster'],
          async kubeconfig() {
            const answer = await fetch(`${world.origin}/_simulator/kubeconfig?cluster=my-workload-cluster&user=admin`);
            return { kubeconfig: new Secret(await answer.text()), origin: 'attached' };
          },
        },
      ],
      tokens: async () => ({ token: new Secret('simulated'), expiresAt: new Date(Date.now() + 3_600_000) }),
      findCluster: async (uid) => ({ uid, id: CLUSTER, kind: 'ConnectedCluster' }),
    });
    return new AppServiceOnSimulator(world, kube, createAppServiceSystem(world.azure, kube));
  }

  async stop(): Promise<void> {
    await this.kube.close();
    await this.world.stop();
  }

  /** What a Helm upgrade of the agents switches on. */
  async setFeatures(...features: string[]): Promise<void> {
    const { principalId } = await this.world.control('custom-locations-principal');
    await this.world.control('kubernetes/my-workload-cluster/arc-agents', {
      features,
      customLocationsObjectId: principalId ?? null,
    });
  }

  player(type: string, input: JsonObject): OperationPlayer {
    const operation = this.system.operations.find((candidate) => candidate.type === type);
    if (operation === undefined) throw new Error(`There is no operation ${type}`);
    return new OperationPlayer(this.world, operation, input, referencesOf(input));
  }

  /** @returns what the operation made. */
  async play(type: string, input: JsonObject): Promise<Extract<Verification, { verdict: 'reached' }>> {
    const verification = await this.player(type, input).play();
    if (verification.verdict !== 'reached') throw new Error(`${type}: ${verification.message}`);
    return verification;
  }

  /** Scenario B from its start to a web app. */
  async deployWebApp(): Promise<void> {
    await this.setFeatures('cluster-connect', 'custom-locations');
    await this.play('appService.enable', ENABLE);
    await this.play('appService.plan.create', { environment: ENVIRONMENT, name: 'akshci-plan' });
    await this.play('appService.webApp.create', { plan: PLAN, name: 'k8swebapp2', runtime: 'NODE|12-lts' });
  }

  /** The successor beside it: its own extension, custom location and environment. */
  async deployContainerApps(): Promise<void> {
    const { azure } = this.world;
    const call = { correlationId: 'arrange' };
    await azure.arm.put(
      CONTAINER_EXTENSION,
      '2025-03-01',
      { properties: { extensionType: 'Microsoft.App.Environment' } },
      call,
    );
    await this.settled(CONTAINER_EXTENSION, '2025-03-01');
    await azure.arm.put(
      CONTAINER_LOCATION,
      '2021-08-15',
      {
        location: 'eastus',
        properties: {
          hostResourceId: CLUSTER,
          namespace: 'container-apps',
          clusterExtensionIds: [CONTAINER_EXTENSION],
        },
      },
      call,
    );
    await this.settled(CONTAINER_LOCATION, '2021-08-15');
    await this.play('containerApps.environment.create', { customLocation: CONTAINER_LOCATION, name: 'apps-env' });
    await this.play('containerApps.app.create', {
      environment: CONNECTED_ENVIRONMENT,
      name: 'shop',
      image: 'mcr.microsoft.com/k8se/quickstart:latest',
      targetPort: 80,
      // The official schema knows whole cores only: the language that it was made from has no fractions.
      cpu: 1,
      memoryGi: 2,
    });
  }

  private async settled(id: string, version: string): Promise<void> {
    for (let looks = 0; looks < 100; looks++) {
      const reading = await this.world.azure.arm.get(id, version, { correlationId: 'arrange' });
      const properties = reading.state === 'found' ? (reading.body.properties as JsonObject) : {};
      if (properties.provisioningState === 'Succeeded') return;
      if (properties.provisioningState === 'Failed') throw new Error(`${id}: ${JSON.stringify(properties)}`);
      await this.world.pass(1);
    }
    throw new Error(`${id} does not settle.`);
  }
}
