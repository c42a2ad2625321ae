import { ControlError } from '#libs/kernel/control-error.js';
import type { KubeCall } from '../cluster-access.js';
import type { ClusterClient } from '../cluster-client.js';
import { differenceOf } from './difference.js';
import type { ManifestOptions } from './manifest.check.js';
import { inInstallOrder } from './manifest.order.js';
import { problemOf, type ManifestEntry, type ParsedManifest, type SoundEntry } from './manifest.parser.js';
import { ManifestContents, placeDocuments, type PlacedDocument, type Placement } from './manifest.placement.js';
import type { FieldConflict, ManifestProblem } from './manifest-problem.js';
import { refusalOf } from './manifest.refusal.js';

export const DOCUMENT_OUTCOMES = [
  'created',
  'changed',
  'unchanged',
  /** The server did not take it. */
  'refused',
  /** Known to be faulty and left out, as was asked for. */
  'skipped',
  /** Something before it went wrong. */
  'not-attempted',
] as const;
export type DocumentOutcome = (typeof DOCUMENT_OUTCOMES)[number];

/** What became of one document. */
export interface DocumentReport {
  index: number;
  line: number;
  apiVersion: string | null;
  kind: string | null;
  namespace: string | null;
  name: string | null;
  outcome: DocumentOutcome;
  /** Of the problem, for `refused` and `skipped`. */
  code: string | null;
  message: string | null;
  conflicts: FieldConflict[];
  warnings: string[];
  /** As the server gave them, of what was applied. */
  uid: string | null;
  resourceVersion: string | null;
}

export type ApplicationTurn =
  /** Every document has a report. */
  | { turn: 'finished'; reports: DocumentReport[] }
  /** Run it again with the reports so far: the server is away, or has yet to serve a new kind. */
  | {
      turn: 'waiting';
      reports: DocumentReport[];
      reason: 'server' | 'definition' | 'stopped';
      message: string;
      retryAfterSeconds: number;
      problem: ControlError | undefined;
    }
  /** It cannot go on for a reason that no document is to blame for. */
  | { turn: 'broken'; reports: DocumentReport[]; error: ControlError };

export interface ApplicationOptions extends ManifestOptions {
  /** Whether the others are applied where one is faulty or refused. */
  onInvalid: 'refuse' | 'skip';
}

const DEFINITION_PAUSE_SECONDS = 2;
const SERVER_PAUSE_SECONDS = 10;

/**
 * Applies the documents in install order. It may be run again at any time, also after a crash: server-side apply of what
 * is there already changes nothing, and documents with a report that says applied are not sent a second time. What an
 * interrupted run had applied without being able to report it is `unchanged` then.
 */
export async function applyManifest(
  client: ClusterClient,
  manifest: ParsedManifest,
  options: ApplicationOptions,
  earlier: readonly DocumentReport[],
  call: KubeCall,
): Promise<ApplicationTurn> {
  const application = new Application(client, manifest, options, earlier, call);
  try {
    return await application.run();
  } catch (error) {
    const reports = application.reports();
    if (call.signal.aborted) {
      const message = 'The worker was stopped; another goes on.';
      return { turn: 'waiting', reports, reason: 'stopped', message, retryAfterSeconds: 0, problem: undefined };
    }
    if (!(error instanceof ControlError)) throw error;
    if (!error.retryable) return { turn: 'broken', reports, error };
    const retryAfterSeconds = error.retry.kind === 'after' ? error.retry.seconds : SERVER_PAUSE_SECONDS;
    const message = `Goes on when the cluster answers again: ${error.message}`;
    return { turn: 'waiting', reports, reason: 'server', message, retryAfterSeconds, problem: error };
  }
}

export function isApplied(outcome: DocumentOutcome): boolean {
  return outcome === 'created' || outcome === 'changed' || outcome === 'unchanged';
}

class Application {
  readonly #reports = new Map<number, DocumentReport>();
  readonly #contents: ManifestContents;

  constructor(
    private readonly client: ClusterClient,
    private readonly manifest: ParsedManifest,
    private readonly options: ApplicationOptions,
    earlier: readonly DocumentReport[],
    private readonly call: KubeCall,
  ) {
    this.#contents = new ManifestContents(manifest.entries, options.namespace);
    for (const report of earlier) this.#reports.set(report.index, report);
  }

  /** By the place in the manifest; documents that nothing is known of yet were not attempted. */
  reports(): DocumentReport[] {
    return this.manifest.entries.map(
      (entry) => this.#reports.get(entry.index) ?? reportOf(entry, { outcome: 'not-attempted' }),
    );
  }

  async run(): Promise<ApplicationTurn> {
    const placements = await placeDocuments(this.client, this.manifest.entries, this.options.namespace, this.call);
    const faulty = placements.filter((placed) => placed.placement === 'faulty');
    const refuses = this.options.onInvalid === 'refuse';
    for (const { entry } of faulty) {
      const outcome = refuses ? 'refused' : 'skipped';
      this.#reports.set(entry.index, reportOf(entry, { outcome, problem: entry.problems[0] }));
    }
    if (refuses && faulty.length > 0) return { turn: 'finished', reports: this.reports() };
    const sound = placements.flatMap((placed) => (placed.placement === 'faulty' ? [] : [soundPart(placed)]));
    for (const { entry, document } of inInstallOrder(sound)) {
      const known = this.#reports.get(entry.index);
      if (known !== undefined && known.outcome !== 'not-attempted') continue;
      const waiting = await this.#attempt(entry, document);
      if (waiting !== undefined) return waiting;
      if (refuses && this.#reports.get(entry.index)?.outcome === 'refused') break;
    }
    return { turn: 'finished', reports: this.reports() };
  }

  async #attempt(entry: SoundEntry, placed: PlacedDocument | undefined): Promise<ApplicationTurn | undefined> {
    const document = placed ?? (await this.#placeNow(entry));
    if (document === undefined) return undefined;
    if (document === 'not-served') return this.#wait(`The cluster does not serve ${entry.object.kind} yet.`);
    try {
      this.#reports.set(entry.index, await this.#apply(document));
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      const problem = refusalOf(error, entry);
      if (problem === undefined) throw error;
      if (this.#awaitsServiceAccount(error, document) || this.#awaitsDefinition(error, entry))
        return this.#wait(error.message);
      this.#refuse(entry, problem);
    }
    return undefined;
  }

  async #apply({ entry, resource, namespace, object }: PlacedDocument): Promise<DocumentReport> {
    const { force, fieldValidation } = this.options;
    const before = await this.client.get(resource, namespace, object.metadata.name, this.call);
    const result = await this.client.apply(resource, namespace, object, { force, fieldValidation }, this.call);
    const isSame = before !== undefined && differenceOf(before, result.object).length === 0;
    return reportOf(entry, {
      outcome: result.outcome === 'created' ? 'created' : isSame ? 'unchanged' : 'changed',
      namespace: namespace ?? null,
      warnings: result.warnings,
      uid: result.object.metadata.uid ?? null,
      resourceVersion: result.object.metadata.resourceVersion ?? null,
    });
  }

  /** For a document whose kind the manifest itself defines; undefined after it was refused. */
  async #placeNow(entry: SoundEntry): Promise<PlacedDocument | 'not-served' | undefined> {
    const [placed] = await placeDocuments(this.client, [entry], this.options.namespace, this.call);
    if (placed?.placement === 'placed') return placed.document;
    const problem = placed?.placement === 'faulty' ? placed.entry.problems[0] : undefined;
    const definition = this.#contents.definitionOf(entry.object);
    const made = definition === undefined ? undefined : this.#reports.get(definition.index);
    if (problem?.code === 'KIND_NOT_SERVED' && made !== undefined && isApplied(made.outcome)) return 'not-served';
    const message = `The definition of ${entry.object.kind} was not applied.`;
    this.#refuse(entry, problem ?? problemOf(entry, 'KIND_NOT_SERVED', message, '.apiVersion'));
    return undefined;
  }

  /** A new namespace has its service account a moment later, and takes no pods before. */
  #awaitsServiceAccount(error: ControlError, { namespace }: PlacedDocument): boolean {
    if (namespace === undefined || !/serviceaccount "[^"]*" not found/.test(error.message)) return false;
    const maker = this.#contents.namespaceNamed(namespace);
    return maker !== undefined && this.#reports.get(maker.index)?.outcome === 'created';
  }

  /** A new kind is told of in discovery a moment before it is served. */
  #awaitsDefinition(error: ControlError, { object }: SoundEntry): boolean {
    const definition = this.#contents.definitionOf(object);
    if (error.code !== 'KUBERNETES_NOT_FOUND' || definition === undefined) return false;
    return this.#reports.get(definition.index)?.outcome === 'created';
  }

  #refuse(entry: SoundEntry, problem: ManifestProblem): void {
    this.#reports.set(entry.index, reportOf(entry, { outcome: 'refused', problem }));
  }

  #wait(message: string): ApplicationTurn {
    const retryAfterSeconds = DEFINITION_PAUSE_SECONDS;
    return {
      turn: 'waiting',
      reports: this.reports(),
      reason: 'definition',
      message,
      retryAfterSeconds,
      problem: undefined,
    };
  }
}

/** What is left to do for an entry; without a document where its kind is not served yet. */
function soundPart(placed: Exclude<Placement, { placement: 'faulty' }>) {
  const { entry } = placed.placement === 'placed' ? placed.document : placed;
  const document = placed.placement === 'placed' ? placed.document : undefined;
  return { entry, document, index: entry.index, object: entry.object };
}

function reportOf(
  entry: ManifestEntry,
  known: Pick<DocumentReport, 'outcome'> &
    Partial<Pick<DocumentReport, 'namespace' | 'warnings' | 'uid' | 'resourceVersion'>> & {
      problem?: ManifestProblem | undefined;
    },
): DocumentReport {
  const { index, line, apiVersion, kind, name } = entry;
  const { outcome, problem, namespace = entry.namespace, warnings = [], uid = null, resourceVersion = null } = known;
  return {
    index,
    line,
    apiVersion,
    kind,
    namespace,
    name,
    outcome,
    code: problem?.code ?? null,
    message: problem?.message ?? null,
    conflicts: problem?.conflicts ?? [],
    warnings,
    uid,
    resourceVersion,
  };
}
