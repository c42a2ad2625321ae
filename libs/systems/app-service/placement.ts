import type { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import { customLocationOf } from '#libs/azure/custom-location.js';
import type { RelationField } from '../contract/kind-definition.js';
import type { RelationClaim } from '../contract/observation.js';

export const CONNECTED_CLUSTER_KIND = 'ConnectedCluster';
export const CUSTOM_LOCATION_KIND = 'CustomLocation';

/** Where a custom location is: a namespace of a cluster. */
export interface PlaceInCluster {
  cluster: ArmId;
  namespace: string;
}

/** The fields of what lies on a custom location. @param plural the way back, as the custom location and the cluster show it. */
export function placementRelations(plural: string, what: string): RelationField[] {
  return [
    {
      name: 'customLocation',
      description: 'The custom location that it lies on.',
      type: 'placedOn',
      direction: 'outgoing',
      kind: CUSTOM_LOCATION_KIND,
      cardinality: 'one',
      inverse: { name: plural, description: `The ${what} on the custom location.`, cardinality: 'many' },
    },
    {
      name: 'cluster',
      description: 'The connected cluster that the custom location is a part of.',
      type: 'locatedIn',
      direction: 'outgoing',
      kind: CONNECTED_CLUSTER_KIND,
      cardinality: 'one',
      inverse: { name: plural, description: `The ${what} on custom locations of the cluster.`, cardinality: 'many' },
    },
  ];
}

export function placementClaims(id: ArmId, body: JsonObject): RelationClaim[] {
  const customLocation = customLocationOf(body);
  return customLocation === undefined ? [] : [{ type: 'placedOn', from: id.canonical, to: customLocation.canonical }];
}

/** The Deployment that runs a web app: App Service names it after the app. */
export function deploymentOf(app: ArmId, { cluster, namespace }: PlaceInCluster): KubernetesId {
  return KubernetesId.of({
    clusterUid: cluster.uid,
    group: 'apps',
    kind: 'Deployment',
    namespace,
    name: app.name.toLowerCase(),
  });
}

/** By these labels App Service marks the pods of web apps; `app` names the app. */
export const APP_PODS_SELECTOR = 'k8se.microsoft.com/owner=app';
export const APP_LABEL = 'app';
