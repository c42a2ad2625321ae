import { z } from 'zod';
import {
  CONTROL_ERRORS,
  type ControlErrorCode,
  type Diagnosis,
  type RemedyOperation,
  type StoredProblem,
  type Violation,
} from '#libs/kernel/control-error.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import type { AttachedClusterView, ClusterAccessView } from '#libs/control/cluster.view.js';
import { APPROVAL_STATES } from '#libs/operations/approval.js';
import { OPERATION_STATUSES, STEP_STATUSES } from '#libs/operations/operation.status.js';
import type { Advice } from '#libs/systems/contract/advice.js';
import { HEALTH_STATES, OBSERVATION_SOURCES, RELATION_TYPES } from '#libs/systems/contract/observation.js';
import type { BudgetListView, BudgetView } from '#libs/control/budget.control.js';
import type { AuditCheckpointView, AuditEventView } from '#libs/control/audit.view.js';
import type {
  ApprovalView,
  OperationEventPageView,
  OperationEventView,
  OperationPageView,
  OperationStepView,
  OperationTypeView,
  OperationView,
} from '#libs/control/operation.view.js';
import type {
  ChangeView,
  FreshnessView,
  ResourceGraphView,
  ResourcePageView,
  ResourceVersionView,
  ResourceView,
  UnavailableView,
} from '#libs/control/resource.view.js';

/**
 * The views of the control layer as zod schemas: the one source of their OpenAPI components and of their GraphQL types.
 * `satisfies` makes a view and its schema drift apart at compile time only.
 */

const errorCode = z.enum(Object.keys(CONTROL_ERRORS) as [ControlErrorCode, ...ControlErrorCode[]]).meta({
  id: 'ErrorCode',
  description: 'Why Pilothouse said no. A code never changes its meaning.',
});

// zod has no schema whose type is our `Json`; both of these accept every JSON value, which is what views hold.
export const jsonObject = z.record(z.string(), z.unknown()) as unknown as z.ZodType<JsonObject>;
export const json = z.unknown() as unknown as z.ZodType<Json>;
export const instant = z.iso.datetime();

export const healthState = z.enum(HEALTH_STATES).meta({
  id: 'HealthState',
  description: 'How an object fares, in the terms that all systems share.',
});

export const observationSource = z.enum(OBSERVATION_SOURCES).meta({
  id: 'ObservationSource',
  description: 'Where an observation came from: the index of Resource Graph lags behind, the others do not.',
});

export const relationType = z.enum(RELATION_TYPES).meta({
  id: 'RelationType',
  description: 'How two objects are related, read as "from `type` to".',
});

export const operationStatus = z.enum(OPERATION_STATUSES).meta({
  id: 'OperationStatus',
  description: 'The life of an operation. A status never leaves `Succeeded`, `Failed` and `Canceled`.',
});

const stepStatus = z.enum(STEP_STATUSES).meta({ id: 'OperationStepStatus', description: 'The life of a step.' });

const violation = z
  .object({
    path: z.string().describe('The way to the faulty part; empty for the whole request.'),
    message: z.string().describe('What is wrong with it.'),
  })
  .meta({ id: 'Violation', description: 'One faulty part of a request.' }) satisfies z.ZodType<Violation>;

const remedyOperation = z
  .object({
    type: z.string().describe('The operation type.'),
    input: jsonObject.describe('Its input, ready to be sent.'),
  })
  .meta({
    id: 'RemedyOperation',
    description: 'An operation that mends something.',
  }) satisfies z.ZodType<RemedyOperation>;

const diagnosis = z
  .object({
    code: z.string().describe('Stable, in upper snake case, documented with the operation type.'),
    cause: z.string().describe('What is behind it, in one sentence.'),
    evidence: jsonObject.describe('The observed values that this rests on.'),
    operations: z
      .array(remedyOperation)
      .describe('What mends it, to be started one after the other; empty where people have to do it.'),
  })
  .meta({
    id: 'Diagnosis',
    description: 'A failure that is known: what is behind it, and what mends it.',
  }) satisfies z.ZodType<Diagnosis>;

export const storedProblem = z
  .object({
    code: errorCode.describe('Stable, for programs.'),
    message: z.string().describe('What happened, in words.'),
    remedy: z.string().exactOptional().describe('What can be done about it.'),
    diagnosis: diagnosis.exactOptional().describe('What is known about a failure of this kind.'),
    externalCode: z.string().exactOptional().describe('The code that the outside system gave.'),
    violations: z.array(violation).exactOptional().describe('The faulty parts of the request.'),
  })
  .meta({
    id: 'StoredProblem',
    description: 'A problem that is kept with an operation or a scope.',
  }) satisfies z.ZodType<StoredProblem>;

export const problem = z
  .object({
    type: z.url().describe('The address of what the code means.'),
    title: z.string().describe('The code in words.'),
    status: z.int().describe('The HTTP status.'),
    detail: z.string().describe('What happened this time.'),
    instance: z.string().describe('The path of the request.'),
    code: errorCode.describe('Stable, for programs.'),
    correlationId: z.string().describe('Joins this answer with the logs and the audit log.'),
    retryAfter: z.number().exactOptional().describe('Seconds after which the same request can be tried again.'),
    remedy: z.string().exactOptional().describe('What the caller can do about it.'),
    externalCode: z.string().exactOptional().describe('The code that the outside system gave.'),
    violations: z.array(violation).exactOptional().describe('The faulty parts of the request.'),
  })
  .meta({ id: 'Problem', description: 'Why a request was refused (RFC 9457).' });

export type ProblemView = z.output<typeof problem>;

export const freshness = z
  .object({
    observedAt: instant.describe('When the object was observed.'),
    ageSeconds: z.int().describe('Whole seconds since then.'),
    source: observationSource.describe('Where the observation came from.'),
  })
  .meta({
    id: 'Freshness',
    description: 'When and from where an object was observed.',
  }) satisfies z.ZodType<FreshnessView>;

export const resource = z
  .object({
    uid: z.uuid().describe('Derived from the id: the same object has the same uid everywhere and always.'),
    kind: z.string().describe('The kind of object, such as `Fleet`.'),
    id: z.string().describe('The ARM id, or for a Kubernetes object its path, as seen.'),
    name: z.string().describe('The name of the object.'),
    location: z.string().nullable().describe('The canonical name of the Azure region.'),
    subscriptionId: z.string().nullable().describe('The Azure subscription.'),
    resourceGroup: z.string().nullable().describe('The resource group.'),
    clusterUid: z.string().nullable().describe('The uid of the cluster that a Kubernetes object lives in.'),
    namespace: z.string().nullable().describe('The Kubernetes namespace.'),
    provisioningState: z.string().nullable().describe('What its owner says about making or changing it.'),
    health: healthState.describe('How the object fares.'),
    healthReason: z.string().nullable().describe('Why, in one sentence, where the state needs a reason.'),
    tags: z.record(z.string(), z.string()).describe('Azure tags or Kubernetes labels.'),
    properties: jsonObject.describe('As observed; on the routes of a kind its typed properties.'),
    freshness: freshness.describe('When and from where the object was observed.'),
    changedAt: instant.describe('When its observed state last changed.'),
  })
  .meta({ id: 'Resource', description: 'An object of the estate.' }) satisfies z.ZodType<ResourceView>;

export const unavailable = z
  .object({
    scope: z.string().describe('The key of the part, such as `aks:{subscription}`.'),
    kinds: z.array(z.string()).describe('The kinds that it holds.'),
    subscriptionId: z.string().nullable().describe('The subscription of the part.'),
    clusterUid: z.string().nullable().describe('The cluster of the part.'),
    reason: z
      .enum(['never-completed', 'partial', 'failed', 'stale'])
      .describe('Never seen completely, or its last sync did not see everything.'),
    missing: z.string().nullable().describe('What could not be seen, in words.'),
    lastCompleteAt: instant.nullable().describe('When the part was last seen completely.'),
    problem: storedProblem.nullable().describe('What went wrong.'),
  })
  .meta({
    id: 'Unavailable',
    description: 'A part of the estate that an answer cannot vouch for.',
  }) satisfies z.ZodType<UnavailableView>;

export const freshnessRange = z
  .object({
    oldest: instant.describe('The oldest observation on the page.'),
    newest: instant.describe('The newest observation on the page.'),
  })
  .meta({ id: 'FreshnessRange', description: 'Between which times the objects of a page were observed.' });

export const nextCursor = z.string().nullable().describe('What `cursor` takes for the next page; null at the end.');

export const resourcePage = z
  .object({
    items: z.array(resource).describe('The objects, in the order asked for.'),
    nextCursor,
    freshness: freshnessRange.nullable().describe('Null on an empty page.'),
    partial: z.boolean().describe('Whether objects may be missing because a part of the estate could not be seen.'),
    unavailable: z.array(unavailable).describe('The parts that could not be seen.'),
  })
  .meta({ id: 'ResourcePage', description: 'A part of a list of objects.' }) satisfies z.ZodType<ResourcePageView>;

const resourceGraphEdge = z
  .object({
    from: z.uuid().describe('The uid at the beginning.'),
    to: z.uuid().describe('The uid at the end.'),
    type: relationType.describe('How they are related.'),
  })
  .meta({ id: 'ResourceGraphEdge', description: 'A relation between two objects.' });

export const resourceGraph = z
  .object({
    root: z.uuid().describe('The uid that was asked for.'),
    nodes: z.array(resource).describe('The objects, the one asked for included.'),
    edges: z.array(resourceGraphEdge).describe('The relations between them.'),
    truncated: z.boolean().describe('Whether the limit of nodes cut something off.'),
  })
  .meta({
    id: 'ResourceGraph',
    description: 'An object and what is around it.',
  }) satisfies z.ZodType<ResourceGraphView>;

export const resourceVersion = z
  .object({
    validFrom: instant.describe('When this state was first seen.'),
    validTo: instant.nullable().describe('When it was seen to have passed; null for the present state.'),
    provisioningState: z.string().nullable().describe('What its owner said about making or changing it.'),
    health: healthState.describe('How the object fared.'),
    healthReason: z.string().nullable().describe('Why, in one sentence.'),
    tags: z.record(z.string(), z.string()).describe('Azure tags or Kubernetes labels.'),
    properties: jsonObject.describe('As observed.'),
    source: observationSource.describe('Where the observation came from.'),
    changed: z
      .array(z.string())
      .nullable()
      .describe('The parts that differ from the state before; null where nothing older is kept.'),
  })
  .meta({
    id: 'ResourceVersion',
    description: 'One distinct state of an object.',
  }) satisfies z.ZodType<ResourceVersionView>;

export const resourceVersionPage = z
  .object({ items: z.array(resourceVersion).describe('The states, the present one first.'), nextCursor })
  .meta({ id: 'ResourceVersionPage', description: 'A part of the history of an object.' });

export const change = z
  .object({
    cursor: z.string().describe('The place in the feed: `after` takes it.'),
    type: z
      .enum(['created', 'updated', 'deleted'])
      .meta({ id: 'ChangeType', description: 'What happened to the object.' })
      .describe('What happened.'),
    at: instant.describe('When it was seen.'),
    uid: z.uuid().describe('The uid of the object.'),
    kind: z.string().describe('Its kind.'),
    name: z.string().describe('Its name.'),
    id: z.string().describe('Its id, as seen.'),
    clusterUid: z.string().nullable().describe('The uid of its cluster.'),
    namespace: z.string().nullable().describe('Its Kubernetes namespace.'),
    subscriptionId: z.string().nullable().describe('Its Azure subscription.'),
    changed: z.array(z.string()).describe('The parts that differ from the state before.'),
    provisioningStateBefore: z.string().nullable().describe('Its provisioning state before the change.'),
    provisioningState: z.string().nullable().describe('Its provisioning state after the change, or the last known.'),
    healthBefore: healthState.nullable().describe('How it fared before the change; null before a creation.'),
    health: healthState.describe('How it fares after the change, or fared last.'),
  })
  .meta({ id: 'Change', description: 'A change of an object, as seen.' }) satisfies z.ZodType<ChangeView>;

export const changePage = z
  .object({
    items: z.array(change).describe('The changes, oldest first.'),
    nextCursor: z.string().describe('What `after` takes to go on from here; always there.'),
  })
  .meta({ id: 'ChangePage', description: 'A part of the change feed.' });

export const resourceTarget = z
  .object({
    uid: z.uuid().describe('The uid of the object.'),
    id: z.string().describe('Its id.'),
    kind: z.string().describe('Its kind.'),
  })
  .meta({ id: 'OperationTarget', description: 'The object that is changed, also where it is still to be made.' });

const operationStep = z
  .object({
    name: z.string().describe('The name of the step.'),
    status: stepStatus.describe('Where it stands.'),
    startedAt: instant.nullable().describe('When it began.'),
    endedAt: instant.nullable().describe('When it ended.'),
    attempts: z.int().describe('How often it was run.'),
    message: z.string().nullable().describe('What it does or waits for, in one sentence.'),
    output: json.describe('What it has done in detail, where it has more to say than a message.'),
  })
  .meta({ id: 'OperationStep', description: 'A step of an operation.' }) satisfies z.ZodType<OperationStepView>;

const finding = z
  .object({
    code: z.string().describe('Stable, documented with the operation type.'),
    severity: z
      .enum(['error', 'warning', 'info'])
      .meta({ id: 'FindingSeverity', description: 'An error blocks the operation, the others are recorded with it.' })
      .describe('How much it matters.'),
    message: z.string().describe('What was found.'),
    evidence: jsonObject.describe('The observed values that the finding rests on.'),
    remedy: z.string().exactOptional().describe('What can be done about it.'),
    operations: z.array(remedyOperation).exactOptional().describe('What mends it, to be started one after the other.'),
  })
  .meta({ id: 'Finding', description: 'What a check before the operation found.' });

export const advice = z
  .object({
    code: z.string().describe('Stable, in upper snake case.'),
    severity: z
      .enum(['error', 'warning', 'info'])
      .meta({ id: 'AdviceSeverity', description: 'An error keeps the object from working, a warning may.' })
      .describe('How much it matters.'),
    cause: z.string().describe('What causes it, in one sentence.'),
    evidence: jsonObject.describe('The observed values that this rests on.'),
    remedies: z
      .array(
        z
          .object({
            description: z.string().describe('What helps.'),
            operations: z
              .array(remedyOperation)
              .describe('The operations to start, one after the other; none where people have to do it.'),
          })
          .meta({ id: 'AdviceRemedy', description: 'A way out of a known trouble.' }),
      )
      .describe('The ways out, the best first; any of them will do.'),
  })
  .meta({
    id: 'Advice',
    description: 'A known trouble of an object, what causes it and the ways out.',
  }) satisfies z.ZodType<Advice>;

export const adviceList = z
  .object({ items: z.array(advice).describe('Empty where nothing is known to ail the object.') })
  .meta({ id: 'AdviceList', description: 'What is known to ail an object.' });

export const approvalState = z.enum(APPROVAL_STATES).meta({
  id: 'ApprovalState',
  description: 'What has become of a consent that an operation needs.',
});

const approval = z
  .object({
    state: approvalState.describe('Where it stands.'),
    rule: z.string().describe('The rule that asks for it, as it is configured.'),
    expiresAt: instant.nullable().describe('Until when a decision is waited for; null once there is one.'),
    decidedBy: z.string().nullable().describe('Who decided.'),
    decidedAt: instant.nullable().describe('When.'),
    reason: z.string().nullable().describe('What was said about it.'),
  })
  .meta({
    id: 'OperationApproval',
    description: 'The consent of somebody else that an operation needs.',
  }) satisfies z.ZodType<ApprovalView>;

export const approvalDecisionRequest = z
  .strictObject({
    reason: z
      .string('must be a text')
      .trim()
      .min(1)
      .max(1_000)
      .nullable()
      .default(null)
      .describe('Why, for whoever asked and for the audit log.'),
  })
  .meta({ id: 'ApprovalDecisionRequest', description: 'A decision about an operation.' });

export const operation = z
  .object({
    id: z.uuid().describe('The id of the operation.'),
    type: z.string().describe('The operation type, such as `fleet.member.join`.'),
    status: operationStatus.describe('Where the operation stands.'),
    dryRun: z.boolean().describe('Whether only the checks are made.'),
    target: resourceTarget.describe('The object that is changed.'),
    input: jsonObject.describe('As accepted, defaults filled in.'),
    steps: z.array(operationStep).describe('The steps, in order.'),
    findings: z.array(finding).describe('What the checks before the operation found.'),
    error: storedProblem.nullable().describe('Why it failed.'),
    result: json.describe('What it made.'),
    message: z.string().nullable().describe('What it does or waits for, in one sentence.'),
    requestedBy: z.string().describe('Who asked for it.'),
    set: z.uuid().nullable().describe('The id of the set that it is a part of.'),
    createdAt: instant.describe('When it was accepted.'),
    startedAt: instant.nullable().describe('When it began.'),
    endedAt: instant.nullable().describe('When it ended.'),
    correlationId: z.string().describe('Joins the operation with logs, the audit log and the calls to Azure.'),
    stuckSince: instant
      .nullable()
      .describe('When it was noticed that nothing new has been said of it for too long; null while it moves.'),
    approval: approval.nullable().describe('The consent that it needs; null where it needs none.'),
    retryAfter: z.number().nullable().describe('Seconds after which asking again makes sense; null when it has ended.'),
  })
  .meta({ id: 'Operation', description: 'A change under way, or ended.' }) satisfies z.ZodType<OperationView>;

export const operationPage = z
  .object({ items: z.array(operation).describe('The operations, newest first.'), nextCursor })
  .meta({
    id: 'OperationPage',
    description: 'A part of the list of operations.',
  }) satisfies z.ZodType<OperationPageView>;

export const operationEvent = z
  .object({
    id: z.string().describe('The place of the transition in the stream that it comes from; `Last-Event-ID` takes it.'),
    at: instant.describe('When the transition happened.'),
    operation: operation.describe('The operation after the transition.'),
  })
  .meta({ id: 'OperationEvent', description: 'A transition of an operation.' }) satisfies z.ZodType<OperationEventView>;

export const operationEventPage = z
  .object({
    items: z.array(operationEvent).describe('The transitions, oldest first.'),
    nextCursor: z.string().describe('What `after` takes to go on from here; always there.'),
  })
  .meta({
    id: 'OperationEventPage',
    description: 'A part of the transitions of all operations.',
  }) satisfies z.ZodType<OperationEventPageView>;

export const budget = z
  .object({
    scope: z.string().describe('The id of an Azure subscription, or `tenant`.'),
    callClass: z.string().describe('`reads`, `writes`, `deletes` or `graphQueries`.'),
    capacity: z.number().describe('Calls that a full bucket holds.'),
    refillPerSecond: z.number().describe('Calls that come back every second.'),
    remaining: z.int().describe('Calls that are left now; below zero by as many as wait for their turn.'),
    closedForSeconds: z.int().describe('Above zero while Azure has asked for patience.'),
    callers: z
      .array(
        z
          .object({
            caller: z.string().describe('`principal:` and a name, `sync` or `house`.'),
            used: z.int().describe('Calls of late; they fade as the bucket refills.'),
          })
          .meta({ id: 'BudgetCaller', description: 'Whose calls have used a budget.' }),
      )
      .describe('Who has used it lately, most first.'),
  })
  .meta({
    id: 'Budget',
    description: 'What is left of the calls that Azure allows, for all of Pilothouse together.',
  }) satisfies z.ZodType<BudgetView>;

export const budgetList = z.object({ items: z.array(budget).describe('The budgets that were used so far.') }).meta({
  id: 'BudgetList',
  description: 'What is left of the calls that Azure allows.',
}) satisfies z.ZodType<BudgetListView>;

export const operationType = z
  .object({
    type: z.string().describe('The operation type.'),
    title: z.string().describe('Its name in words.'),
    description: z.string().describe('What it does.'),
    permission: z.string().describe('What a caller needs for it.'),
    timeoutSeconds: z.int().describe('From acceptance to the end, waiting included.'),
    inputSchema: jsonObject.describe('The JSON Schema (2020-12) of `input`.'),
    references: (z.record(z.string(), z.array(z.string())) as z.ZodType<Record<string, string[]>>).describe(
      'Fields of `input` that take a uid or an id, and the kinds that each may name.',
    ),
    secretFields: z.array(z.string()).describe('Fields of `input` that are write-only: they are shown nowhere again.'),
    steps: z
      .array(
        z
          .object({
            name: z.string().describe('The name of the step.'),
            description: z.string().describe('What it does.'),
          })
          .meta({ id: 'OperationTypeStep', description: 'A step of an operation type.' }),
      )
      .describe('The steps, in order.'),
    findings: z
      .array(
        z
          .object({
            code: z.string().describe('The code of the finding.'),
            description: z.string().describe('What it means.'),
          })
          .meta({ id: 'OperationTypeFinding', description: 'What the checks of an operation type can find.' }),
      )
      .describe('What the checks before the operation can find.'),
  })
  .meta({
    id: 'OperationType',
    description: 'A change that Pilothouse can make.',
  }) satisfies z.ZodType<OperationTypeView>;

export const operationTypeList = z
  .object({ items: z.array(operationType).describe('The operation types.') })
  .meta({ id: 'OperationTypeList', description: 'The changes that Pilothouse can make.' });

export const auditEvent = z
  .object({
    sequence: z.int().describe('The position in the chain, from 1, without gaps.'),
    at: instant.describe('When it was recorded.'),
    action: z.string().describe('What happened, such as `operation.accepted`.'),
    outcome: z
      .enum(['accepted', 'succeeded', 'failed', 'canceled', 'denied'])
      .meta({ id: 'AuditOutcome', description: 'How it came out.' })
      .describe('How it came out.'),
    principalId: z.string().describe('The id of who did it.'),
    principalName: z.string().describe('The name of who did it.'),
    operationId: z.string().nullable().describe('The operation that it belongs to.'),
    operationType: z.string().nullable().describe('The type of that operation.'),
    target: resourceTarget.nullable().describe('The object that it concerns.'),
    correlationId: z.string().describe('Joins the event with logs and operations.'),
    details: jsonObject.describe('What else is known; no secrets.'),
    previousHash: z.string().describe('The hash of the event before.'),
    hash: z.string().describe('Hexadecimal SHA-256 over this event and the hash before.'),
  })
  .meta({ id: 'AuditEvent', description: 'An entry of the audit log.' }) satisfies z.ZodType<AuditEventView>;

export const auditEventPage = z
  .object({ items: z.array(auditEvent).describe('The events, in the order of the chain.'), nextCursor })
  .meta({ id: 'AuditEventPage', description: 'A part of the audit log.' });

export const auditCheckpoint = z
  .object({
    sequence: z.int().describe('The last event that the checkpoint covers.'),
    at: instant.describe('When it was signed.'),
    hash: z.string().describe('The hash of that event.'),
    signature: z.string().describe('Ed25519 over the text of the checkpoint, base64.'),
    publicKey: z.string().describe('Base64 of the DER (SPKI) public key.'),
  })
  .meta({
    id: 'AuditCheckpoint',
    description: 'A signed point of the audit log.',
  }) satisfies z.ZodType<AuditCheckpointView>;

export const auditCheckpointPage = z
  .object({ items: z.array(auditCheckpoint).describe('The checkpoints.'), nextCursor })
  .meta({ id: 'AuditCheckpointPage', description: 'A part of the list of checkpoints.' });

export const readiness = z
  .object({
    status: z.literal('ready').describe('Always `ready`: otherwise the answer is a problem.'),
    checks: z
      .array(
        z
          .object({
            name: z.string().describe('What was checked.'),
            ok: z.boolean().describe('Whether it is in order.'),
            message: z.string().nullable().describe('What is wrong.'),
          })
          .meta({ id: 'ReadinessCheck', description: 'One check of readiness.' }),
      )
      .describe('What was checked.'),
  })
  .meta({ id: 'Readiness', description: 'Whether requests can be served.' });

export const clusterAccess = z
  .object({
    clusterUid: z.uuid().describe('The cluster.'),
    server: z.string().describe('Host and port of its API server.'),
    authentication: z.string().describe('How the kubeconfig proves who calls: `token`, `certificate` or `entra`.'),
    attachedBy: z.string().describe('Who attached it.'),
    attachedAt: instant.describe('When it was attached.'),
  })
  .meta({
    id: 'ClusterAccess',
    description: 'An attached kubeconfig, as far as it is shown.',
  }) satisfies z.ZodType<ClusterAccessView>;

export const attachedCluster = z
  .object({
    uid: z.uuid().describe('The uid by which inputs and queries name the cluster.'),
    id: z.string().describe('Its id.'),
    kind: z.string().describe('AttachedCluster.'),
    name: z.string().describe('Its name.'),
    server: z.string().describe('Host and port of its API server.'),
    kubernetesVersion: z.string().describe('The version of Kubernetes that it said it runs.'),
    authentication: z.string().describe('How the kubeconfig proves who calls: `token`, `certificate` or `entra`.'),
  })
  .meta({
    id: 'AttachedClusterSummary',
    description: 'A cluster that was attached.',
  }) satisfies z.ZodType<AttachedClusterView>;
