import type { ControlError, ControlErrorCode } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { problemOf, type ManifestEntry } from './manifest.parser.js';
import type { FieldConflict, ManifestProblem } from './manifest-problem.js';

/** Under which the fields that Pilothouse sets are ours. */
const OURSELVES = 'pilothouse';

/**
 * What a server's refusal says about the document that it was asked to take; undefined where the refusal is not about the
 * document (the server cannot be reached, does not know us, …).
 */
export function refusalOf(
  error: ControlError,
  entry: Pick<ManifestEntry, 'index' | 'line'>,
): ManifestProblem | undefined {
  // It would pass, but only when whoever deletes the namespace is done with it.
  if (
    error.violations.some(({ code }) => code === 'NamespaceTerminating') ||
    error.message.includes('being terminated')
  ) {
    return problemOf(entry, 'NAMESPACE_TERMINATING', error.message, '.metadata.namespace', remedyOf(error));
  }
  if (error.retryable) return undefined;
  switch (error.code) {
    case 'KUBERNETES_CONFLICT':
      return conflictOf(error, entry);
    case 'KUBERNETES_FORBIDDEN':
      return problemOf(entry, 'DOCUMENT_FORBIDDEN', error.message, '', remedyOf(error));
    case 'KUBERNETES_NOT_FOUND':
      return /\bnamespaces? "/.test(error.message)
        ? problemOf(entry, 'NAMESPACE_NOT_FOUND', error.message, '.metadata.namespace', {
            remedy: 'Add the Namespace to the manifest, or make it first.',
          })
        : problemOf(entry, 'REFERENCE_NOT_FOUND', error.message);
    case 'KUBERNETES_REJECTED':
    case 'PAYLOAD_TOO_LARGE':
      return rejectionOf(error, entry);
    default:
      return undefined;
  }
}

/** The code that an operation fails with for a problem of a document. */
export function errorCodeOf(code: string | null): ControlErrorCode {
  switch (code) {
    case 'FIELD_CONFLICT':
    case 'NAMESPACE_TERMINATING':
      return 'KUBERNETES_CONFLICT';
    case 'DOCUMENT_FORBIDDEN':
      return 'KUBERNETES_FORBIDDEN';
    case 'KIND_NOT_SERVED':
    case 'NAMESPACE_NOT_FOUND':
    case 'REFERENCE_NOT_FOUND':
      return 'KUBERNETES_NOT_FOUND';
    default:
      return 'KUBERNETES_REJECTED';
  }
}

function conflictOf(error: ControlError, entry: Pick<ManifestEntry, 'index' | 'line'>): ManifestProblem {
  const conflicts = fieldConflictsOf(error);
  if (conflicts.length === 0) return problemOf(entry, 'DOCUMENT_REFUSED', error.message, '', remedyOf(error));
  const who = conflicts.map(({ manager, fields }) => `${nameOf(manager)} manages ${fields.join(', ')}`).join('; ');
  const remedy = 'Leave these fields out of the manifest, or apply with force to take them over.';
  return { ...problemOf(entry, 'FIELD_CONFLICT', `${who}.`, '', { remedy }), conflicts };
}

/** A field that another operation has set belongs to that, as if somebody else had set it. */
function nameOf(manager: string): string {
  return manager === OURSELVES ? 'Another operation of Pilothouse (such as kubernetes.workload.scale)' : manager;
}

/** Which fields others manage, by manager. */
export function fieldConflictsOf(error: ControlError): FieldConflict[] {
  const byManager = new Map<string, string[]>();
  for (const { code, message, path } of error.violations) {
    if (code !== 'FieldManagerConflict') continue;
    const manager = /"([^"]*)"/.exec(message)?.[1] ?? message;
    byManager.set(manager, [...(byManager.get(manager) ?? []), path]);
  }
  return [...byManager].map(([manager, fields]) => ({ manager, fields }));
}

function rejectionOf(error: ControlError, entry: Pick<ManifestEntry, 'index' | 'line'>): ManifestProblem {
  const faults = error.violations.map(({ path, message, code }) => ({ field: path, message, reason: code ?? null }));
  const [first] = error.violations;
  // Servers write fields with a dot before them or without.
  const isField = error.violations.length === 1 && first !== undefined && /^\.?[a-z]/.test(first.path);
  const field = isField ? `.${first.path.replace(/^\./, '')}` : '';
  const evidence: JsonObject = { reason: error.externalCode ?? null, faults };
  return problemOf(entry, 'DOCUMENT_REFUSED', error.message, field, { evidence, ...guardRailRemedy(error) });
}

/** What the guard rails of a hub keep for others to do, in the words of its webhooks (Azure/fleet). */
function guardRailRemedy(error: ControlError): { remedy?: string } {
  if (error.message.includes('not allowed to modify labels through hub cluster directly')) {
    return { remedy: 'The labels of a member are changed through Azure: with fleet.member.join and its labels.' };
  }
  return remedyOf(error);
}

function remedyOf(error: ControlError): { remedy?: string } {
  return error.remedy === undefined ? {} : { remedy: error.remedy };
}
