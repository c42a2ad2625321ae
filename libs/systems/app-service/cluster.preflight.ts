import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError, type RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { ADDRESS_POOL, addressPoolOf, isOutside, sharesAddress } from '../contract/address-pool.js';
import { enable } from '../contract/cluster-work.failures.js';
import type { FindingReporter } from '../contract/finding-reporter.js';
import type { OperationContext } from '../contract/operation-definition.js';
import { rawFlag, rawInteger, rawObjects, rawText, rawTextRecord, rawTexts } from '../contract/raw-reader.js';
import type { AppServiceParts } from './app-service.parts.js';
import { forgetDefinition, isOfAppService } from './leftover-definition.js';
import { CONNECTED_CLUSTER_KIND } from './placement.js';

/** What can be seen in the cluster alone. */
export const clusterFindings = {
  CLUSTER_CONNECT_OFF:
    'The feature cluster-connect is off: the operation waits until it is on, since custom locations go through it.',
  CLUSTER_OUT_OF_SIGHT: 'Pilothouse cannot see all that there is in the cluster: what is wrong there shows later.',
  ADDRESS_IN_USE: 'A service of the cluster holds the address already.',
  ADDRESS_OUTSIDE_POOL: 'No pool of the load balancer of the cluster holds the address: it would never be given.',
  STORAGE_CLASS_NOT_FOUND: 'The cluster has no such storage class: the claims of App Service would wait for ever.',
  APP_SERVICE_LEFTOVERS:
    'Types of an earlier App Service are left in the cluster, of another release than this one: Helm refuses to take them over.',
} as const satisfies Record<string, string>;
type ClusterFinding = keyof typeof clusterFindings;

/** What App Service is to find in a cluster. */
export interface ClusterWish {
  cluster: ArmId;
  namespace: string;
  staticIp: string;
  /** Whether a load balancer is to give the address. */
  isBalanced: boolean;
  storageClass: string;
  extension: ArmId;
  /** The names of all extensions of the cluster, of whatever type: they are the names of their releases. */
  releases: readonly string[];
  /** Whether an extension of App Service is among them, by whatever name and in whatever state. */
  hasAppService: boolean;
  /** The storage class of the extension that is there, where it names one. */
  storageClassInUse: string | undefined;
}

/** The namespace of the agents of Arc, and those of them that listen at the cluster's end of the relay. */
export const AGENT_NAMESPACE = 'azure-arc';
const RELAY_AGENTS = ['clusterconnect-agent', 'kube-aad-proxy'];

const DEPLOYMENT = { group: 'apps', kind: 'Deployment' };
const SERVICE = { group: '', kind: 'Service' };
const STORAGE_CLASS = { group: 'storage.k8s.io', kind: 'StorageClass' };
const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';
const DEFINITION = { group: 'apiextensions.k8s.io', kind: 'CustomResourceDefinition' };
const RELEASE_NAME = 'meta.helm.sh/release-name';
const RELEASE_NAMESPACE = 'meta.helm.sh/release-namespace';

type Call = Pick<OperationContext<unknown>, 'correlationId' | 'signal'>;

export async function judgeCluster(
  parts: AppServiceParts,
  wish: ClusterWish,
  context: Call,
  say: FindingReporter<ClusterFinding>,
): Promise<void> {
  let unseen: ControlError | undefined;
  for (const judge of [judgeAgents, judgeAddress, judgeStorage, judgeLeftovers]) {
    try {
      await judge(parts, wish, context, say);
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      unseen ??= error;
      // Who may not see one kind of object may see others.
      if (error.code !== 'KUBERNETES_FORBIDDEN') break;
    }
  }
  if (unseen !== undefined) say('CLUSTER_OUT_OF_SIGHT', 'info', { code: unseen.code, reason: unseen.message });
}

async function judgeAgents(
  parts: AppServiceParts,
  { cluster }: ClusterWish,
  context: Call,
  say: FindingReporter<ClusterFinding>,
): Promise<void> {
  const missing = await missingAgents(parts, cluster, context);
  if (missing.length === 0) return;
  const evidence = { missing, command: featureCommand(cluster) };
  const remedy = 'Switch cluster-connect on; this operation goes on by itself.';
  say('CLUSTER_CONNECT_OFF', 'warning', evidence, remedy, [enable(cluster, ['cluster-connect'])]);
}

async function judgeAddress(
  parts: AppServiceParts,
  { cluster, namespace, staticIp, isBalanced }: ClusterWish,
  context: Call,
  say: FindingReporter<ClusterFinding>,
): Promise<void> {
  // Node ports are on the addresses of the nodes, which other services may show as theirs.
  if (!isBalanced) return;
  for (const service of await listObjects(parts, cluster, SERVICE, undefined, context)) {
    const own = rawText(service, 'metadata', 'namespace');
    if (own === namespace || !claims(service, staticIp)) continue;
    const name = rawText(service, 'metadata', 'name');
    const [severity, remedy] = sharesAddress(service)
      ? ([
          'warning',
          'See that both services name the same key for sharing, or choose an address that is free.',
        ] as const)
      : (['error', 'Choose an address that is free.'] as const);
    say('ADDRESS_IN_USE', severity, { staticIp, service: `${own}/${name}` }, remedy);
  }
  const pools = (await listObjects(parts, cluster, ADDRESS_POOL, undefined, context)).map(addressPoolOf);
  // Without any the load balancer is another one, of which nothing is known.
  if (!isOutside(pools, staticIp)) return;
  const evidence = { staticIp, pools: pools.map(({ name, addresses }) => ({ name, addresses: [...addresses] })) };
  say('ADDRESS_OUTSIDE_POOL', 'error', evidence, 'Choose an address of a pool that no service holds.');
}

/** Whether a service has the address, or has asked for it. */
function claims(service: JsonObject, address: string): boolean {
  return (
    rawText(service, 'spec', 'loadBalancerIP') === address ||
    rawObjects(service, 'status', 'loadBalancer', 'ingress').some((ingress) => rawText(ingress, 'ip') === address)
  );
}

async function judgeStorage(
  parts: AppServiceParts,
  { cluster, extension, storageClass, storageClassInUse }: ClusterWish,
  context: Call,
  say: FindingReporter<ClusterFinding>,
): Promise<void> {
  const classes = await listObjects(parts, cluster, STORAGE_CLASS, undefined, context);
  const names = classes.map((each) => rawText(each, 'metadata', 'name'));
  if (!names.includes(storageClass)) {
    const evidence = { storageClass, storageClasses: names };
    const remedy = `Make the class ${storageClass} (kubernetes.storageClass.create), or name one that is there.`;
    say('STORAGE_CLASS_NOT_FOUND', 'error', evidence, remedy, classRemedy(cluster, storageClass, classes));
  } else if (storageClassInUse !== undefined && !names.includes(storageClassInUse)) {
    const evidence = { storageClass: storageClassInUse, extension: extension.toString(), storageClasses: names };
    const settings = { 'buildService.storageClassName': storageClass };
    say('STORAGE_CLASS_NOT_FOUND', 'error', evidence, `Let the extension ask for ${storageClass}.`, [
      { type: 'arc.extension.update', input: { extension: extension.toString(), settings } },
    ]);
  }
}

/** A class of the name that is wanted and else like the one that claims get without a name; none where there is no such. */
function classRemedy(cluster: ArmId, name: string, classes: readonly JsonObject[]): RemedyOperation[] {
  const usual = classes.find((each) => rawText(each, 'metadata', 'annotations', DEFAULT_CLASS) === 'true');
  const provisioner = rawText(usual, 'provisioner');
  if (usual === undefined || provisioner === null) return [];
  const [reclaimPolicy, volumeBindingMode] = [rawText(usual, 'reclaimPolicy'), rawText(usual, 'volumeBindingMode')];
  return [
    {
      type: 'kubernetes.storageClass.create',
      input: {
        cluster: cluster.toString(),
        name,
        provisioner,
        parameters: rawTextRecord(usual, 'parameters'),
        ...(reclaimPolicy === null ? {} : { reclaimPolicy }),
        ...(volumeBindingMode === null ? {} : { volumeBindingMode }),
        allowVolumeExpansion: rawFlag(usual, 'allowVolumeExpansion') ?? false,
        mountOptions: rawTexts(usual, 'mountOptions'),
      },
    },
  ];
}

/**
 * Helm takes over what bears the name and the namespace of its release, and stumbles over all else. What serves an extension
 * that is there is no leftover: with a definition all its objects would go.
 */
async function judgeLeftovers(
  parts: AppServiceParts,
  { cluster, extension, releases, hasAppService, namespace }: ClusterWish,
  context: Call,
  say: FindingReporter<ClusterFinding>,
): Promise<void> {
  const left = (await listObjects(parts, cluster, DEFINITION, undefined, context))
    .filter((definition) => isOfAppService(rawText(definition, 'spec', 'group')))
    .filter((definition) => {
      const annotations = rawTextRecord(definition, 'metadata', 'annotations');
      const release = annotations[RELEASE_NAME];
      const isOurs = release === extension.name && annotations[RELEASE_NAMESPACE] === namespace;
      const isInUse = hasAppService || (release !== undefined && releases.includes(release));
      const isGoing = rawText(definition, 'metadata', 'deletionTimestamp') !== null;
      return isGoing || (!isOurs && !isInUse);
    });
  if (left.length === 0) return;
  const definitions = left.map((definition) => ({
    name: rawText(definition, 'metadata', 'name'),
    release: rawText(definition, 'metadata', 'annotations', RELEASE_NAME),
    releaseNamespace: rawText(definition, 'metadata', 'annotations', RELEASE_NAMESPACE),
    finalizers: rawTexts(definition, 'metadata', 'finalizers'),
    deletionTimestamp: rawText(definition, 'metadata', 'deletionTimestamp'),
  }));
  const remedy =
    'Delete them (kubernetes.object.delete): the objects of these types go with them. Where objects have finalizers, those have to be taken away first.';
  const operations = definitions.map(({ name }) => forgetDefinition(cluster, name ?? ''));
  say('APP_SERVICE_LEFTOVERS', 'error', { definitions }, remedy, operations);
}

/** Of the agents that cluster-connect consists of, those that do not run. @throws ControlError */
export async function missingAgents(parts: AppServiceParts, cluster: ArmId, context: Call): Promise<string[]> {
  const deployments = await listObjects(parts, cluster, DEPLOYMENT, AGENT_NAMESPACE, context);
  return RELAY_AGENTS.filter(
    (name) =>
      !deployments.some(
        (deployment) =>
          rawText(deployment, 'metadata', 'name') === name &&
          (rawInteger(deployment, 'status', 'availableReplicas') ?? 0) > 0,
      ),
  );
}

/** None where the cluster serves no such type. @throws ControlError */
async function listObjects(
  { kube }: AppServiceParts,
  cluster: ArmId,
  type: { group: string; kind: string },
  namespace: string | undefined,
  context: Call,
): Promise<JsonObject[]> {
  const client = kube.cluster({ uid: cluster.uid, id: cluster.toString(), kind: CONNECTED_CLUSTER_KIND });
  const resource = await client.findResource(type, context);
  const objects: JsonObject[] = [];
  if (resource === undefined) return objects;
  for await (const page of client.list(resource, namespace === undefined ? {} : { namespace }, context)) {
    if (page.restarted) objects.length = 0;
    objects.push(...page.items);
  }
  return objects;
}

export function featureCommand({ name, resourceGroup }: ArmId): string {
  return `az connectedk8s enable-features --name ${name} --resource-group ${resourceGroup ?? ''} --features cluster-connect custom-locations`;
}
