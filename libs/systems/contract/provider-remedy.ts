import { ArmId } from '#libs/kernel/arm-id.js';
import type { RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { AdviceRemedy } from './advice.js';
import { limitsBeyond, quantityOf, type LimitBeyond } from './container-group-size.js';
import type { ProviderRefusal } from './provider-refusal.js';
import { completedPullSecrets, fitOf, imagesByRegistry, registryOf, type PullSecret } from './pull-secret.js';
import { rawObjects, rawText } from './raw-reader.js';
import { patchOfContainers, patchOfPods } from './template-patch.js';

/** Pods that were refused, and what is around them. */
export interface RefusalScene {
  /** The uid or the id of the cluster. */
  cluster: string;
  namespace: string;
  /** The names of the pods that were refused so. */
  pods: readonly string[];
  /** What they were made from. */
  podSpec: JsonObject;
  /** The canonical id of the workload that makes them anew; undefined where nobody does. */
  workload: string | undefined;
  /** The secrets to pull images with that are in the namespace; undefined where they may not be seen. */
  pullSecrets: readonly PullSecret[] | undefined;
}

/** The resources that a role can be given on with an operation, besides resource groups. */
const ROLE_SCOPES: readonly string[] = [
  'microsoft.network/virtualnetworks',
  'microsoft.network/virtualnetworks/subnets',
];
const OBJECT_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What helps against a refusal, the best first. A pod that was refused stays so: its controller has to make a new one. */
export function providerRemedies(refusal: ProviderRefusal, scene: RefusalScene): [AdviceRemedy, ...AdviceRemedy[]] {
  switch (refusal.code) {
    case 'PROVIDER_IMAGE_INACCESSIBLE':
      return imageRemedies(rawText(refusal.facts, 'image'), scene);
    case 'PROVIDER_SECRET_UNUSABLE':
      return [
        anew(
          'Make the secret that is missing, or what is in it, anew (kubernetes.registrySecret.create where it is one to pull images with). Then delete the pods that were refused.',
          scene,
        ),
      ];
    case 'PROVIDER_LIMITS_EXCEED_REQUESTS':
      return [limitsRemedy(scene)];
    case 'PROVIDER_NO_CAPACITY':
      return [
        people('Ask for less CPU and memory per pod in the pod template, or use a cluster in another region.'),
        anew('Or try again later: delete the pods that were refused.', scene),
      ];
    case 'PROVIDER_QUOTA_EXCEEDED':
      return [
        people(
          'Ask for a higher quota of Container Instances in the region, or scale down what runs there. Then delete the pods that were refused.',
        ),
        anew('Where there is room again, delete the pods that were refused: new ones are asked for.', scene),
      ];
    case 'PROVIDER_SUBNET_FULL':
      return [
        people(
          'Use a larger subnet for the virtual nodes (virtualNodes.disable, then virtualNodes.enable with another subnet), or scale down what runs there. Then delete the pods that were refused.',
        ),
        anew('Where there are addresses again, delete the pods that were refused: new ones are asked for.', scene),
      ];
    case 'PROVIDER_POD_UNSUPPORTED':
      return [
        people(
          'Take out of the pod template what the message names (kubernetes.workload.patch), or let the workload run on machines. Deleting the pod alone does not help.',
        ),
      ];
    case 'PROVIDER_RIGHTS_MISSING':
      return [rightsRemedy(refusal, scene)];
    case 'PROVIDER_TIMEOUT':
      return [anew('Delete the pods that were refused: new ones are asked for.', scene)];
    case 'PROVIDER_FAILED':
      return [
        anew('Mend what the message names, then delete the pods that were refused: new ones are asked for.', scene),
      ];
  }
}

/** The names of the secrets that a pod, or one of a service account, pulls its images with. */
export function namedPullSecrets(podSpec: JsonObject): string[] {
  return rawObjects(podSpec, 'imagePullSecrets').flatMap((secret) => rawText(secret, 'name') ?? []);
}

function imageRemedies(image: string | null, scene: RefusalScene): [AdviceRemedy, ...AdviceRemedy[]] {
  const { podSpec, pullSecrets, workload } = scene;
  const registry = image === null ? 'the registry' : registryOf(image);
  const named = namedPullSecrets(podSpec);
  const create = `with kubernetes.registrySecret.create, its server being ${registry} alone`;
  const again = 'Then delete the pods that were refused.';
  if (pullSecrets === undefined) {
    return [
      people(`Let the pod template name a secret for ${registry} in imagePullSecrets; make it ${create}. ${again}`),
    ];
  }
  const missing = named.find((name) => !pullSecrets.some((secret) => secret.name === name));
  if (missing !== undefined) return [people(`Make the secret ${missing}, which is not there, ${create}. ${again}`)];
  const used = pullSecrets.filter(({ name }) => named.includes(name));
  if (used.some((secret) => fitOf(secret, registry) === 'host')) {
    return [
      people(
        `See that ${image ?? 'the image'} is in the registry, and renew the credential in its secret (${named.join(', ')}) ${create}. ${again}`,
      ),
    ];
  }
  const fitting = pullSecrets.find((secret) => fitOf(secret, registry) === 'host');
  if (fitting !== undefined) {
    const names = completedPullSecrets([registry, ...imagesByRegistry(podSpec).keys()], named, pullSecrets);
    const imagePullSecrets = names.map((name) => ({ name }));
    const operations = workload === undefined ? [] : [patchOfPods(workload, { imagePullSecrets })];
    const added = names.slice(named.length).join(', ');
    return [{ description: `Let the pod template pull with ${added} as well.`, operations }];
  }
  const written = used.find((secret) => fitOf(secret, registry) === 'address');
  if (written !== undefined) {
    return [
      people(
        `Make the secret ${written.name} anew ${create}: virtual nodes do not understand ${written.servers.join(', ')}. ${again}`,
      ),
    ];
  }
  return [people(`Make a secret ${create}, and let the pod template name it in imagePullSecrets.`)];
}

/** More is asked for, and paid for, so that the limit can be kept. */
function limitsRemedy({ podSpec, workload }: RefusalScene): AdviceRemedy {
  const description =
    'Let the container request as much as its limit in the pod template, or lower the limit to what it requests.';
  const beyond = limitsBeyond(podSpec);
  if (workload === undefined || beyond.length === 0) return people(description);
  return { description, operations: [raisedRequests(workload, beyond)] };
}

/** Lets containers request as much as their limits. */
export function raisedRequests(workload: string, beyond: readonly LimitBeyond[]): RemedyOperation {
  const containers = [...new Set(beyond.map(({ container }) => container))].map((name) => ({
    name,
    resources: { requests: requestsOf(beyond.filter(({ container }) => container === name)) },
  }));
  return patchOfContainers(workload, containers);
}

function requestsOf(beyond: readonly LimitBeyond[]): JsonObject {
  return Object.fromEntries(beyond.map((each) => [each.resource, quantityOf(each)]));
}

/** A role can be given at once on the network, and in the resource group of what is there otherwise. */
function rightsRemedy({ facts }: ProviderRefusal, scene: RefusalScene): AdviceRemedy {
  const principalId = rawText(facts, 'objectId') ?? '';
  const scope = ArmId.tryParse(rawText(facts, 'scope') ?? '');
  if (scope !== undefined && OBJECT_ID.test(principalId) && ROLE_SCOPES.includes(scope.type.toLowerCase())) {
    const input = { scope: scope.toString(), role: 'NetworkContributor', principalId };
    return {
      description: `Give the identity ${principalId} the role Network Contributor on ${scope.name}. Then delete the pods that were refused.`,
      operations: [{ type: 'azure.roleAssignment.create', input }, ...deletions(scene)],
    };
  }
  const role = 'the role Azure Container Instances Contributor Role';
  const again = 'Then delete the pods that were refused.';
  const holder = principalId === '' ? 'the identity of the connector' : principalId;
  if (scope?.subscriptionId === undefined || scope.resourceGroup === undefined) {
    return people(`Give ${holder} ${role} on the node resource group of the cluster. ${again}`);
  }
  const resourceGroup = ArmId.resourceGroup(scope.subscriptionId, scope.resourceGroup).toString();
  const description = `Give ${holder} ${role} on ${resourceGroup}. ${again}`;
  if (!OBJECT_ID.test(principalId)) return people(description);
  const input = { resourceGroup, role: 'ContainerInstancesContributor', principalId };
  return { description, operations: [{ type: 'azure.roleAssignment.create', input }, ...deletions(scene)] };
}

function people(description: string): AdviceRemedy {
  return { description, operations: [] };
}

function anew(description: string, scene: RefusalScene): AdviceRemedy {
  return { description, operations: deletions(scene) };
}

/** A pod that nobody makes anew is not thrown away. */
function deletions({ cluster, namespace, pods, workload }: RefusalScene): RemedyOperation[] {
  if (workload === undefined) return [];
  return pods.map((name) => deletionOfPod(cluster, namespace, name));
}

export function deletionOfPod(cluster: string, namespace: string, name: string): RemedyOperation {
  return { type: 'kubernetes.object.delete', input: { cluster, apiVersion: 'v1', kind: 'Pod', namespace, name } };
}
