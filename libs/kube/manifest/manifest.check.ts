import { ControlError } from '#libs/kernel/control-error.js';
import type { KubeCall } from '../cluster-access.js';
import type { ClusterClient, WriteOptions } from '../cluster-client.js';
import type { KubernetesObject } from '../kubernetes-object.js';
import { boundedMap } from './bounded-map.js';
import type { FieldDifference } from '#libs/kernel/json-difference.js';
import { differenceOf } from './difference.js';
import { problemOf, type ManifestEntry, type ParsedManifest, type SoundEntry } from './manifest.parser.js';
import { ManifestContents, placeDocuments, type PlacedDocument } from './manifest.placement.js';
import type { ManifestProblem } from './manifest-problem.js';
import { refusalOf } from './manifest.refusal.js';

/** Documents that are tried at the same time. */
export const MOST_AT_A_TIME = 4;
/** Is there on every cluster: where objects are tried whose own namespace is still to be made. */
const STAND_IN_NAMESPACE = 'default';

export interface ManifestOptions {
  /** For objects that say none; `default` without it. */
  namespace: string | undefined;
  /** Take over fields that others manage. */
  force: boolean;
  fieldValidation: NonNullable<WriteOptions['fieldValidation']>;
}

/** What a server says of one document before anything is done. */
export type CheckedDocument =
  | {
      state: 'ready';
      entry: SoundEntry;
      namespace: string | undefined;
      live: KubernetesObject | undefined;
      /** What the object would be; nothing of the difference is a secret. */
      difference: FieldDifference[];
      warnings: string[];
    }
  /** It stands on something that the manifest makes first: the last word is said when that is there. */
  | { state: 'later'; entry: SoundEntry; namespace: string | undefined; reason: string; warnings: string[] }
  | { state: 'faulty'; entry: ManifestEntry; problems: ManifestProblem[] };

/**
 * Has the server try every document without storing anything. What stands on a namespace or a definition that the manifest
 * itself brings is tried as far as that is possible without them.
 * @throws ControlError when the server cannot be asked.
 */
export async function checkManifest(
  client: ClusterClient,
  manifest: ParsedManifest,
  options: ManifestOptions,
  call: KubeCall,
): Promise<CheckedDocument[]> {
  const contents = new ManifestContents(manifest.entries, options.namespace);
  const placements = await placeDocuments(client, manifest.entries, options.namespace, call);
  return boundedMap(placements, MOST_AT_A_TIME, async (placed): Promise<CheckedDocument> => {
    switch (placed.placement) {
      case 'faulty':
        return { state: 'faulty', entry: placed.entry, problems: placed.entry.problems };
      case 'undefined-yet': {
        const { entry } = placed;
        const reason = 'The manifest defines the kind; the document is checked when it is served.';
        return { state: 'later', entry, namespace: entry.namespace ?? undefined, reason, warnings: [] };
      }
      case 'placed':
        return tryDocument(client, placed.document, contents, options, call);
    }
  });
}

async function tryDocument(
  client: ClusterClient,
  document: PlacedDocument,
  contents: ManifestContents,
  options: ManifestOptions,
  call: KubeCall,
): Promise<CheckedDocument> {
  const { entry, resource, namespace, object } = document;
  const { force, fieldValidation } = options;
  try {
    const live = await client.get(resource, namespace, object.metadata.name, call);
    const tried = await client.apply(resource, namespace, object, { dryRun: true, force, fieldValidation }, call);
    const difference = differenceOf(live, tried.object);
    return { state: 'ready', entry, namespace, live, difference, warnings: tried.warnings };
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    const problem = refusalOf(error, entry);
    if (problem === undefined) throw error;
    if (problem.code === 'NAMESPACE_NOT_FOUND' && namespace !== undefined && contents.namespaceNamed(namespace)) {
      return tryElsewhere(client, document, options, call);
    }
    if (problem.code === 'REFERENCE_NOT_FOUND' && contents.makesRoleOf(entry)) {
      const reason = 'The manifest makes the role that it binds; the document is checked when that is there.';
      return { state: 'later', entry, namespace, reason, warnings: [] };
    }
    if (/does not support dry run/i.test(error.message)) {
      const reason = 'A webhook of the cluster cannot be asked without doing it; the document is checked when applied.';
      return { state: 'later', entry, namespace, reason, warnings: [] };
    }
    return { state: 'faulty', entry, problems: [problem] };
  }
}

/**
 * Tries a document, whose namespace is still to be made, as a new object of another namespace. Only faults of the document
 * itself count: what that other namespace allows says nothing.
 */
async function tryElsewhere(
  client: ClusterClient,
  { entry, resource, namespace, object }: PlacedDocument,
  options: ManifestOptions,
  call: KubeCall,
): Promise<CheckedDocument> {
  const warnings: string[] = [];
  const problems: ManifestProblem[] = [];
  for (const verb of ['create', 'patch']) {
    const question = { verb, group: resource.group, resource: resource.plural };
    const answer = await client.mayI({ ...question, ...(namespace === undefined ? {} : { namespace }) }, call);
    if (answer.allowed) continue;
    const message = `Pilothouse may not ${verb} ${resource.plural} in the namespace.`;
    problems.push(problemOf(entry, 'DOCUMENT_FORBIDDEN', message, '', { evidence: { reason: answer.reason } }));
    break;
  }
  try {
    const elsewhere = { ...object, metadata: { ...object.metadata, namespace: STAND_IN_NAMESPACE } };
    const { fieldValidation } = options;
    const tried = await client.create(resource, STAND_IN_NAMESPACE, elsewhere, { dryRun: true, fieldValidation }, call);
    warnings.push(...tried.warnings);
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    const problem = refusalOf(error, entry);
    if (problem === undefined) throw error;
    const ofPolicy = error.externalCode === 'Forbidden' || /denied the request|denied by/i.test(error.message);
    if (problem.code === 'DOCUMENT_REFUSED' && error.code !== 'KUBERNETES_CONFLICT' && !ofPolicy)
      problems.push(problem);
  }
  if (problems.length > 0) return { state: 'faulty', entry, problems };
  const reason = 'The manifest makes its namespace; the document is checked again when that is there.';
  return { state: 'later', entry, namespace, reason, warnings };
}
