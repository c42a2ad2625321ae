import type { JsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject } from '../cluster.objects.js';
import { customColumns } from './custom-resource.columns.js';
import type { ServedResource } from './served.resource.js';
import { builtInColumns } from './table.columns.js';
import type { TableColumn } from './table.column.js';

/** How much of an object goes along with its row. */
export type IncludedObject = 'None' | 'Metadata' | 'Object';

export interface TableRequest {
  resource: ServedResource;
  /** In the version of the resource. */
  objects: readonly KubernetesObject[];
  /** Of the list. */
  metadata: JsonObject;
  include: IncludedObject;
  /** Decides the ages. */
  now: Date;
}

/** A `Table` of meta.k8s.io/v1: what `kubectl get` prints. */
export function renderTable({ resource, objects, metadata, include, now }: TableRequest): JsonObject {
  const columns: readonly TableColumn[] =
    resource.custom === undefined ? builtInColumns(resource.storage) : customColumns(resource.custom.columns);
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: columns.map(({ name, type, format, description, priority }) => ({
      name,
      type,
      format,
      description,
      priority,
    })),
    rows: objects.map((object) => ({
      cells: columns.map((column) => column.cell(object, now)),
      object: includedObject(object, include),
    })),
  };
}

function includedObject(object: KubernetesObject, include: IncludedObject): JsonObject | null {
  switch (include) {
    case 'None':
      return null;
    case 'Object':
      return object;
    case 'Metadata':
      return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
  }
}
