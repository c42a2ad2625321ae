import { z } from 'zod';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import { Secret } from '#libs/kernel/secret.js';
import { assertNever } from '#libs/kernel/assert-never.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import type { Kube } from '#libs/kube/kube.js';
import { boundedMap } from '#libs/kube/manifest/bounded-map.js';
import { differenceOf } from '#libs/kube/manifest/difference.js';
import { isFleetHub, isHeldOnHub } from '#libs/kube/manifest/fleet-hub.js';
import {
  applyManifest,
  DOCUMENT_OUTCOMES,
  isApplied,
  type ApplicationOptions,
  type DocumentReport,
} from '#libs/kube/manifest/manifest.application.js';
import { checkManifest, MOST_AT_A_TIME, type CheckedDocument } from '#libs/kube/manifest/manifest.check.js';
import { LARGEST_MANIFEST, parseManifest } from '#libs/kube/manifest/manifest.parser.js';
import { placeDocuments, readManifest } from '#libs/kube/manifest/manifest.placement.js';
import { documentPath, MANIFEST_PROBLEMS, type ManifestProblem } from '#libs/kube/manifest/manifest-problem.js';
import { errorCodeOf, refusalOf } from '#libs/kube/manifest/manifest.refusal.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter, type FindingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { resourceReference } from '../contract/resource-reference.js';
import { CLUSTER_KINDS, referencedCluster } from './kubernetes-reference.js';

const APPLY_STEP = 'apply';
/** A new kind is served within seconds of its definition. */
const MOST_DEFINITION_WAITS = 60;
/** So that the report is given before the time of the operation is over. */
const MOST_SERVER_WAITS = 100;
/** Of a value in a plan, as JSON text. */
const LONGEST_SHOWN_VALUE = 4000;
/** Stands for the applying of manifests to a cluster, which has no object of its own there. */
const MANIFESTS = { group: 'pilothouse.dev', kind: 'Manifest', name: 'apply' };
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

const applyInput = z.strictObject({
  cluster: resourceReference(
    'The cluster to apply the manifest to: an AKS cluster, a connected cluster, a fleet (its hub) or an attached one',
  ),
  manifest: z
    .string()
    .min(1)
    .max(LARGEST_MANIFEST)
    .describe(
      'What shall be there: YAML of one or more documents, or JSON. At most 1 MiB. It is kept in the record of the operation, so Secrets with their values are refused.',
    ),
  namespace: z
    .string()
    .regex(DNS_LABEL, 'must be a namespace: up to 63 lower-case letters, digits and hyphens')
    .optional()
    .describe('The namespace of objects that say none; `default` where absent.'),
  force: z
    .boolean()
    .default(false)
    .describe('Whether fields that somebody else manages are taken over; without it they are a conflict.'),
  fieldValidation: z
    .enum(['Strict', 'Warn', 'Ignore'])
    .default('Strict')
    .describe('What fields that the cluster does not know, or that occur twice, are: an error, a warning or nothing.'),
  onInvalid: z
    .enum(['refuse', 'skip'])
    .default('refuse')
    .describe('With `refuse`, one bad document and nothing is applied; with `skip`, the others are.'),
});
type ApplyInput = z.output<typeof applyInput>;

const applyFindings = {
  ...MANIFEST_PROBLEMS,
  HELD_ON_HUB: 'A hub only holds workloads: they run nowhere until a placement brings them to members of the fleet.',
  CHECKED_LATER: 'Documents stand on others of the manifest: the last check is made when those are there.',
  SERVER_WARNING: 'The cluster takes the document with a warning.',
  NOTHING_TO_CHANGE: 'Everything is there already as the manifest wants it.',
} as const satisfies Record<string, string>;

const documentReport = z.object({
  index: z.int(),
  line: z.int(),
  apiVersion: z.string().nullable(),
  kind: z.string().nullable(),
  namespace: z.string().nullable(),
  name: z.string().nullable(),
  outcome: z.enum(DOCUMENT_OUTCOMES),
  code: z.string().nullable(),
  message: z.string().nullable(),
  conflicts: z.array(z.object({ manager: z.string(), fields: z.array(z.string()) })),
  warnings: z.array(z.string()),
  uid: z.string().nullable(),
  resourceVersion: z.string().nullable(),
}) satisfies z.ZodType<DocumentReport>;

const applyOutput = z.object({ documents: z.array(documentReport) });
/** What a step that waits has done so far. */
const applyProgress = applyOutput.extend({ definitionWaits: z.int(), serverWaits: z.int() });
type ApplyProgress = z.output<typeof applyProgress>;

export function applyManifestOperation(kube: Kube): OperationDefinition<typeof applyInput> {
  return {
    type: 'kubernetes.manifest.apply',
    title: 'Apply a manifest',
    description:
      'Brings the objects of a manifest into the state that it describes, by server-side apply. What goes wrong with one document is said for that document.',
    permission: 'kubernetes/manifests/write',
    input: applyInput,
    references: { cluster: CLUSTER_KINDS },
    timeoutSeconds: 3600,
    findings: applyFindings,
    target(input, references) {
      const { uid, id, kind } = referencedCluster(references, 'cluster');
      refuseSecrets(input.manifest);
      // A thing of its own, not the cluster: node pools may change meanwhile, but no two manifests.
      const lock = KubernetesId.of({ ...MANIFESTS, clusterUid: uid, namespace: undefined }).canonical;
      return { id, kind, lock };
    },
    preflight: (context) => preflightApply(kube, context),
    plan: (context) => planApply(kube, context),
    steps: [
      {
        name: APPLY_STEP,
        description: 'Applies the documents one after the other, what others stand on first.',
        run: (context) => runApply(kube, context),
      },
    ],
    verify: (context) => verifyApply(kube, context),
  };
}

/** Before anything is stored: an operation that fails its checks keeps its input too. */
function refuseSecrets(text: string): void {
  // Escapes could spell the word in other letters.
  if (!text.includes('Secret') && !text.includes('\\')) return;
  const problems = parseManifest(text).entries.flatMap((entry) =>
    entry.verdict === 'faulty' ? entry.problems.filter((problem) => problem.code === 'SECRET_IN_MANIFEST') : [],
  );
  if (problems.length === 0) return;
  const remedy = problems[0]?.remedy;
  throw new ControlError('INVALID_REQUEST', MANIFEST_PROBLEMS.SECRET_IN_MANIFEST, {
    violations: problems.map(({ path, code, message }) => ({ path: `input.manifest.${path}`, message, code })),
    ...(remedy === undefined ? {} : { remedy }),
  });
}

async function preflightApply(kube: Kube, context: OperationContext<ApplyInput>): Promise<Finding[]> {
  const { input } = context;
  const findings: Finding[] = [];
  const say = findingReporter(applyFindings, findings);
  const manifest = readManifest(input.manifest, input.namespace);
  for (const problem of manifest.problems) say(problem.code, 'error', evidenceOf(problem), problem.remedy);
  if (manifest.problems.length > 0) return findings;
  const client = clusterOf(kube, context);
  const checked = await checkManifest(client, manifest, optionsOf(input), context);
  const sound = checked.filter((document) => document.state !== 'faulty');
  for (const document of checked) {
    if (document.state !== 'faulty') continue;
    for (const problem of document.problems) {
      const isLeftOut = input.onInvalid === 'skip' && sound.length > 0 && problem.code !== 'SECRET_IN_MANIFEST';
      const evidence = { ...identityOf(document), ...evidenceOf(problem) };
      say(problem.code, isLeftOut ? 'warning' : 'error', evidence, problem.remedy);
    }
  }
  judgeSound(sound, await isFleetHub(client, context), say);
  return findings;
}

function judgeSound(
  sound: readonly Exclude<CheckedDocument, { state: 'faulty' }>[],
  onHub: boolean,
  say: FindingReporter<keyof typeof applyFindings>,
): void {
  for (const document of sound) {
    const { warnings } = document;
    if (warnings.length > 0) say('SERVER_WARNING', 'warning', { ...identityOf(document), warnings });
  }
  const later = sound.filter((document) => document.state === 'later');
  if (later.length > 0) {
    say('CHECKED_LATER', 'info', {
      documents: later.map((document) => ({ ...identityOf(document), reason: document.reason })),
    });
  }
  const held = sound.filter(({ entry, namespace }) => onHub && isHeldOnHub(entry.object, namespace ?? ''));
  if (held.length > 0) {
    const remedy = 'Place them with a ClusterResourcePlacement that selects their namespace.';
    say('HELD_ON_HUB', 'info', { documents: held.map(identityOf) }, remedy);
  }
  const isSettled = sound.every(
    (document) => document.state === 'ready' && document.live !== undefined && document.difference.length === 0,
  );
  if (sound.length > 0 && isSettled) say('NOTHING_TO_CHANGE', 'info', { documents: sound.length });
}

async function planApply(kube: Kube, context: OperationContext<ApplyInput>): Promise<Json> {
  const { input } = context;
  const manifest = readManifest(input.manifest, input.namespace);
  const client = clusterOf(kube, context);
  const checked = await checkManifest(client, manifest, optionsOf(input), context);
  return { documents: checked.map(plannedDocument) };
}

function plannedDocument(document: CheckedDocument): JsonObject {
  const identity = identityOf(document);
  switch (document.state) {
    case 'faulty': {
      const [problem] = document.problems;
      const { code = null, message = null } = problem ?? {};
      return { ...identity, action: 'refused', code, message, difference: [], warnings: [] };
    }
    case 'later': {
      const { reason, warnings } = document;
      return { ...identity, action: 'later', code: null, message: reason, difference: [], warnings };
    }
    case 'ready': {
      const { live, difference, warnings } = document;
      const action = live === undefined ? 'create' : difference.length === 0 ? 'none' : 'change';
      const shown = difference.map(({ path, before, after }) => ({ path, before: short(before), after: short(after) }));
      return { ...identity, action, code: null, message: null, difference: shown, warnings };
    }
  }
}

function short(value: Json): Json {
  const { length } = JSON.stringify(value);
  return length <= LONGEST_SHOWN_VALUE ? value : `[${length} characters]`;
}

async function runApply(kube: Kube, context: StepContext<ApplyInput>): Promise<StepOutcome> {
  const { input } = context;
  const manifest = readManifest(input.manifest, input.namespace);
  const client = clusterOf(kube, context);
  const options: ApplicationOptions = { ...optionsOf(input), onInvalid: input.onInvalid };
  const progress = progressOf(context.resumeToken);
  const turn = await applyManifest(client, manifest, options, progress.documents, context);
  const output = { documents: turn.reports } satisfies z.output<typeof applyOutput>;
  switch (turn.turn) {
    case 'finished':
      return finishedOutcome(turn.reports, input.onInvalid);
    case 'broken':
      return { outcome: 'failed', error: withAccount(turn.error, turn.reports), output: asJson(output) };
    case 'waiting': {
      const next: ApplyProgress = {
        ...output,
        definitionWaits: progress.definitionWaits + (turn.reason === 'definition' ? 1 : 0),
        serverWaits: turn.reason === 'server' ? progress.serverWaits + 1 : 0,
      };
      if (next.definitionWaits > MOST_DEFINITION_WAITS || next.serverWaits > MOST_SERVER_WAITS) {
        const error = turn.problem ?? new ControlError('KUBERNETES_TIMEOUT', turn.message);
        return { outcome: 'failed', error: withAccount(error, turn.reports), output: asJson(output) };
      }
      const resumeToken = new Secret(JSON.stringify(next));
      return { outcome: 'wait', message: turn.message, retryAfterSeconds: turn.retryAfterSeconds, resumeToken };
    }
    default:
      return assertNever(turn);
  }
}

function finishedOutcome(reports: DocumentReport[], onInvalid: ApplyInput['onInvalid']): StepOutcome {
  const output = asJson({ documents: reports });
  const refused = reports.filter(({ outcome }) => outcome === 'refused' || outcome === 'skipped');
  const applied = reports.filter(({ outcome }) => isApplied(outcome));
  const [first] = refused;
  if (first === undefined || (onInvalid === 'skip' && applied.length > 0)) {
    return { outcome: 'done', message: accountOf(reports), output };
  }
  const error = new ControlError(errorCodeOf(first.code), first.message ?? 'The cluster did not take a document.', {
    violations: refused.map(({ index, code, message }) => ({
      path: documentPath(index),
      message: message ?? 'The cluster did not take it.',
      ...(code === null ? {} : { code }),
    })),
    ...(first.code === null ? {} : { externalCode: first.code }),
  });
  return { outcome: 'failed', error: withAccount(error, reports), output };
}

/** The same error, saying what was done before it. */
function withAccount(error: ControlError, reports: readonly DocumentReport[]): ControlError {
  const { remedy, violations, externalCode } = error;
  return new ControlError(error.code, `${error.message} ${accountOf(reports)}`, {
    violations: [...violations],
    cause: error,
    ...(remedy === undefined ? {} : { remedy }),
    ...(externalCode === undefined ? {} : { externalCode }),
  });
}

/** `Of 3 documents: 2 created, 1 refused.` */
function accountOf(reports: readonly DocumentReport[]): string {
  const counts = DOCUMENT_OUTCOMES.flatMap((outcome) => {
    const count = reports.filter((report) => report.outcome === outcome).length;
    return count === 0 ? [] : [`${count} ${outcome}`];
  });
  return `Of ${reports.length} documents: ${counts.join(', ')}.`;
}

function progressOf(token: Secret | undefined): ApplyProgress {
  if (token === undefined) return { documents: [], definitionWaits: 0, serverWaits: 0 };
  return applyProgress.parse(JSON.parse(token.reveal()));
}

async function verifyApply(kube: Kube, context: OperationContext<ApplyInput>): Promise<Verification> {
  const { input } = context;
  const reports = applyOutput.parse(context.outputs[APPLY_STEP]).documents;
  const applied = new Map(reports.filter(({ outcome }) => isApplied(outcome)).map((report) => [report.index, report]));
  const manifest = readManifest(input.manifest, input.namespace);
  const entries = manifest.entries.filter(({ index }) => applied.has(index));
  const client = clusterOf(kube, context);
  const placements = await placeDocuments(client, entries, input.namespace, context);
  const faults = await boundedMap(placements, MOST_AT_A_TIME, async (placed): Promise<string | undefined> => {
    if (placed.placement !== 'placed') return `The cluster does not serve the kind of a document any more.`;
    const { entry, resource, namespace, object } = placed.document;
    const what = `${object.kind} ${object.metadata.name}`;
    const live = await client.get(resource, namespace, object.metadata.name, context);
    if (live === undefined) return `${what} is not there any more.`;
    const { uid = null, resourceVersion, deletionTimestamp } = live.metadata;
    if (uid !== applied.get(entry.index)?.uid) return `${what} is another object now.`;
    if (deletionTimestamp !== undefined) return `${what} is being deleted.`;
    // As it was applied: what admission has changed in it is no change by somebody else.
    if (resourceVersion !== undefined && resourceVersion === applied.get(entry.index)?.resourceVersion)
      return undefined;
    try {
      const options = { dryRun: true, force: true, fieldValidation: input.fieldValidation };
      const wanted = await client.apply(resource, namespace, object, options, context);
      const fields = differenceOf(live, wanted.object, { within: object }).map(({ path }) => path);
      return fields.length === 0 ? undefined : `${what} was changed by somebody else: ${fields.join(', ')}.`;
    } catch (error) {
      // That a document cannot be tried any more does not undo that it was applied.
      if (error instanceof ControlError && refusalOf(error, entry) !== undefined) return undefined;
      throw error;
    }
  });
  const missed = faults.filter((fault) => fault !== undefined);
  if (missed.length > 0) return { verdict: 'missed', message: missed.join(' ') };
  const count = (outcomes: readonly string[]): number =>
    reports.filter((each) => outcomes.includes(each.outcome)).length;
  return {
    verdict: 'reached',
    result: asJson({
      documents: reports,
      applied: applied.size,
      changed: count(['created', 'changed']),
      leftOut: count(['refused', 'skipped', 'not-attempted']),
    }),
    // The watch of the cluster brings them at once.
    observations: [],
    absent: [],
  };
}

function clusterOf(kube: Kube, { references }: Pick<OperationContext<ApplyInput>, 'references'>): ClusterClient {
  return kube.cluster(referencedCluster(references, 'cluster'));
}

function optionsOf(input: ApplyInput) {
  const { namespace, force, fieldValidation } = input;
  return { namespace, force, fieldValidation };
}

function identityOf(document: CheckedDocument): JsonObject {
  const { index, line, apiVersion, kind, namespace, name } = document.entry;
  const place = document.state === 'faulty' ? namespace : (document.namespace ?? null);
  return { document: index, path: documentPath(index), line, apiVersion, kind, namespace: place, name };
}

function evidenceOf({ path, message, line, conflicts, evidence }: ManifestProblem): JsonObject {
  return {
    ...evidence,
    path,
    detail: message,
    line,
    ...(conflicts === undefined ? {} : { conflicts: conflicts.map(({ manager, fields }) => ({ manager, fields })) }),
  };
}

function asJson(value: { documents: DocumentReport[] } & Record<string, unknown>): Json {
  // Through text: interfaces are not known to be JSON to the compiler.
  return JSON.parse(JSON.stringify(value)) as Json;
}
