import type { ArmId } from '#libs/kernel/arm-id.js';
import type { RemedyOperation } from '#libs/kernel/control-error.js';

const GROUP = 'k8se.microsoft.com';

/** Whether a group of the Kubernetes API, or a type of it (`apps.k8se.microsoft.com`), is of App Service. */
export function isOfAppService(group: string | null): boolean {
  return group === GROUP || group?.endsWith(`.${GROUP}`) === true;
}

/** Deletes a type of objects, with its objects. */
export function forgetDefinition(cluster: ArmId, name: string): RemedyOperation {
  return {
    type: 'kubernetes.object.delete',
    input: {
      cluster: cluster.toString(),
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      name,
    },
  };
}
