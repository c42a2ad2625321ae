import { z } from 'zod';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { memberClusterHealth, type MemberClusterProperties, describeMemberCluster } from './member-cluster.kind.js';
import { dnsSubdomain, labelKey, labelValue } from './kubernetes-name.js';

/** What the definition of the placement allows. */
const MOST_NAMED = 100;
const MOST_SELECTORS = 100;
const MOST_TERMS = 10;

const labelExpression = z
  .strictObject({
    key: labelKey.describe('The key of the label.'),
    operator: z
      .enum(['In', 'NotIn', 'Exists', 'DoesNotExist'])
      .describe('How the value of the label is compared with the values.'),
    values: z.array(labelValue).max(100).optional().describe('What it is compared with, for `In` and `NotIn`.'),
  })
  .meta({ id: 'PlacementLabelExpression', description: 'A requirement on one label.' });

const propertyExpression = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(317)
      .describe('The property, such as `resources.kubernetes-fleet.io/available-cpu`; see MemberCluster.'),
    operator: z.enum(['Gt', 'Ge', 'Eq', 'Ne', 'Lt', 'Le']).describe('How the property is compared with the value.'),
    value: z.string().min(1).max(63).describe('A Kubernetes quantity, such as `4` or `500m`.'),
  })
  .meta({ id: 'PlacementPropertyExpression', description: 'A requirement on one property of a member.' });

const preference = z
  .strictObject({
    weight: z.int().min(-100).max(100).describe('How much it is wanted; below zero, how much it is not.'),
    matchLabels: z.record(labelKey, labelValue).describe('The labels of the members that are preferred.'),
  })
  .meta({ id: 'PlacementPreference', description: 'Members that are preferred, or are to be avoided.' });

const topologySpread = z
  .strictObject({
    topologyKey: labelKey.describe('The label by whose values the members are spread.'),
    maxSkew: z.int().min(1).optional().describe('By how many members two values may differ; 1 where absent.'),
    whenUnsatisfiable: z
      .enum(['DoNotSchedule', 'ScheduleAnyway'])
      .optional()
      .describe('What is done where it cannot be kept; `DoNotSchedule` where absent.'),
  })
  .meta({ id: 'PlacementTopologySpread', description: 'How the chosen members are spread.' });

const toleration = z
  .strictObject({
    key: labelKey.optional().describe('The key of the taint; every taint where absent, which needs `Exists`.'),
    operator: z.enum(['Equal', 'Exists']).optional().describe('Whether the value counts; `Equal` where absent.'),
    value: z.string().max(63).optional().describe('The value of the taint, for `Equal`.'),
  })
  .meta({ id: 'PlacementToleration', description: 'A taint of members that does not keep the placement away.' });

export const placementPolicy = z
  .strictObject({
    placementType: z
      .enum(['PickAll', 'PickN', 'PickFixed'])
      .default('PickAll')
      .describe('All members that fit, a number of them, or those that are named. It can never be changed.'),
    members: z
      .array(dnsSubdomain)
      .min(1)
      .max(MOST_NAMED)
      .optional()
      .describe('For `PickFixed`: the members, by their names in the fleet.'),
    numberOfClusters: z.int().min(0).max(1000).optional().describe('For `PickN`: how many members are chosen.'),
    matchLabels: z
      .record(labelKey, labelValue)
      .optional()
      .describe('The labels that a member has to have, such as `fleet.azure.com/location`.'),
    matchExpressions: z.array(labelExpression).max(MOST_TERMS).optional().describe('More requirements on its labels.'),
    propertyExpressions: z
      .array(propertyExpression)
      .max(MOST_TERMS)
      .optional()
      .describe('Requirements on what its agent reports of it.'),
    preferences: z.array(preference).max(MOST_TERMS).optional().describe('For `PickN`: which members are preferred.'),
    topologySpread: z.array(topologySpread).max(MOST_TERMS).optional().describe('For `PickN`: how they are spread.'),
    tolerations: z
      .array(toleration)
      .max(MOST_NAMED)
      .optional()
      .describe('The taints that keep no member out of the choice.'),
  })
  .meta({ id: 'PlacementPolicy', description: 'Which members a placement chooses.' });
export type PlacementPolicy = z.output<typeof placementPolicy>;

export const resourceSelector = z
  .strictObject({
    group: z.string().max(253).default('').describe("The API group, `''` for the core."),
    version: z.string().min(1).max(63).describe('The version of the API, such as `v1`.'),
    kind: z
      .string()
      .regex(/^[A-Z][A-Za-z0-9]{0,62}$/, 'must be a kind')
      .describe('The kind; one whose objects belong to no namespace.'),
    name: z.string().min(1).max(253).optional().describe('The name of the one object.'),
    matchLabels: z.record(labelKey, labelValue).optional().describe('The labels of the objects; not with a name.'),
    selectionScope: z
      .enum(['NamespaceWithResources', 'NamespaceOnly'])
      .optional()
      .describe('For a Namespace: with what is in it, or alone.'),
  })
  .meta({ id: 'PlacementResourceSelector', description: 'What a placement takes to the members.' });
export type ResourceSelector = z.output<typeof resourceSelector>;

const amount = z.string().regex(/^(\d{1,4}|(100|\d{1,2})%)$/, 'must be a number or a percentage');

export const placementStrategy = z
  .strictObject({
    type: z
      .enum(['RollingUpdate', 'External'])
      .optional()
      .describe('`External` leaves the rolling out to a staged update run, and cannot be taken back.'),
    maxUnavailable: amount
      .optional()
      .describe('How many members may be without a working state at once; `25%` where absent.'),
    maxSurge: amount.optional().describe('How many members more than wanted there may be at once; `25%` where absent.'),
    unavailablePeriodSeconds: z
      .int()
      .min(0)
      .max(86_400)
      .optional()
      .describe('After how long something whose state nobody can tell is taken to work; 60 where absent. Seconds.'),
    applyType: z
      .enum(['ClientSideApply', 'ServerSideApply', 'ReportDiff'])
      .optional()
      .describe('How it is applied on members; `ReportDiff` only tells what would be different.'),
    whenToTakeOver: z
      .enum(['Always', 'IfNoDiff', 'Never'])
      .optional()
      .describe('Whether what is on a member already is taken over; `Always` where absent.'),
    whenToApply: z
      .enum(['Always', 'IfNotDrifted'])
      .optional()
      .describe('Whether what others have changed on a member is set right; `Always` where absent.'),
    allowCoOwnership: z.boolean().optional().describe('Whether others may own what is placed as well.'),
  })
  .meta({ id: 'PlacementStrategy', description: 'How a placement is brought to its members.' });
export type PlacementStrategy = z.output<typeof placementStrategy>;

/** What a placement is to be, in our words. */
export interface WantedPlacement {
  namespaces?: readonly string[] | undefined;
  resourceSelectors?: readonly ResourceSelector[] | undefined;
  policy?: PlacementPolicy | undefined;
  strategy?: PlacementStrategy | undefined;
}

/** @throws ControlError INVALID_REQUEST where the parts contradict each other. */
export function checkPlacement({ namespaces = [], resourceSelectors = [], policy }: WantedPlacement): void {
  const count = namespaces.length + resourceSelectors.length;
  if (count === 0) throw invalid('namespaces', 'must name what is to be placed, or resourceSelectors must');
  if (count > MOST_SELECTORS)
    throw invalid('resourceSelectors', `must not be more than ${MOST_SELECTORS} with namespaces`);
  for (const [at, selector] of resourceSelectors.entries()) {
    if (selector.name !== undefined && selector.matchLabels !== undefined) {
      throw invalid(`resourceSelectors.${at}`, 'must have a name or labels, not both');
    }
    if (selector.selectionScope !== undefined && (selector.kind !== 'Namespace' || selector.group !== '')) {
      throw invalid(`resourceSelectors.${at}.selectionScope`, 'is for a Namespace');
    }
  }
  if (policy !== undefined) checkPolicy(policy);
}

function checkPolicy(policy: PlacementPolicy): void {
  const { placementType } = policy;
  const only = (wanted: PlacementPolicy['placementType'], ...fields: (keyof PlacementPolicy)[]): void => {
    const field = fields.find((name) => policy[name] !== undefined);
    if (placementType !== wanted && field !== undefined) throw invalid(`policy.${field}`, `is for ${wanted}`);
  };
  only('PickFixed', 'members');
  only('PickN', 'numberOfClusters', 'preferences', 'topologySpread');
  if (placementType === 'PickN' && policy.numberOfClusters === undefined) {
    throw invalid('policy.numberOfClusters', 'is needed for PickN');
  }
  if (placementType === 'PickFixed') {
    if (policy.members === undefined) throw invalid('policy.members', 'is needed for PickFixed');
    const field = (['matchLabels', 'matchExpressions', 'propertyExpressions', 'tolerations'] as const).find(
      (name) => policy[name] !== undefined,
    );
    if (field !== undefined) throw invalid(`policy.${field}`, 'is not for PickFixed, which names its members');
  }
  for (const [at, { operator, values }] of (policy.matchExpressions ?? []).entries()) {
    const takesValues = operator === 'In' || operator === 'NotIn';
    if (takesValues !== (values !== undefined && values.length > 0)) {
      throw invalid(`policy.matchExpressions.${at}.values`, takesValues ? 'is needed' : `is not for ${operator}`);
    }
  }
}

function invalid(path: string, message: string): ControlError {
  return new ControlError('INVALID_REQUEST', `${path} ${message}.`, { violations: [{ path, message }] });
}

/** The specification of the placement as the hub takes it. */
export function placementSpec({
  namespaces = [],
  resourceSelectors = [],
  policy,
  strategy,
}: WantedPlacement): JsonObject {
  return {
    resourceSelectors: [
      ...namespaces.map((name): JsonObject => ({ group: '', version: 'v1', kind: 'Namespace', name })),
      ...resourceSelectors.map(({ group, version, kind, name, matchLabels, selectionScope }): JsonObject => ({
        group,
        version,
        kind,
        ...(name === undefined ? {} : { name }),
        ...(matchLabels === undefined ? {} : { labelSelector: { matchLabels } }),
        ...(selectionScope === undefined ? {} : { selectionScope }),
      })),
    ],
    ...(policy === undefined ? {} : { policy: policySpec(policy) }),
    ...(strategy === undefined ? {} : { strategy: strategySpec(strategy) }),
  };
}

function policySpec(policy: PlacementPolicy): JsonObject {
  const { placementType, members, numberOfClusters, preferences, topologySpread, tolerations } = policy;
  const term = requiredTerm(policy);
  const clusterAffinity: JsonObject = {
    ...(term === undefined ? {} : { requiredDuringSchedulingIgnoredDuringExecution: { clusterSelectorTerms: [term] } }),
    ...(preferences === undefined
      ? {}
      : {
          preferredDuringSchedulingIgnoredDuringExecution: preferences.map(({ weight, matchLabels }) => ({
            weight,
            preference: { labelSelector: { matchLabels } },
          })),
        }),
  };
  return {
    placementType,
    ...(members === undefined ? {} : { clusterNames: members }),
    ...(numberOfClusters === undefined ? {} : { numberOfClusters }),
    ...(Object.keys(clusterAffinity).length === 0 ? {} : { affinity: { clusterAffinity } }),
    ...(topologySpread === undefined ? {} : { topologySpreadConstraints: topologySpread.map(present) }),
    ...(tolerations === undefined
      ? {}
      : { tolerations: tolerations.map((taint) => ({ ...present(taint), effect: 'NoSchedule' })) }),
  };
}

function requiredTerm({ matchLabels, matchExpressions, propertyExpressions }: PlacementPolicy): JsonObject | undefined {
  const labelSelector: JsonObject = {
    ...(matchLabels === undefined ? {} : { matchLabels }),
    ...(matchExpressions === undefined ? {} : { matchExpressions: matchExpressions.map(present) }),
  };
  const term: JsonObject = {
    ...(Object.keys(labelSelector).length === 0 ? {} : { labelSelector }),
    ...(propertyExpressions === undefined
      ? {}
      : {
          propertySelector: {
            matchExpressions: propertyExpressions.map(({ name, operator, value }) => ({
              name,
              operator,
              values: [value],
            })),
          },
        }),
  };
  return Object.keys(term).length === 0 ? undefined : term;
}

function strategySpec(strategy: PlacementStrategy): JsonObject {
  const { type, maxUnavailable, maxSurge, unavailablePeriodSeconds, applyType, ...apply } = strategy;
  const rollingUpdate = present({
    maxUnavailable: amountOf(maxUnavailable),
    maxSurge: amountOf(maxSurge),
    unavailablePeriodSeconds,
  });
  const applyStrategy = present({ type: applyType, ...apply });
  return {
    ...(type === undefined ? {} : { type }),
    ...(Object.keys(rollingUpdate).length === 0 ? {} : { rollingUpdate }),
    ...(Object.keys(applyStrategy).length === 0 ? {} : { applyStrategy }),
  };
}

/** A number is sent as one: the definition takes a text for a percentage only. */
function amountOf(text: string | undefined): string | number | undefined {
  return text === undefined || text.endsWith('%') ? text : Number(text);
}

function present(
  parts: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>,
): JsonObject {
  return Object.fromEntries(
    Object.entries(parts).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, typeof value === 'object' ? [...value] : value]],
    ),
  );
}

/** A member of the hub as a policy sees it. */
export interface CandidateMember {
  name: string;
  properties: MemberClusterProperties;
  /** Why nothing can be placed on it now, whatever the policy says; undefined where something can. */
  ineligible: string | undefined;
}

export function candidateMember(object: JsonObject & { metadata: { name: string } }, at: Date): CandidateMember {
  const properties = describeMemberCluster(object);
  const health = memberClusterHealth(object, at);
  const isLeaving = 'deletionTimestamp' in object.metadata;
  return {
    name: object.metadata.name,
    properties,
    ineligible:
      isLeaving || !properties.joined || health.state === 'Degraded'
        ? (health.reason ?? 'It has not joined.')
        : undefined,
  };
}

/** What the scheduler of the hub would find, as far as labels and taints decide it; properties are left to the hub. */
export function forecast(policy: PlacementPolicy | undefined, members: readonly CandidateMember[]) {
  const wanted = policy ?? { placementType: 'PickAll' as const };
  const byName = new Map(members.map((member) => [member.name, member]));
  if (wanted.placementType === 'PickFixed') {
    const named = wanted.members ?? [];
    return {
      matching: named.flatMap((name) => byName.get(name) ?? []),
      unknown: named.filter((name) => !byName.has(name)),
      tainted: [],
    };
  }
  const fitting = members.filter(({ properties }) => fitsLabels(wanted, properties.labels));
  const tainted = fitting.filter(({ properties }) =>
    properties.taints.some((taint) => !(wanted.tolerations ?? []).some((tolerated) => tolerates(tolerated, taint))),
  );
  return { matching: fitting.filter((member) => !tainted.includes(member)), unknown: [], tainted };
}

function fitsLabels(
  { matchLabels, matchExpressions }: Partial<PlacementPolicy>,
  labels: Readonly<Record<string, string>>,
): boolean {
  const equal = Object.entries(matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return (
    equal &&
    (matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const present = labels[key];
      switch (operator) {
        case 'Exists':
          return present !== undefined;
        case 'DoesNotExist':
          return present === undefined;
        case 'In':
          return present !== undefined && values.includes(present);
        case 'NotIn':
          return present === undefined || !values.includes(present);
      }
    })
  );
}

function tolerates(
  { key, operator = 'Equal', value = '' }: z.output<typeof toleration>,
  taint: MemberClusterProperties['taints'][number],
): boolean {
  if (key !== undefined && key !== taint.key) return false;
  return operator === 'Exists' ? true : key !== undefined && value === (taint.value ?? '');
}
