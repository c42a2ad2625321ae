import type { KubernetesObject } from '../cluster.objects.js';
import { memberAt } from './json.comparison.js';
import { KubernetesStatusError } from './kubernetes-status.error.js';
import type { ServedResource } from './served.resource.js';

/** One condition on a field of an object in the version that was asked for. */
export interface FieldRequirement {
  field: string;
  equal: boolean;
  value: string;
}

const INVOLVED = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'];

/** Beside `metadata.name` and `metadata.namespace`, by group and resource. */
const SELECTABLE: Readonly<Record<string, readonly string[]>> = {
  '/pods': [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.podIPs',
    'status.nominatedNodeName',
  ],
  '/nodes': ['spec.unschedulable'],
  '/namespaces': ['status.phase'],
  '/secrets': ['type'],
  '/services': ['spec.clusterIP', 'spec.type'],
  '/events': [
    ...INVOLVED.map((member) => `involvedObject.${member}`),
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
  'events.k8s.io/events': [...INVOLVED.map((member) => `regarding.${member}`), 'reason', 'reportingController', 'type'],
  'apps/replicasets': ['status.replicas'],
  'batch/jobs': ['status.successful'],
};

/** Booleans that are left out when they do not hold. */
const FALSE_WHEN_ABSENT = new Set(['spec.unschedulable', 'spec.hostNetwork']);

/**
 * Reads the `fieldSelector` of a request.
 * @throws KubernetesStatusError 400 for a field that this resource cannot be selected by
 */
export function parseFieldSelector(text: string, resource: ServedResource): FieldRequirement[] {
  return text
    .split(/(?<!\\),/)
    .filter((part) => part !== '')
    .map((part) => {
      const match = /^(.*?)(!=|==|=)(.*)$/.exec(part);
      if (match === null)
        throw KubernetesStatusError.badRequest(`invalid selector: '${text}'; can't understand '${part}'`);
      const [, field, operator, value] = match;
      checkField(field!, resource);
      return { field: field!, equal: operator !== '!=', value: value!.replaceAll(/\\([\\,=])/g, '$1') };
    });
}

function checkField(field: string, resource: ServedResource): void {
  if (field === 'metadata.name' || field === 'metadata.namespace') return;
  const more = resource.custom?.selectableFields ?? SELECTABLE[`${resource.group}/${resource.plural}`];
  if (more?.includes(field) === true) return;
  throw KubernetesStatusError.badRequest(
    more === undefined
      ? `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`
      : `field label not supported: ${field}`,
  );
}

export function matchesFields(requirements: readonly FieldRequirement[], object: KubernetesObject): boolean {
  return requirements.every(({ field, equal, value }) => (textAt(object, field) === value) === equal);
}

function textAt(object: KubernetesObject, field: string): string {
  if (field === 'source') {
    const component = memberAt(object, ['source', 'component']) ?? object.reportingComponent;
    return typeof component === 'string' ? component : '';
  }
  const found = memberAt(object, field.split('.'));
  if (typeof found === 'string') return found;
  if (typeof found === 'number' || typeof found === 'boolean') return String(found);
  return FALSE_WHEN_ABSENT.has(field) ? 'false' : '';
}
