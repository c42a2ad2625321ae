import { canonicalJson } from '#libs/kernel/canonical-json.js';
import { KubernetesStatusError } from '../api/kubernetes-status.error.js';
import type { AdmissionPlugin, AdmissionRequest, KubernetesObject } from '../cluster.objects.js';
import { isReservedNamespace } from './fleet.names.js';

const FLEET_GROUPS: readonly string[] = [
  'cluster.kubernetes-fleet.io',
  'placement.kubernetes-fleet.io',
  'networking.fleet.azure.com',
  'multicluster.x-k8s.io',
];
const GUARDED_SYSTEM_NAMESPACES: readonly string[] = ['kube-system', 'kube-public', 'kube-node-lease'];

/** What a fleet's hub refuses, in the words of its webhooks. */
export function hubAdmission(): AdmissionPlugin[] {
  return [
    { name: 'fleet.pod.validating', admit: refusePods },
    { name: 'fleet.replicaset.validating', admit: refuseReplicaSets },
    { name: 'fleet.clusterresourceplacementv1beta1.validating', admit: checkPlacement },
    { name: 'fleet.guardrail.validating', admit: guard },
  ];
}

function refusePods(request: AdmissionRequest): KubernetesObject {
  const { namespace = '', name } = request.object.metadata;
  if (isNew(request, 'pods') && !isReservedNamespace(namespace))
    throw denied('fleet.pod.validating', `Pod ${namespace}/${name} creation is disallowed in the fleet hub cluster`);
  return request.object;
}

function refuseReplicaSets(request: AdmissionRequest): KubernetesObject {
  const { namespace = '', name } = request.object.metadata;
  if (isNew(request, 'replicasets.apps') && !isReservedNamespace(namespace))
    throw denied(
      'fleet.replicaset.validating',
      `ReplicaSet ${namespace}/${name} creation is disallowed in the fleet hub cluster.`,
    );
  return request.object;
}

interface PlacementFields {
  spec?: { policy?: { placementType?: string } };
}

function checkPlacement(request: AdmissionRequest): KubernetesObject {
  const { resource, subresource, operation, object, previous } = request;
  if (resource !== 'clusterresourceplacements.placement.kubernetes-fleet.io') return object;
  if ((subresource ?? '') !== '' || operation !== 'UPDATE' || previous === undefined) return object;
  const before = (previous as PlacementFields).spec?.policy;
  const after = (object as PlacementFields).spec?.policy;
  const webhook = 'fleet.clusterresourceplacementv1beta1.validating';
  if (before !== undefined && after === undefined) throw denied(webhook, 'policy cannot be removed once set');
  const typeBefore = before?.placementType ?? 'PickAll';
  if (before !== undefined && (after?.placementType ?? 'PickAll') !== typeBefore)
    throw denied(webhook, 'placement type is immutable');
  return object;
}

/** Keeps users off what the fleet itself writes. */
function guard(request: AdmissionRequest): KubernetesObject {
  const { object, previous, resource, operation } = request;
  if (isPlatform(request)) return object;
  const { namespace, name } = object.metadata;
  if (resource === 'memberclusters.cluster.kubernetes-fleet.io') {
    const webhook = 'fleet.membercluster.guardrail.validating';
    if (operation === 'UPDATE' && previous !== undefined) {
      if (labelsChanged(object, previous))
        throw denied(webhook, 'users are not allowed to modify labels through hub cluster directly');
      // Taints are the users' own.
      if (comparable(object) === comparable(previous)) return object;
    }
    throw denied(webhook, refusal(request));
  }
  if (resource === 'customresourcedefinitions.apiextensions.k8s.io') {
    if (FLEET_GROUPS.includes(name.slice(name.indexOf('.') + 1)))
      throw denied('fleet.customresourcedefinition.guardrail.validating', refusal(request));
    return object;
  }
  if (resource === 'namespaces') {
    if (name.startsWith('fleet') || name.startsWith('kube'))
      throw denied('fleet.namespace.guardrail.validating', refusal(request));
    return object;
  }
  if (namespace === undefined || resource === 'events') return object;
  if (namespace.startsWith('fleet-member'))
    throw denied('fleet.fleetmembernamespacedresources.guardrail.validating', refusal(request));
  if (namespace === 'fleet-system')
    throw denied('fleet.fleetsystemnamespacedresources.guardrail.validating', refusal(request));
  if (GUARDED_SYSTEM_NAMESPACES.includes(namespace))
    throw denied('fleet.kubenamespacedresources.guardrail.validating', refusal(request));
  return object;
}

function isNew({ operation, resource, subresource }: AdmissionRequest, wanted: string): boolean {
  return operation === 'CREATE' && resource === wanted && (subresource ?? '') === '';
}

/** Cluster administrators with a static credential, service accounts and the components of the control plane. */
function isPlatform({ user }: AdmissionRequest): boolean {
  return (
    user.groups.some((group) =>
      ['system:masters', 'kubeadm:cluster-admins', 'system:serviceaccounts', 'system:nodes'].includes(group),
    ) ||
    user.name.startsWith('system:serviceaccount:') ||
    ['system:kube-scheduler', 'system:kube-controller-manager', 'system:apiserver', 'aks-support'].includes(user.name)
  );
}

/** Labels of the placement machinery may be set by anybody. */
function labelsChanged(object: KubernetesObject, previous: KubernetesObject): boolean {
  const guarded = (labels: Record<string, string> | undefined): string =>
    canonicalJson(
      Object.fromEntries(Object.entries(labels ?? {}).filter(([key]) => !key.startsWith('kubernetes-fleet.io/'))),
    );
  return guarded(object.metadata.labels) !== guarded(previous.metadata.labels);
}

/** Spec and status of a member without its taints. */
function comparable(object: KubernetesObject): string {
  const { spec, status } = object as { spec?: Record<string, unknown>; status?: unknown };
  const { taints: _, ...rest } = spec ?? {};
  return canonicalJson([rest, status ?? {}]);
}

function refusal({ user, operation, object, subresource }: AdmissionRequest): string {
  const slash = object.apiVersion.indexOf('/');
  const group = slash < 0 ? '' : object.apiVersion.slice(0, slash);
  const version = object.apiVersion.slice(slash + 1);
  const { namespace = '', name } = object.metadata;
  const kind = `${group}/${version}, Kind=${object.kind}`;
  return `user: '${user.name}' in '${user.groups.join(', ')}' is not allowed to ${operation} resource ${kind}/${subresource ?? ''}: ${namespace}/${name}`;
}

function denied(webhook: string, message: string): KubernetesStatusError {
  return new KubernetesStatusError(403, 'Forbidden', `admission webhook "${webhook}" denied the request: ${message}`);
}
