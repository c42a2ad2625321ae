import type { JsonObject } from '#libs/kernel/json.js';
import { isJsonObject } from '#libs/kernel/json.js';
import type { ObjectStore } from './object.store.js';
import { admitPod, qualityOfService } from './pod.admission.js';
import { refuseOverQuota } from './quota.admission.js';
import { hasSubresource, type ServedResource } from './served.resource.js';
import { allocateService } from './service.allocation.js';

/** The label that every namespace carries: its name, for selectors. */
export function withOwnLabels(resource: ServedResource, object: JsonObject): JsonObject {
  if (resource.storage !== 'namespaces') return object;
  const metadata = object.metadata as JsonObject;
  const labels = isJsonObject(metadata.labels) ? metadata.labels : {};
  return {
    ...object,
    metadata: { ...metadata, labels: { ...labels, 'kubernetes.io/metadata.name': metadata.name ?? '' } },
  };
}

/** What the server itself sets on a new object of a kind, after the defaults; `object` is in the version it came in. */
export function prepareForCreate(resource: ServedResource, object: JsonObject, store: ObjectStore): JsonObject {
  switch (resource.storage) {
    case 'namespaces':
      return { ...object, spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } };
    case 'pods': {
      const admitted = admitPod(object, store);
      refuseOverQuota(admitted, store);
      return { ...admitted, status: { phase: 'Pending', qosClass: qualityOfService(admitted) } };
    }
    case 'services':
      return { ...allocateService(object, store), status: { loadBalancer: {} } };
    case 'persistentvolumes':
    case 'persistentvolumeclaims':
      return { ...object, status: { phase: 'Pending' } };
    default:
      return object;
  }
}

/** What the server keeps or sets when an object of a kind is written again. */
export function prepareForUpdate(
  resource: ServedResource,
  object: JsonObject,
  live: JsonObject,
  store: ObjectStore,
): JsonObject {
  switch (resource.storage) {
    case 'namespaces':
      return { ...object, spec: live.spec ?? {} };
    case 'services':
      return allocateService(withLiveAddress(object, live), store);
    default:
      return object;
  }
}

/** A client that leaves the allotted address out keeps it. */
function withLiveAddress(service: JsonObject, live: JsonObject): JsonObject {
  const spec = (service.spec ?? {}) as JsonObject;
  const { clusterIP, clusterIPs, type } = (live.spec ?? {}) as JsonObject;
  if (spec.type === 'ExternalName' || type === 'ExternalName' || clusterIP === undefined) return service;
  return {
    ...service,
    spec: {
      ...spec,
      clusterIP: spec.clusterIP ?? clusterIP,
      clusterIPs: spec.clusterIPs ?? clusterIPs ?? [clusterIP],
    },
  };
}

/** Nobody sets the status by creating or replacing the object where it is a subresource of its own. */
export function ownsStatus(resource: ServedResource): boolean {
  return hasSubresource(resource, 'status');
}
