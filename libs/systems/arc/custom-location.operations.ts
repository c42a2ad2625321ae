import { z } from 'zod';
import { ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import { reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { memberObject } from '#libs/azure/raw-change.js';
import { referencedArmId } from '../contract/arm-reference.js';
import { OBJECT_ID_COMMAND, enable, grant } from '../contract/cluster-work.failures.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter, type FindingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawObject, rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';
import { judgeRemoval, verifyRemoval } from '../contract/removal.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { AGENT_FAULTS, agentFault } from './agent-faults.js';
import { withAgents } from './agents.diagnosis.js';
import { isBound, lookAtAgents } from './arc-agents.js';
import { arcName, namespaceName, objectIdInput, resourceGroupInput } from './arc-names.js';
import type { ArcParts } from './arc-parts.js';
import {
  agentVersionFindings,
  clusterIdOf,
  connectivityFindings,
  judgeAgentVersion,
  judgeConnectivity,
  judgeProvider,
  providerFindings,
} from './arc-preflight.js';
import { FAILURES, recognising } from './arc.failures.js';
import { CUSTOM_LOCATION_TYPE, EXTENSION_TYPE } from './arc.types.js';
import { clusterExtensionKind } from './cluster-extension.kind.js';
import { connectedClusterKind } from './connected-cluster.kind.js';
import { customLocationsOn } from './connected-cluster.operations.js';
import { customLocationKind, describeCustomLocation, observeCustomLocation } from './custom-location.kind.js';
import { clientOf, lookInto, reachFindings, seenOr } from './reached-cluster.js';

const createInput = z.strictObject({
  cluster: resourceReference('The connected cluster that it is to be in'),
  name: arcName.describe('The name of the custom location: 1 to 63 letters, digits, hyphens and underscores.'),
  resourceGroup: resourceGroupInput
    .optional()
    .describe('The resource group to create it in; that of the cluster where absent.'),
  namespace: namespaceName.describe('The namespace of the cluster that shall belong to it alone.'),
  extension: resourceReference(
    'The extension that it is to stand on; one that stands on others already gets this one in addition',
  ),
  displayName: z.string().min(1).max(200).optional().describe('The name that people see.'),
  customLocationsObjectId: objectIdInput
    .optional()
    .describe(
      `The object id of the provider of custom locations in your tenant: it is then seen beforehand whether it has rights in the cluster. \`${OBJECT_ID_COMMAND}\`.`,
    ),
});
type CreateInput = z.output<typeof createInput>;

const createFindings = {
  ...connectivityFindings,
  ...providerFindings,
  ...reachFindings,
  EXTENSION_NOT_FOUND: 'Azure does not know the extension.',
  EXTENSION_OF_OTHER_CLUSTER: 'The extension is installed in another cluster.',
  EXTENSION_NOT_READY: 'The extension is not installed yet, or has failed.',
  NAMESPACE_TAKEN: 'The namespace belongs to another custom location.',
  LOCATION_EXISTS: 'The custom location is there already.',
  LOCATION_EXISTS_DIFFERENT: 'A custom location of this name is there already, on another cluster or namespace.',
  PRIVATE_LINK_CLUSTER: 'The agents talk to Azure by private link alone: there can be no custom location.',
  ...agentVersionFindings,
  ...AGENT_FAULTS,
  CLUSTER_CONNECT_OFF: FAILURES.CLUSTER_CONNECT_OFF,
  PROVIDER_NOT_GRANTED: FAILURES.PROVIDER_NOT_GRANTED,
  WRONG_OBJECT_BOUND: FAILURES.WRONG_OBJECT_BOUND,
} as const satisfies Record<string, string>;
type CreateFindingCode = keyof typeof createFindings;

export function createCustomLocation(parts: ArcParts): OperationDefinition<typeof createInput> {
  return {
    type: 'arc.customLocation.create',
    title: 'Create a custom location',
    description:
      'Makes a namespace of a connected cluster a place for resources of Azure, on an extension that brings their types; or puts another extension behind one that is there.',
    permission: 'arc/customLocations/write',
    input: createInput,
    references: { cluster: [connectedClusterKind.name], extension: [clusterExtensionKind.name] },
    timeoutSeconds: 3600,
    findings: createFindings,
    target(input, references) {
      const id = newLocationId(input, references);
      extensionIdOf(references);
      return {
        id: id.toString(),
        kind: customLocationKind.name,
        lock: `${clusterIdOf({ references }).canonical}/locations`,
      };
    },
    preflight: (context) => preflightCreate(parts, context),
    steps: [
      {
        name: 'create',
        description: 'Asks Azure for the custom location and waits until it is there.',
        run: (context) => runCreate(parts, context),
      },
    ],
    verify: (context) => verifyCreate(parts, context),
  };
}

async function preflightCreate(parts: ArcParts, context: OperationContext<CreateInput>): Promise<Finding[]> {
  const { input } = context;
  const cluster = clusterIdOf(context);
  const findings: Finding[] = [];
  const say = findingReporter(createFindings, findings);
  const known = await judgeConnectivity(parts, cluster, 'error', context, say);
  if (known === undefined) return findings;
  if (rawText(known.properties, 'privateLinkState')?.toLowerCase() === 'enabled') {
    say('PRIVATE_LINK_CLUSTER', 'error', { privateLinkState: 'Enabled' });
  }
  judgeAgentVersion(known.properties, say);
  const location = known.location ?? undefined;
  await judgeProvider(parts, cluster.subscriptionId ?? '', CUSTOM_LOCATION_TYPE, location, context, say);
  await judgeExtension(parts, cluster, context, say);
  await judgeNamespace(parts, cluster, context, say);
  const existing = await parts.client.get(newLocationId(input, context.references), context);
  if (existing.state === 'found') {
    const difference = differenceOf(existing.body, cluster, input);
    if (difference !== undefined) say('LOCATION_EXISTS_DIFFERENT', 'error', difference, 'Use another name.');
    else if (isDone(existing.body, context))
      say('LOCATION_EXISTS', 'info', { id: newLocationId(input, context.references).toString() });
  }
  await judgeAgents(parts, cluster, context, say);
  return findings;
}

async function judgeExtension(
  parts: ArcParts,
  cluster: ArmId,
  context: OperationContext<CreateInput>,
  say: FindingReporter<CreateFindingCode>,
): Promise<void> {
  const id = extensionIdOf(context.references);
  if (id.parent?.equals(cluster) !== true) {
    say('EXTENSION_OF_OTHER_CLUSTER', 'error', { extension: id.toString() }, 'Name an extension of the cluster.');
    return;
  }
  const reading = await parts.client.get(id, context);
  if (reading.state === 'missing') {
    say('EXTENSION_NOT_FOUND', 'error', { extension: id.toString() }, 'Install it first (arc.extension.install).');
    return;
  }
  const provisioningState = rawText(reading.body, 'properties', 'provisioningState');
  if (provisioningPhase(provisioningState) !== 'succeeded') {
    say('EXTENSION_NOT_READY', 'error', { provisioningState }, 'Wait for it, or mend it first.');
  }
}

async function judgeNamespace(
  parts: ArcParts,
  cluster: ArmId,
  context: OperationContext<CreateInput>,
  say: FindingReporter<CreateFindingCode>,
): Promise<void> {
  const own = newLocationId(context.input, context.references);
  for (const other of await customLocationsOn(parts, cluster, context)) {
    if (other.equals(own)) continue;
    const reading = await parts.client.get(other, context);
    const namespace = reading.state === 'missing' ? null : rawText(reading.body, 'properties', 'namespace');
    if (namespace !== context.input.namespace) continue;
    say('NAMESPACE_TAKEN', 'error', { customLocation: other.toString(), namespace }, 'Choose another namespace.');
  }
}

/** What can be seen in the cluster alone; without access to it Azure will say it. */
async function judgeAgents(
  parts: ArcParts,
  cluster: ArmId,
  context: OperationContext<CreateInput>,
  say: FindingReporter<CreateFindingCode>,
): Promise<void> {
  const picture = seenOr(await lookInto(() => lookAtAgents(clientOf(parts, cluster), context)), 'info', say);
  if (picture === undefined) return;
  const fault = picture.features['cluster-connect'] ? undefined : agentFault(picture);
  if (fault !== undefined) say(fault.code, 'error', fault.evidence, fault.remedy);
  else if (!picture.features['cluster-connect']) {
    const evidence: JsonObject = { agents: Object.fromEntries(picture.agents) };
    const remedy = 'Switch cluster connect on (arc.feature.enable), then try again.';
    say('CLUSTER_CONNECT_OFF', 'error', evidence, remedy, [enable(cluster, ['cluster-connect'])]);
  }
  const { customLocationsObjectId: objectId } = context.input;
  const isGranted = objectId === undefined ? picture.boundObjectIds.length > 0 : isBound(picture, objectId);
  if (isGranted) return;
  // Warnings: the rights may have been given in ways that are not looked for here, and Azure names the object id.
  const code = picture.boundObjectIds.length > 0 ? 'WRONG_OBJECT_BOUND' : 'PROVIDER_NOT_GRANTED';
  const evidence = { boundObjectIds: [...picture.boundObjectIds], ...(objectId === undefined ? {} : { objectId }) };
  const remedy = 'Give the provider its rights: arc.customLocation.grant with its object id in your tenant.';
  say(code, 'warning', evidence, remedy, objectId === undefined ? undefined : [grant(cluster, objectId)]);
}

async function runCreate(parts: ArcParts, context: StepContext<CreateInput>): Promise<StepOutcome> {
  const cluster = clusterIdOf(context);
  try {
    return await recognising({ cluster }, () => runWrite(parts, cluster, context));
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    throw await withAgents(parts, error, cluster, context.input.customLocationsObjectId, context);
  }
}

function runWrite(parts: ArcParts, cluster: ArmId, context: StepContext<CreateInput>): Promise<StepOutcome> {
  const { client } = parts;
  const id = newLocationId(context.input, context.references);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure makes the custom location ${id.name}.`,
      read: () => client.get(id, context),
      judge: (reading) => judgeCreate(id, cluster, context, reading),
      write: async (reading) =>
        reading.state === 'missing'
          ? client.create(id, await newBody(parts, cluster, context), context)
          : client.change(id, reading.body, (body) => laidOver(body, context), context),
    },
    context,
  );
}

function judgeCreate(
  id: ArmId,
  cluster: ArmId,
  context: OperationContext<CreateInput>,
  reading: ArmReading,
): DesiredStateVerdict {
  if (reading.state === 'missing') return { verdict: 'different' };
  if (differenceOf(reading.body, cluster, context.input) !== undefined) {
    throw new ControlError('CONFLICT', `A custom location ${id.name} exists on another cluster or namespace.`, {
      remedy: 'Use another name, or delete that one first (arc.customLocation.delete).',
    });
  }
  const state = rawText(reading.body, 'properties', 'provisioningState');
  switch (provisioningPhase(state)) {
    case 'succeeded':
    case 'unknown':
      return hasExtension(reading.body, context)
        ? { verdict: 'reached', message: `The custom location ${id.name} is there.` }
        : { verdict: 'different' };
    case 'moving':
      return state?.toLowerCase() === 'deleting'
        ? { verdict: 'busy', message: `The custom location ${id.name} is being deleted.` }
        : { verdict: 'underway', message: `The custom location ${id.name} is ${state}.` };
    case 'failed':
    case 'canceled':
      return { verdict: 'failed', error: failedOperationError(`Creating ${id.name}`, reading.body) };
  }
}

async function verifyCreate(parts: ArcParts, context: OperationContext<CreateInput>): Promise<Verification> {
  const id = newLocationId(context.input, context.references);
  const cluster = clusterIdOf(context);
  const reading = await parts.client.get(id, context);
  if (reading.state === 'missing')
    return { verdict: 'missed', message: `The custom location ${id.name} is not there.` };
  const verdict = judgeCreate(id, cluster, context, reading);
  switch (verdict.verdict) {
    case 'reached':
      return {
        verdict: 'reached',
        result: {
          customLocation: id.toString(),
          uid: id.uid,
          namespace: rawText(reading.body, 'properties', 'namespace'),
          enabledResourceTypes: await enabledTypes(parts, id, context),
        },
        observations: [observeCustomLocation(reading.body, { observedAt: reading.observedAt, source: 'OPERATION' })],
        absent: [],
        opened: [cluster.uid],
      };
    case 'underway':
    case 'busy':
      return { verdict: 'pending', message: verdict.message, retryAfterSeconds: parts.client.arm.pollIntervalSeconds };
    case 'failed':
      return { verdict: 'missed', message: verdict.error.message };
    case 'different':
      return { verdict: 'missed', message: `The custom location ${id.name} is not as it was asked for.` };
  }
}

/** What can be placed on it, as `provider/type`. */
async function enabledTypes(parts: ArcParts, id: ArmId, context: OperationContext<unknown>): Promise<Json> {
  const types: string[] = [];
  for await (const { items } of parts.client.listEnabledTypes(id, context)) {
    for (const type of items.flatMap((item) => rawObjects(item, 'properties', 'typesMetadata'))) {
      types.push(`${rawText(type, 'resourceProviderNamespace') ?? ''}/${rawText(type, 'resourceType') ?? ''}`);
    }
  }
  return [...new Set(types)].sort();
}

async function newBody(parts: ArcParts, cluster: ArmId, context: OperationContext<CreateInput>): Promise<JsonObject> {
  const reading = await parts.client.get(cluster, context);
  const location = reading.state === 'missing' ? null : rawText(reading.body, 'location');
  if (location === null) {
    throw new ControlError('AZURE_NOT_FOUND', `The cluster ${cluster.name} is not in Azure any more.`);
  }
  const { name, namespace, displayName } = context.input;
  return {
    location: canonicalLocation(location),
    properties: {
      hostResourceId: cluster.toString(),
      hostType: 'Kubernetes',
      namespace,
      displayName: displayName ?? name,
      clusterExtensionIds: [extensionIdOf(context.references).toString()],
    },
  };
}

/** The list of extensions is written whole: those that are there stay in it. */
function laidOver(body: JsonObject, context: OperationContext<CreateInput>): void {
  const properties = memberObject(body, 'properties');
  const present = rawTexts(properties, 'clusterExtensionIds');
  const wanted = extensionIdOf(context.references);
  const others = present.filter((id) => id.toLowerCase() !== wanted.canonical);
  properties.clusterExtensionIds = [...others, wanted.toString()];
  if (context.input.displayName !== undefined) properties.displayName = context.input.displayName;
}

function hasExtension(body: JsonObject, context: OperationContext<CreateInput>): boolean {
  const wanted = extensionIdOf(context.references).canonical;
  const { extensionIds } = describeCustomLocation(rawObject(body, 'properties') ?? {});
  return extensionIds.some((id) => id.toLowerCase() === wanted);
}

function isDone(body: JsonObject, context: OperationContext<CreateInput>): boolean {
  const phase = provisioningPhase(rawText(body, 'properties', 'provisioningState'));
  return phase === 'succeeded' && hasExtension(body, context);
}

/** What can never be changed and is otherwise, as evidence. */
function differenceOf(body: JsonObject, cluster: ArmId, input: CreateInput): JsonObject | undefined {
  const { hostResourceId, hostNamespace } = describeCustomLocation(rawObject(body, 'properties') ?? {});
  const host = ArmId.tryParse(hostResourceId ?? '');
  if (host !== undefined && !host.equals(cluster)) return { hostResourceId };
  return hostNamespace !== null && hostNamespace !== input.namespace ? { namespace: hostNamespace } : undefined;
}

function newLocationId(input: CreateInput, references: Readonly<Record<string, ResourceTarget>>): ArmId {
  const cluster = clusterIdOf({ references });
  const group = input.resourceGroup ?? cluster.resourceGroup ?? '';
  return ArmId.resourceGroup(cluster.subscriptionId ?? '', group).resource(CUSTOM_LOCATION_TYPE, input.name);
}

function extensionIdOf(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'extension', EXTENSION_TYPE);
}

const deleteInput = z.strictObject({ customLocation: resourceReference('The custom location to delete') });
type DeleteInput = z.output<typeof deleteInput>;

const deleteFindings = {
  LOCATION_NOT_FOUND: 'The custom location is gone already.',
  LOCATION_BUSY: 'Another operation runs on the custom location; the deletion waits until it has ended.',
  RESOURCES_PLACED: 'Resources of Azure are placed on the custom location: they have to go first.',
} as const satisfies Record<string, string>;

export function deleteCustomLocation(parts: ArcParts): OperationDefinition<typeof deleteInput> {
  return {
    type: 'arc.customLocation.delete',
    title: 'Delete a custom location',
    description: 'Deletes a custom location on which nothing is placed any more. Its namespace stays in the cluster.',
    permission: 'arc/customLocations/delete',
    input: deleteInput,
    references: { customLocation: [customLocationKind.name] },
    timeoutSeconds: 3600,
    findings: deleteFindings,
    target(_input, references) {
      const id = locationIdOf(references);
      return { id: id.toString(), kind: customLocationKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightDelete(parts, context),
    steps: [
      {
        name: 'delete',
        description: 'Asks Azure to delete the custom location and waits until it is gone.',
        run: (context) => runDelete(parts, context),
      },
    ],
    async verify(context) {
      const id = locationIdOf(context.references);
      const reading = await parts.client.get(id, context);
      const pause = parts.client.arm.pollIntervalSeconds;
      return verifyRemoval(`The custom location ${id.name}`, reading, context.target, pause);
    },
  };
}

async function preflightDelete(parts: ArcParts, context: OperationContext<DeleteInput>): Promise<Finding[]> {
  const id = locationIdOf(context.references);
  const findings: Finding[] = [];
  const say = findingReporter(deleteFindings, findings);
  const reading = await parts.client.get(id, context);
  if (reading.state === 'missing') {
    say('LOCATION_NOT_FOUND', 'info', { customLocation: id.toString() });
    return findings;
  }
  const state = rawText(reading.body, 'properties', 'provisioningState');
  if (provisioningPhase(state) === 'moving') say('LOCATION_BUSY', 'warning', { provisioningState: state });
  const placed: string[] = [];
  for await (const { rows } of parts.client.discoverPlaced(id, context)) {
    placed.push(...rows.flatMap((row) => rawText(row, 'id') ?? []));
  }
  // A warning: the index lags, and may show what has gone since; Azure has the last word.
  if (placed.length > 0) {
    const remedy = 'Delete them first: apps, then plans, then the environment.';
    say('RESOURCES_PLACED', 'warning', { count: placed.length, resources: placed.slice(0, 50) }, remedy);
  }
  return findings;
}

function runDelete(parts: ArcParts, context: StepContext<DeleteInput>): Promise<StepOutcome> {
  const { client } = parts;
  const id = locationIdOf(context.references);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure deletes the custom location ${id.name}.`,
      read: () => client.get(id, context),
      judge: (reading) => judgeRemoval(`The custom location ${id.name}`, reading, failedOperationError),
      write: () => client.delete(id, context),
    },
    context,
  );
}

function locationIdOf(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'customLocation', CUSTOM_LOCATION_TYPE);
}
