import { z } from 'zod';
import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { OBJECT_ID_COMMAND, enable } from '../contract/cluster-work.failures.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter, type FindingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import { AGENT_FAULTS, agentFault, agentNews } from './agent-faults.js';
import {
  ARC_FEATURES,
  CLUSTER_ROLE_BINDING,
  GRANT_BINDING_PREFIX,
  belongsElsewhere,
  isBound,
  leavesTraces,
  lookAtAgents,
  type AgentPicture,
  type ArcFeature,
} from './arc-agents.js';
import { objectIdInput } from './arc-names.js';
import { pauseForPeople, type ArcParts } from './arc-parts.js';
import {
  agentVersionFindings,
  clusterIdOf,
  connectivityFindings,
  judgeAgentVersion,
  judgeConnectivity,
} from './arc-preflight.js';
import { connectedClusterKind, observeConnectedCluster } from './connected-cluster.kind.js';
import { customLocationsOn } from './connected-cluster.operations.js';
import { applyGrant } from './custom-location-grant.js';
import { clientOf, deleteObject, listObjects, lookInto, reachFindings, seenOr } from './reached-cluster.js';

/** People run the command: they are given a day. */
const PATIENCE_SECONDS = 86_400;
/** What is switched on by the agents' chart alone; the rest can be done through the cluster's own API. */
const OF_CHART: readonly ArcFeature[] = ['cluster-connect', 'azure-rbac'];

const featuresInput = z.array(z.enum(ARC_FEATURES)).min(1).max(ARC_FEATURES.length);

const enableInput = z.strictObject({
  cluster: resourceReference('The connected cluster'),
  features: featuresInput.describe(
    'The features to switch on: `cluster-connect` (a way into the cluster through Azure), `custom-locations`, `azure-rbac` (Azure decides who may do what in the cluster).',
  ),
  customLocationsObjectId: objectIdInput
    .optional()
    .describe(
      `The object id of the provider of custom locations in your tenant, for \`custom-locations\`: \`${OBJECT_ID_COMMAND}\`.`,
    ),
});
type EnableInput = z.output<typeof enableInput>;

const featureFindings = {
  ...connectivityFindings,
  ...reachFindings,
  AGENTS_OF_OTHER_CLUSTER:
    'The attached kubeconfig leads to a cluster whose agents belong to another connected cluster.',
} as const satisfies Record<string, string>;

const enableFindings = {
  ...featureFindings,
  ...agentVersionFindings,
  ...AGENT_FAULTS,
  PRIVATE_LINK_CLUSTER: 'The agents talk to Azure by private link alone, which these features do not go with.',
  CLUSTER_CONNECT_OFF:
    'Custom locations come into the cluster by cluster connect, which is off and not among the features to switch on.',
  WRONG_OBJECT_BOUND:
    'Other object ids have been given the rights of the provider: the one that was named gets them now.',
  OBJECT_ID_MISSING: 'Without the object id of the provider of custom locations nobody can be given rights.',
  FEATURES_ENABLED: 'All of the features are on already.',
  CHART_RUNS_ELSEWHERE:
    'The features come with the Helm chart of the agents, from a machine that reaches the cluster: the operation waits for it.',
} as const satisfies Record<string, string>;

export function enableFeature(parts: ArcParts): OperationDefinition<typeof enableInput> {
  return {
    type: 'arc.feature.enable',
    title: 'Switch on features of Azure Arc',
    description:
      'Sees to it that features of Azure Arc are on in a cluster. Custom locations are switched on through the cluster itself; for the others the operation shows the command to run and goes on when it sees the agents.',
    permission: 'arc/features/write',
    input: enableInput,
    references: { cluster: [connectedClusterKind.name] },
    timeoutSeconds: PATIENCE_SECONDS,
    findings: enableFindings,
    target(_input, references) {
      const id = clusterIdOf({ references });
      return { id: id.toString(), kind: connectedClusterKind.name, lock: `${id.canonical}/features` };
    },
    preflight: (context) => preflightEnable(parts, context),
    steps: [
      {
        name: 'grant',
        description: 'Gives the provider of custom locations its rights, where that is asked for.',
        run: (context) => runGrant(parts, context),
      },
      {
        name: 'switch-on',
        description: 'Waits until the agents of the features run.',
        run: (context) => runSwitchOn(parts, context),
      },
    ],
    verify: (context) =>
      verifyFeatures(parts, context, 'on', (picture, feature) => isOn(picture, feature, context.input)),
  };
}

async function preflightEnable(parts: ArcParts, context: OperationContext<EnableInput>): Promise<Finding[]> {
  const { features, customLocationsObjectId } = context.input;
  const findings: Finding[] = [];
  const say = findingReporter(enableFindings, findings);
  const picture = await judgeCluster(parts, context, say);
  if (picture === undefined) return findings;
  if (
    features.includes('custom-locations') &&
    !picture.features['custom-locations'] &&
    customLocationsObjectId === undefined
  ) {
    const remedy = `Give customLocationsObjectId: \`${OBJECT_ID_COMMAND}\`.`;
    say('OBJECT_ID_MISSING', 'error', { features }, remedy);
  }
  judgeBinding(picture, context, say);
  const lacking = features.filter((feature) => !isOn(picture, feature, context.input));
  judgeAgents(picture, lacking, context, say);
  if (lacking.length === 0) say('FEATURES_ENABLED', 'info', { features });
  const ofChart = lacking.filter((feature) => OF_CHART.includes(feature));
  if (ofChart.length > 0) {
    say('CHART_RUNS_ELSEWHERE', 'info', { command: commandOf('enable', clusterIdOf(context), ofChart) });
  }
  return findings;
}

/** Whether the rights that were given are those of the provider that is named. */
function judgeBinding(
  picture: AgentPicture,
  context: OperationContext<EnableInput>,
  say: FindingReporter<keyof typeof enableFindings>,
): void {
  const { features, customLocationsObjectId: objectId } = context.input;
  if (!features.includes('custom-locations') || objectId === undefined) return;
  if (picture.boundObjectIds.length === 0 || isBound(picture, objectId)) return;
  say('WRONG_OBJECT_BOUND', 'warning', { objectId, boundObjectIds: [...picture.boundObjectIds] });
}

/** Warnings: the chart may bring what is missing, and the operation waits for it. */
function judgeAgents(
  picture: AgentPicture,
  lacking: readonly ArcFeature[],
  context: OperationContext<EnableInput>,
  say: FindingReporter<keyof typeof enableFindings>,
): void {
  const { features } = context.input;
  const isRelayMissing = features.includes('custom-locations') && !picture.features['cluster-connect'];
  if (lacking.length === 0 && !isRelayMissing) return;
  const fault = agentFault(picture);
  if (fault !== undefined) say(fault.code, 'warning', fault.evidence, fault.remedy);
  else if (isRelayMissing && !features.includes('cluster-connect')) {
    const evidence = { agents: Object.fromEntries(picture.agents) };
    const remedy = 'Switch cluster connect on as well (arc.feature.enable).';
    say('CLUSTER_CONNECT_OFF', 'warning', evidence, remedy, [enable(clusterIdOf(context), ['cluster-connect'])]);
  }
}

/** Custom locations are on for the provider that is named, or for any where none is. */
function isOn(
  picture: AgentPicture,
  feature: ArcFeature,
  { customLocationsObjectId: objectId }: Pick<EnableInput, 'customLocationsObjectId'>,
): boolean {
  return feature === 'custom-locations' && objectId !== undefined
    ? isBound(picture, objectId)
    : picture.features[feature];
}

/** What is seen of the agents; undefined where something is in the way and said. */
async function judgeCluster(
  parts: ArcParts,
  context: OperationContext<EnableInput>,
  say: FindingReporter<keyof typeof enableFindings>,
): Promise<AgentPicture | undefined> {
  const cluster = clusterIdOf(context);
  const known = await judgeConnectivity(parts, cluster, 'warning', context, say);
  if (known === undefined) return undefined;
  if (rawText(known.properties, 'privateLinkState')?.toLowerCase() === 'enabled' && wantsRelay(context.input)) {
    say('PRIVATE_LINK_CLUSTER', 'error', { privateLinkState: 'Enabled' }, 'Take the private link away, or do without.');
  }
  judgeAgentVersion(known.properties, say);
  const look = await lookInto(() => lookAtAgents(clientOf(parts, cluster), context));
  const picture = seenOr(look, 'error', say);
  if (picture !== undefined && belongsElsewhere(picture, cluster)) {
    const remedy = 'Attach the kubeconfig of this cluster (PUT /v1/clusters/{uid}/access).';
    say('AGENTS_OF_OTHER_CLUSTER', 'error', { speaksFor: picture.speaksFor }, remedy);
  }
  return picture;
}

function wantsRelay({ features }: EnableInput): boolean {
  return features.some((feature) => feature !== 'azure-rbac');
}

async function runGrant(parts: ArcParts, context: StepContext<EnableInput>): Promise<StepOutcome> {
  const { features, customLocationsObjectId } = context.input;
  if (!features.includes('custom-locations') || customLocationsObjectId === undefined) {
    return { outcome: 'done', message: 'No rights are to be given.' };
  }
  await applyGrant(clientOf(parts, clusterIdOf(context)), 'least-privilege', customLocationsObjectId, context);
  return { outcome: 'done', message: 'The provider of custom locations has its rights.' };
}

async function runSwitchOn(parts: ArcParts, context: StepContext<EnableInput>): Promise<StepOutcome> {
  const cluster = clusterIdOf(context);
  const picture = await lookAtAgents(clientOf(parts, cluster), context);
  const lacking = context.input.features.filter((feature) => !isOn(picture, feature, context.input));
  if (lacking.length === 0) {
    return { outcome: 'done', message: `On in ${cluster.name}: ${context.input.features.join(', ')}.` };
  }
  const news = agentFault(picture) === undefined ? undefined : agentNews(picture);
  return {
    // Nothing of ours goes on: whoever has asked may think better of it.
    outcome: 'blocked',
    message: `Not on yet in ${cluster.name}: ${lacking.join(', ')}. ${news === undefined ? '' : `${news} `}Run this on a machine with an administrator's kubeconfig of the cluster: ${commandOf('enable', cluster, lacking)}`,
    retryAfterSeconds: pauseForPeople(parts, context),
  };
}

const disableInput = z.strictObject({
  cluster: resourceReference('The connected cluster'),
  features: featuresInput.describe('The features to switch off: `cluster-connect`, `custom-locations`, `azure-rbac`.'),
});
type DisableInput = z.output<typeof disableInput>;

const disableFindings = {
  ...featureFindings,
  CUSTOM_LOCATIONS_DEPEND: 'Custom locations stand on the cluster: Azure could do nothing for them any more.',
  FEATURES_DISABLED: 'All of the features are off already.',
  CHART_RUNS_ELSEWHERE: enableFindings.CHART_RUNS_ELSEWHERE,
} as const satisfies Record<string, string>;

export function disableFeature(parts: ArcParts): OperationDefinition<typeof disableInput> {
  return {
    type: 'arc.feature.disable',
    title: 'Switch off features of Azure Arc',
    description:
      'Sees to it that features of Azure Arc are off in a cluster: shows the command to run where that is done by the chart of the agents, and goes on when they are gone.',
    permission: 'arc/features/write',
    input: disableInput,
    references: { cluster: [connectedClusterKind.name] },
    timeoutSeconds: PATIENCE_SECONDS,
    findings: disableFindings,
    target(_input, references) {
      const id = clusterIdOf({ references });
      return { id: id.toString(), kind: connectedClusterKind.name, lock: `${id.canonical}/features` };
    },
    preflight: (context) => preflightDisable(parts, context),
    steps: [
      {
        name: 'revoke',
        description:
          'Takes away the rights that Pilothouse gave the provider of custom locations, where that is asked for.',
        run: (context) => runRevoke(parts, context),
      },
      {
        name: 'switch-off',
        description: 'Waits until the agents of the features are gone.',
        run: (context) => runSwitchOff(parts, context),
      },
    ],
    verify: (context) => verifyFeatures(parts, context, 'off', (picture, feature) => !leavesTraces(picture, feature)),
  };
}

async function preflightDisable(parts: ArcParts, context: OperationContext<DisableInput>): Promise<Finding[]> {
  const { features } = context.input;
  const cluster = clusterIdOf(context);
  const findings: Finding[] = [];
  const say = findingReporter(disableFindings, findings);
  const known = await judgeConnectivity(parts, cluster, 'warning', context, say);
  if (known === undefined) return findings;
  if (features.some((feature) => feature !== 'azure-rbac')) {
    const locations = await customLocationsOn(parts, cluster, context);
    const names = locations.map((location) => location.toString());
    if (names.length > 0) {
      const remedy = 'Delete them first (arc.customLocation.delete).';
      const operations = names.map((customLocation) => ({
        type: 'arc.customLocation.delete',
        input: { customLocation },
      }));
      say('CUSTOM_LOCATIONS_DEPEND', 'error', { customLocations: names }, remedy, operations);
    }
  }
  const look = await lookInto(() => lookAtAgents(clientOf(parts, cluster), context));
  const picture = seenOr(look, 'error', say);
  if (picture === undefined) return findings;
  if (belongsElsewhere(picture, cluster)) {
    say('AGENTS_OF_OTHER_CLUSTER', 'error', { speaksFor: picture.speaksFor });
  }
  const left = features.filter((feature) => leavesTraces(picture, feature));
  if (left.length === 0) say('FEATURES_DISABLED', 'info', { features });
  else say('CHART_RUNS_ELSEWHERE', 'info', { command: commandOf('disable', cluster, left) });
  return findings;
}

async function runRevoke(parts: ArcParts, context: StepContext<DisableInput>): Promise<StepOutcome> {
  if (!context.input.features.includes('custom-locations')) {
    return { outcome: 'done', message: 'No rights are to be taken away.' };
  }
  const cluster = clientOf(parts, clusterIdOf(context));
  const bindings = await listObjects(cluster, CLUSTER_ROLE_BINDING, undefined, context);
  const ours = bindings.filter(({ metadata }) => metadata.name.startsWith(GRANT_BINDING_PREFIX));
  for (const { metadata } of ours) await deleteObject(cluster, CLUSTER_ROLE_BINDING, metadata.name, context);
  return { outcome: 'done', message: `${ours.length} bindings of Pilothouse were taken away.` };
}

async function runSwitchOff(parts: ArcParts, context: StepContext<DisableInput>): Promise<StepOutcome> {
  const cluster = clusterIdOf(context);
  const picture = await lookAtAgents(clientOf(parts, cluster), context);
  const left = context.input.features.filter((feature) => leavesTraces(picture, feature));
  if (left.length === 0) {
    return { outcome: 'done', message: `Off in ${cluster.name}: ${context.input.features.join(', ')}.` };
  }
  return {
    outcome: 'blocked',
    message: `Not off yet in ${cluster.name}: ${left.join(', ')}. Run this on a machine with an administrator's kubeconfig of the cluster: ${commandOf('disable', cluster, left)}`,
    retryAfterSeconds: pauseForPeople(parts, context),
  };
}

async function verifyFeatures(
  parts: ArcParts,
  context: OperationContext<EnableInput | DisableInput>,
  wanted: 'on' | 'off',
  isAsWanted: (picture: AgentPicture, feature: ArcFeature) => boolean,
): Promise<Verification> {
  const cluster = clusterIdOf(context);
  const { features } = context.input;
  const picture = await lookAtAgents(clientOf(parts, cluster), context);
  const wrong = features.filter((feature) => !isAsWanted(picture, feature));
  if (wrong.length > 0) {
    return { verdict: 'missed', message: `In ${cluster.name} these are not ${wanted}: ${wrong.join(', ')}.` };
  }
  const reading = await parts.client.get(cluster, context);
  if (reading.state === 'missing') {
    throw new ControlError('AZURE_NOT_FOUND', `The cluster ${cluster.name} is not in Azure any more.`);
  }
  return {
    verdict: 'reached',
    result: { cluster: cluster.toString(), features: { ...picture.features } },
    observations: [observeConnectedCluster(reading.body, { observedAt: reading.observedAt, source: 'OPERATION' })],
    absent: [],
    opened: [cluster.uid],
  };
}

function commandOf(verb: 'enable' | 'disable', cluster: ArmId, features: readonly ArcFeature[]): string {
  return [
    `az connectedk8s ${verb}-features`,
    `--subscription ${cluster.subscriptionId ?? ''}`,
    `--resource-group '${cluster.resourceGroup ?? ''}'`,
    `--name ${cluster.name}`,
    `--features ${features.join(' ')}`,
  ].join(' ');
}
