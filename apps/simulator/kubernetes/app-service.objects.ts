import type { Json, JsonObject } from '#libs/kernel/json.js';
import { deterministicHex } from '../deterministic-id.js';
import { numberAt, objectAt, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type { ResourceWorld } from '../resource-type.descriptor.js';
import {
  APP_SERVICE_EXTENSION,
  KUBE_ENVIRONMENT_TYPE,
  PLAN_TYPE,
  SITE_TYPE,
  customLocationOf,
  extensionsOf,
  isSucceeded,
} from '../types/app-service.family.js';
import { CUSTOM_LOCATION_TYPE, EXTENSION_TYPE } from '../types/arc.family.js';
import { restartsOf } from '../types/web-app.type.js';
import { ensureDefinitions, removeDefinitions, type HelmRelease } from './app-service.installation.js';
import { ensureNamespace } from './arc.agents.js';
import { POD_FAULT_ANNOTATION, type PodFault } from './controllers/controller.options.js';
import type { ClusterObjects, KubernetesObject, ObjectDraft, ObjectWriter } from './cluster.objects.js';

/** ARM types whose changes show in the clusters behind custom locations. */
export const APP_SERVICE_TYPES: readonly string[] = [
  KUBE_ENVIRONMENT_TYPE,
  PLAN_TYPE,
  SITE_TYPE,
  'Microsoft.Web/sites/config',
];

const CONTROLLER: ObjectWriter = { manager: 'app-controller', user: 'system:serviceaccount:k8se:app-controller' };
/** Everything here bears it, so that what is no longer wanted can be told from what others made. */
const PART_OF = 'k8se.microsoft.com/part-of';
const SYSTEM = 'system';
const APPS = 'app';
/** Number of pods of each part of the extension. */
const SYSTEM_DEPLOYMENTS: Readonly<Record<string, number>> = {
  activator: 1,
  'app-controller': 1,
  'build-service': 1,
  envoy: 3,
  'http-scaler': 1,
  'keda-metrics-apiserver': 1,
  'keda-operator': 1,
};
const IMAGE_CACHER = 'img-cacher';
const LOG_PROCESSOR = 'log-processor';
const LOGS = 'logProcessor.appLogs';
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const ENVOY_PORTS = [80, 443, 8081];
const KINDS: Readonly<Record<string, string>> = {
  Deployment: 'deployments.apps',
  DaemonSet: 'daemonsets.apps',
  Service: 'services',
  ConfigMap: 'configmaps',
  Secret: 'secrets',
  ServiceAccount: 'serviceaccounts',
};

/** Makes a connected cluster hold what App Service runs in it: its own parts, and the web apps of its custom locations. */
export function followAppService(cluster: StoredResource, objects: ClusterObjects, world: ResourceWorld): void {
  for (const release of releases(cluster, world)) ensureDefinitions(release, objects, CONTROLLER);
  const wanted = [...systemObjects(cluster, world), ...webAppObjects(cluster, world)];
  for (const draft of wanted) {
    ensureNamespace(objects, draft.metadata.namespace ?? '', CONTROLLER);
    put(objects, draft);
  }
  const kept = new Set(wanted.map(keyOf));
  for (const [kind, resource] of Object.entries(KINDS)) {
    for (const object of objects.list(resource)) {
      if (object.metadata.labels?.[PART_OF] === undefined || kept.has(keyOf({ ...object, kind }))) continue;
      objects.delete(resource, object.metadata.namespace, object.metadata.name, CONTROLLER);
    }
  }
}

function put(objects: ClusterObjects, draft: ObjectDraft): void {
  const resource = KINDS[draft.kind]!;
  const { namespace, name = '' } = draft.metadata;
  if (objects.get(resource, namespace, name) === undefined) {
    objects.create(draft, CONTROLLER);
    return;
  }
  objects.update(resource, namespace, name, CONTROLLER, (object) => {
    const { spec, data } = draft as { spec?: JsonObject; data?: Json };
    const present = object as KubernetesObject & { spec?: JsonObject };
    return {
      ...object,
      ...(data === undefined ? {} : { data }),
      ...(spec === undefined ? {} : { spec: { ...present.spec, ...spec } }),
    };
  });
}

function keyOf({ kind, metadata }: { kind: string; metadata: { namespace?: string; name?: string } }): string {
  return `${kind}/${metadata.namespace ?? ''}/${metadata.name ?? ''}`;
}

function releases(cluster: StoredResource, world: ResourceWorld): HelmRelease[] {
  return world.children(cluster.key, EXTENSION_TYPE).flatMap((extension) => {
    const release = releaseOf(extension);
    return release === undefined || !isSucceeded(extension) ? [] : [release];
  });
}

/** An extension that went in order takes its types along, one that was deleted by force does not. */
export function forgetAppService(extension: StoredResource, objects: ClusterObjects): void {
  const release = releaseOf(extension);
  const wasOrderly = textAt(objectAt(extension.body, 'properties'), 'provisioningState') === 'Deleting';
  if (release !== undefined && wasOrderly) removeDefinitions(release, objects, CONTROLLER);
}

/** undefined for extensions of other types. */
function releaseOf(extension: StoredResource): HelmRelease | undefined {
  const properties = objectAt(extension.body, 'properties');
  const namespace = textAt(objectAt(objectAt(properties, 'scope'), 'cluster'), 'releaseNamespace');
  const isOurs = textAt(properties, 'extensionType') === APP_SERVICE_EXTENSION;
  return isOurs && namespace !== undefined ? { name: extension.name, namespace } : undefined;
}

function systemObjects(cluster: StoredResource, world: ResourceWorld): ObjectDraft[] {
  return world.children(cluster.key, EXTENSION_TYPE).flatMap((extension) => {
    const properties = objectAt(extension.body, 'properties');
    const settings = objectAt(properties, 'configurationSettings');
    const release = textAt(objectAt(objectAt(properties, 'scope'), 'cluster'), 'releaseNamespace');
    const namespace = textAt(settings, 'appsNamespace') ?? release;
    const isOurs = textAt(properties, 'extensionType') === APP_SERVICE_EXTENSION;
    if (!isOurs || !isSucceeded(extension) || namespace === undefined) return [];
    const named = (part: string) => `${extension.name}-k8se-${part}`;
    return [
      ...Object.entries(SYSTEM_DEPLOYMENTS).map(([part, replicas]) =>
        workload('Deployment', named(part), namespace, replicas),
      ),
      workload('DaemonSet', named(IMAGE_CACHER), namespace, undefined),
      workload('DaemonSet', named(LOG_PROCESSOR), namespace, undefined, logFault(properties)),
      envoyService(named('envoy'), namespace, textAt(settings, 'loadBalancerIp')),
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'kube-environment-config', namespace, labels: { [PART_OF]: SYSTEM } },
        data: { clusterName: textAt(settings, 'clusterName') ?? '', appsNamespace: namespace },
      },
    ];
  });
}

function workload(
  kind: 'Deployment' | 'DaemonSet',
  name: string,
  namespace: string,
  replicas: number | undefined,
  fault?: PodFault,
): ObjectDraft {
  const labels = { app: name };
  const annotations = fault === undefined ? {} : { annotations: { [POD_FAULT_ANNOTATION]: fault } };
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace, labels: { ...labels, [PART_OF]: SYSTEM } },
    spec: {
      ...(replicas === undefined ? {} : { replicas }),
      selector: { matchLabels: labels },
      template: {
        metadata: { labels, ...annotations },
        spec: {
          containers: [
            {
              name: 'main',
              image: `mcr.microsoft.com/k8se/${name.slice(name.indexOf('-k8se-') + '-k8se-'.length)}:1.0.20`,
              resources: { requests: { cpu: '20m', memory: '32Mi' } },
            },
          ],
        },
      },
    },
  };
}

/** A log processor that knows half of its workspace, or knows it wrongly, ends again and again. */
function logFault(properties: JsonObject): PodFault | undefined {
  const secrets = objectAt(properties, 'configurationProtectedSettings');
  const destination = textAt(objectAt(properties, 'configurationSettings'), `${LOGS}.destination`);
  const [id, key] = ['customerId', 'sharedKey'].map((name) => textAt(secrets, `${LOGS}.logAnalyticsConfig.${name}`));
  if (destination === undefined && id === undefined && key === undefined) return undefined;
  const isValid = GUID.test(decoded(id)) && BASE64.test(decoded(key)) && decoded(key) !== '';
  return isValid ? undefined : 'Restarts';
}

function decoded(base64: string | undefined): string {
  return Buffer.from(base64 ?? '', 'base64').toString();
}

function envoyService(name: string, namespace: string, address: string | undefined): ObjectDraft {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels: { [PART_OF]: SYSTEM } },
    spec: {
      type: 'LoadBalancer',
      selector: { app: name },
      ports: ENVOY_PORTS.map((port) => ({ name: `port-${port}`, port, protocol: 'TCP', targetPort: port })),
      ...(address === undefined ? {} : { loadBalancerIP: address }),
    },
  };
}

function webAppObjects(cluster: StoredResource, world: ResourceWorld): ObjectDraft[] {
  return world.referring(CUSTOM_LOCATION_TYPE, cluster.key).flatMap((location) => {
    const namespace = textAt(objectAt(location.body, 'properties'), 'namespace');
    const isServed = extensionsOf(location, world).some(
      (extension) => textAt(objectAt(extension.body, 'properties'), 'extensionType') === APP_SERVICE_EXTENSION,
    );
    if (namespace === undefined || !isServed || !isSucceeded(location)) return [];
    return world
      .ofSubscription(SITE_TYPE, location.subscriptionId)
      .filter((site) => customLocationOf(site.body) === location.key && isSucceeded(site))
      .flatMap((site) => objectsOf(site, namespace, world));
  });
}

function objectsOf(site: StoredResource, namespace: string, world: ResourceWorld): ObjectDraft[] {
  const name = site.name.toLowerCase();
  const properties = objectAt(site.body, 'properties');
  const config = partOf(site, 'web', world);
  const settings = partOf(site, 'appsettings', world);
  const runtime = textAt(config, 'linuxFxVersion') ?? '';
  const labels = {
    app: name,
    'k8se.microsoft.com/environmentName': 'production',
    'k8se.microsoft.com/owner': APPS,
  };
  const metadata = { name, namespace, labels: { ...labels, [PART_OF]: APPS } };
  const environment = [
    { name: 'PORT', value: '8080' },
    { name: 'WEBSITE_SITE_NAME', value: site.name },
    { name: 'WEBSITE_HOSTNAME', value: textAt(properties, 'defaultHostName') ?? '' },
  ];
  const secrets = Object.fromEntries(
    Object.keys(settings).map((key) => [key, Buffer.from(textAt(settings, key) ?? '').toString('base64')]),
  );
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { ...metadata, name: `${name}-secrets` },
      type: 'Opaque',
      data: secrets,
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: replicasOf(properties, config, settings),
        selector: { matchLabels: { app: name } },
        template: {
          metadata: {
            labels,
            annotations: {
              'appsettings-resourceVersion': deterministicHex(JSON.stringify(settings), 8),
              'fluentbit.io/exclude': 'false',
              'k8se.microsoft.com/restarts': String(restartsOf(site)),
              kind: 'apps',
            },
          },
          spec: {
            serviceAccountName: name,
            initContainers: [{ name: 'app-init', image: 'mcr.microsoft.com/k8se/app-init:1.0.20' }],
            containers: [
              {
                name: 'http',
                image: imageOf(runtime),
                env: environment,
                envFrom: [{ secretRef: { name: `${name}-secrets` } }],
                ports: [{ containerPort: 8080 }],
                resources: { requests: { cpu: '100m', memory: '128Mi' } },
              },
            ],
          },
        },
      },
    },
  ];
}

function partOf(site: StoredResource, name: string, world: ResourceWorld): JsonObject {
  const { provisioningState: _none, ...rest } = objectAt(world.get(`${site.id}/config/${name}`)?.body, 'properties');
  return rest;
}

/** The least number of instances, unless the greatest is lower. */
function replicasOf(properties: JsonObject, config: JsonObject, settings: JsonObject): number {
  if (properties.enabled === false) return 0;
  const least = numberAt(config, 'numberOfWorkers') ?? 1;
  const greatest = Number(textAt(settings, 'K8SE_APP_MAX_INSTANCE_COUNT') ?? least);
  return Number.isInteger(greatest) ? Math.min(least, greatest) : least;
}

/** `DOCKER|nginx:1` is an image, `NODE|22-lts` one of App Service's own. */
function imageOf(linuxFxVersion: string): string {
  const [kind = '', version = ''] = linuxFxVersion.split('|');
  if (kind.toLowerCase() === 'docker') return version;
  return version === ''
    ? 'mcr.microsoft.com/appsvc/staticsite:latest'
    : `mcr.microsoft.com/appsvc/${kind.toLowerCase()}:${version}`;
}
