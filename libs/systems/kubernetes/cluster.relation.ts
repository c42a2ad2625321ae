import type { RelationField } from '../contract/kind-definition.js';
import { CLUSTER_KINDS } from './kubernetes-reference.js';

/**
 * Where an object lives. Nobody claims it: it follows from the object's `clusterUid`.
 * @param inverse what the cluster calls its objects of this kind
 */
export function clusterRelation(inverse: { name: string; description: string }): RelationField {
  return {
    name: 'cluster',
    description: 'The cluster that the object lives in; on a fleet it is the hub of the fleet.',
    type: 'locatedIn',
    direction: 'outgoing',
    kind: CLUSTER_KINDS,
    cardinality: 'one',
    inverse: { ...inverse, cardinality: 'many' },
  };
}
