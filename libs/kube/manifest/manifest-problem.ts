import type { JsonObject } from '#libs/kernel/json.js';

/** What can be wrong with a manifest or one of its documents, and what each code means. */
export const MANIFEST_PROBLEMS = {
  MANIFEST_EMPTY: 'The manifest holds no object.',
  MANIFEST_TOO_LARGE: 'The manifest is larger than what is taken at once.',
  TOO_MANY_DOCUMENTS: 'The manifest has more documents than what is taken at once.',
  MALFORMED_DOCUMENT: 'The document is neither YAML nor JSON.',
  DOCUMENT_TOO_COMPLEX: 'The document is nested too deeply, or grows too large where its aliases are put in.',
  UNSUPPORTED_VALUE: 'The document holds a value that JSON, and so Kubernetes, cannot hold.',
  NOT_AN_OBJECT: 'The document is not an object.',
  API_VERSION_INVALID: 'The document has no apiVersion, or one that cannot be.',
  KIND_INVALID: 'The document has no kind, or one that cannot be.',
  NAME_MISSING: 'The document has no metadata.name.',
  NAME_INVALID: 'Kubernetes would refuse the name.',
  NAME_GENERATED: 'The document leaves the name to the server (generateName): it cannot be applied.',
  NAMESPACE_INVALID: 'Kubernetes would refuse the namespace.',
  DUPLICATE_DOCUMENT: 'The manifest holds the object a second time.',
  SECRET_IN_MANIFEST: 'The document is a Secret with its values: the manifest is kept in the record of the operation.',
  OUTDATED_FLEET_API: 'The document is written for an API of Fleet Manager that is no longer served.',
  OUTDATED_PLACEMENT_SHAPE:
    'The placement chooses its clusters in the old shape: a hub drops the selector and places on every member.',
  POD_ON_HUB: 'A fleet hub runs no pods: it refuses them, and ReplicaSets.',
  KIND_NOT_SERVED: 'The cluster does not serve this kind in this version.',
  NAMESPACE_NOT_ALLOWED: 'Objects of this kind belong to the whole cluster, not to a namespace.',
  NAMESPACE_NOT_FOUND: 'The namespace is not there, and the manifest does not make it.',
  NAMESPACE_TERMINATING: 'The namespace is being deleted and takes no new objects.',
  REFERENCE_NOT_FOUND: 'The cluster does not know something that the document needs.',
  FIELD_CONFLICT: 'Fields of the object were given other values by somebody else, who manages them since.',
  DOCUMENT_FORBIDDEN:
    'The cluster does not allow this to the identity of Pilothouse, or one of its policies denies it.',
  DOCUMENT_REFUSED: 'The cluster does not accept the document.',
} as const satisfies Record<string, string>;

export type ManifestProblemCode = keyof typeof MANIFEST_PROBLEMS;

/** Fields that another manager owns. */
export interface FieldConflict {
  manager: string;
  fields: string[];
}

export interface ManifestProblem {
  /** Which document; null where it is the manifest as a whole. */
  index: number | null;
  code: ManifestProblemCode;
  /** What exactly is wrong. No values of secrets. */
  message: string;
  /** `documents[2].metadata.name`; `''` for the whole. */
  path: string;
  /** In the manifest, from 1; null where it is not known. */
  line: number | null;
  /** What the problem rests on, beyond the message. */
  evidence: JsonObject;
  /** Of a FIELD_CONFLICT. */
  conflicts?: FieldConflict[];
  remedy?: string;
}

export function documentPath(index: number, field = ''): string {
  return `documents[${index}]${field}`;
}
