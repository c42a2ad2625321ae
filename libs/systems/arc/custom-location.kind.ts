import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { armIdOf, armObservation, type Reading } from '../contract/arm-observation.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import type { Observation, RelationClaim } from '../contract/observation.js';
import { provisioningHealth } from '../contract/provisioning-state.js';
import { rawText, rawTexts } from '../contract/raw-reader.js';
import { CUSTOM_LOCATION_TYPE } from './arc.types.js';

const customLocationProperties = z.object({
  hostResourceId: z.string().nullable().describe('The ARM id of the connected cluster that it is in.'),
  hostType: z.string().nullable().describe('What kind of host that is: `Kubernetes`.'),
  hostNamespace: z.string().nullable().describe('The namespace of the cluster that belongs to it.'),
  displayName: z.string().nullable().describe('The name that people see.'),
  extensionIds: z.array(z.string()).describe('The ARM ids of the extensions that it stands on.'),
  identityPrincipalId: z.string().nullable().describe('The object id of its identity, where it has one.'),
});

export type CustomLocationProperties = z.output<typeof customLocationProperties>;

export const customLocationKind: KindDefinition<typeof customLocationProperties> = {
  name: 'CustomLocation',
  description: 'A namespace of a connected cluster that resources of Azure can be placed in, as if it were a region.',
  armType: CUSTOM_LOCATION_TYPE,
  properties: customLocationProperties,
  describe: describeCustomLocation,
  relations: [
    {
      name: 'cluster',
      description: 'The cluster that it is in.',
      type: 'hosts',
      direction: 'incoming',
      kind: 'ConnectedCluster',
      cardinality: 'one',
    },
    {
      name: 'extensions',
      description: 'The extensions that it stands on.',
      type: 'runsOn',
      direction: 'outgoing',
      kind: 'ClusterExtension',
      cardinality: 'many',
    },
  ],
};

export function describeCustomLocation(raw: JsonObject): CustomLocationProperties {
  return {
    hostResourceId: rawText(raw, 'hostResourceId'),
    hostType: rawText(raw, 'hostType'),
    hostNamespace: rawText(raw, 'namespace'),
    displayName: rawText(raw, 'displayName'),
    extensionIds: rawTexts(raw, 'clusterExtensionIds'),
    identityPrincipalId: rawText(raw, 'identity', 'principalId'),
  };
}

/** @throws ControlError AZURE_UNEXPECTED_ANSWER when the object does not say who it is. */
export function observeCustomLocation(body: JsonObject, reading: Reading): Observation {
  const id = armIdOf(body);
  const hostId = rawText(body, 'properties', 'hostResourceId');
  const host = hostId === null ? undefined : ArmId.tryParse(hostId);
  const extensions = rawTexts(body, 'properties', 'clusterExtensionIds').flatMap((text) => ArmId.tryParse(text) ?? []);
  const relations: RelationClaim[] = [
    ...(host === undefined ? [] : [{ type: 'hosts' as const, from: host.canonical, to: id.canonical }]),
    ...extensions.map((extension) => ({ type: 'runsOn' as const, from: id.canonical, to: extension.canonical })),
  ];
  return armObservation(body, {
    ...reading,
    kind: customLocationKind.name,
    health: provisioningHealth(rawText(body, 'properties', 'provisioningState'), null, null),
    relations,
    clusterUid: host?.uid ?? null,
  });
}
