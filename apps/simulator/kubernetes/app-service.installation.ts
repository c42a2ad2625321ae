import { BlockList, isIP } from 'node:net';
import type { JsonObject } from '#libs/kernel/json.js';
import { objectAt, textAt } from '../json-merge.js';
import { ensure } from './arc.agents.js';
import type { ClusterObjects, KubernetesObject, ObjectDraft, ObjectWriter } from './cluster.objects.js';

/** A release as Helm knows it. */
export interface HelmRelease {
  name: string;
  namespace: string;
}

const GROUP = 'k8se.microsoft.com';
const DEFINITIONS = 'customresourcedefinitions.apiextensions.k8s.io';
const KINDS = { apps: 'App', approutes: 'AppRoute' } as const;
const MANAGED_BY = 'app.kubernetes.io/managed-by';
const RELEASE_NAME = 'meta.helm.sh/release-name';
const RELEASE_NAMESPACE = 'meta.helm.sh/release-namespace';

/** Why the chart of App Service does not get into a cluster, in the words of Helm; undefined when all is well. */
export function installationFault(
  release: HelmRelease,
  settings: JsonObject,
  objects: ClusterObjects,
): string | undefined {
  for (const plural of Object.keys(KINDS)) {
    const definition = objects.get(DEFINITIONS, undefined, `${plural}.${GROUP}`);
    const faults = definition === undefined ? [] : ownershipFaults(definition, release);
    if (definition === undefined || faults.length === 0) continue;
    return (
      'rendered manifests contain a resource that already exists. Unable to continue with install: ' +
      `CustomResourceDefinition "${definition.metadata.name}" in namespace "" exists and cannot be imported into the ` +
      `current release: invalid ownership metadata; ${faults.join('; ')}`
    );
  }
  const isReady = hasStorage(settings, objects) && hasAddress(release, settings, objects);
  return isReady ? undefined : 'timed out waiting for the condition';
}

/** What Helm asks of an object that it finds in its way. */
function ownershipFaults({ metadata }: KubernetesObject, release: HelmRelease): string[] {
  const wanted = [
    { what: 'label', key: MANAGED_BY, value: 'Helm', present: metadata.labels },
    { what: 'annotation', key: RELEASE_NAME, value: release.name, present: metadata.annotations },
    { what: 'annotation', key: RELEASE_NAMESPACE, value: release.namespace, present: metadata.annotations },
  ];
  return wanted.flatMap(({ what, key, value, present }) => {
    const current = present?.[key];
    if (current === value) return [];
    return current === undefined
      ? [`${what} validation error: missing key "${key}": must be set to "${value}"`]
      : [`${what} validation error: key "${key}" must equal "${value}": current value is "${current}"`];
  });
}

/** The claim of the build service stays Pending without its class. */
function hasStorage(settings: JsonObject, objects: ClusterObjects): boolean {
  const name = textAt(settings, 'buildService.storageClassName');
  return name === undefined || objects.get('storageclasses.storage.k8s.io', undefined, name) !== undefined;
}

/** The service of envoy stays without an address that is in no pool, or that another service has. */
function hasAddress(release: HelmRelease, settings: JsonObject, objects: ClusterObjects): boolean {
  const address = textAt(settings, 'loadBalancerIp');
  if (address === undefined) return true;
  const isTaken = objects
    .list('services')
    .some((service) => service.metadata.namespace !== release.namespace && asksFor(service, address));
  const pools = objects.list('ipaddresspools.metallb.io');
  return !isTaken && (pools.length === 0 || pools.some((pool) => holds(pool, address)));
}

/** What a service asks for it gets, or waits for. */
function asksFor(service: KubernetesObject, address: string): boolean {
  return textAt(objectAt(service, 'spec'), 'loadBalancerIP') === address;
}

function holds(pool: KubernetesObject, address: string): boolean {
  const ranges = objectAt(pool, 'spec').addresses;
  const list = new BlockList();
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  for (const range of Array.isArray(ranges) ? ranges.filter((each) => typeof each === 'string') : []) {
    const [first = '', last] = range.split('-').map((part) => part.trim());
    const [network = '', length = '32'] = first.split('/');
    if (isIP(network) === 0) continue;
    const version = isIP(network) === 6 ? 'ipv6' : 'ipv4';
    if (last === undefined) list.addSubnet(network, Number(length), version);
    else list.addRange(first, last, version);
  }
  return list.check(address, family);
}

/** The types that the chart brings along. */
export function ensureDefinitions(release: HelmRelease, objects: ClusterObjects, writer: ObjectWriter): void {
  for (const [plural, kind] of Object.entries(KINDS))
    ensure(objects, DEFINITIONS, definitionOf(plural, kind, release), writer);
}

/** Those of the release; what bears another one's name stays. */
export function removeDefinitions(release: HelmRelease, objects: ClusterObjects, writer: ObjectWriter): void {
  for (const plural of Object.keys(KINDS)) {
    const name = `${plural}.${GROUP}`;
    const definition = objects.get(DEFINITIONS, undefined, name);
    if (definition !== undefined && ownershipFaults(definition, release).length === 0) {
      objects.delete(DEFINITIONS, undefined, name, writer);
    }
  }
}

function definitionOf(plural: string, kind: string, release: HelmRelease): ObjectDraft {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${GROUP}`,
      labels: { [MANAGED_BY]: 'Helm' },
      annotations: { [RELEASE_NAME]: release.name, [RELEASE_NAMESPACE]: release.namespace },
    },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  };
}
