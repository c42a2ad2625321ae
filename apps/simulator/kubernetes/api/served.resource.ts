import { formatApiVersion } from '../schema/group-version-kind.js';
import type { PrinterColumn } from './printer.column.js';

/** How the names of a kind's objects are checked. */
export type NameRule = 'dns-label' | 'dns-1035-label' | 'dns-subdomain' | 'path-segment';

/** A path below an object: `status`, `scale`, `pods/log`. */
export interface ServedSubresource {
  name: string;
  kind: string;
  /** Only where the kind lives in another group than the resource. */
  group?: string;
  version?: string;
  verbs: readonly string[];
}

/** Paths of member names inside an object. */
export interface ScalePaths {
  specReplicas: readonly string[];
  statusReplicas: readonly string[];
  /** Of a label selector, as an object or as text. */
  selector: readonly string[] | undefined;
}

/** One resource in one API version, as discovery tells it. */
export interface ServedResource {
  group: string;
  version: string;
  plural: string;
  singular: string;
  kind: string;
  listKind: string;
  namespaced: boolean;
  shortNames: readonly string[];
  categories: readonly string[];
  verbs: readonly string[];
  subresources: readonly ServedSubresource[];
  /** Under which name its objects are stored: versions of one kind share it. As `ObjectEvent.resource`. */
  storage: string;
  /** The apiVersion in which they are stored. */
  storageApiVersion: string;
  /** What bumps `metadata.generation`; `absent-at-first` begins at the first change. */
  generation: 'none' | 'spec' | 'spec-and-annotations' | 'absent-at-first';
  /** Where the scale subresource reads and writes; undefined where there is none. */
  scale: ScalePaths | undefined;
  /** Nothing is stored: a POST computes an answer (access reviews). */
  virtual: boolean;
  nameRule: NameRule;
  /** Only custom resources: their objects name apiVersion and kind in lists, unlike typed ones. */
  custom: { columns: readonly PrinterColumn[]; selectableFields: readonly string[] } | undefined;
}

export function apiVersionOf({ group, version }: { group: string; version: string }): string {
  return formatApiVersion(group, version);
}

export function hasSubresource(resource: ServedResource, name: string): boolean {
  return resource.subresources.some((subresource) => subresource.name === name);
}
