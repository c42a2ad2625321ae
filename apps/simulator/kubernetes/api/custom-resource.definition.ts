import { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject } from '../cluster.objects.js';
import { formatApiVersion } from '../schema/group-version-kind.js';
import { printerColumnSchema } from './printer.column.js';
import type { ScalePaths, ServedResource, ServedSubresource } from './served.resource.js';

const VERBS = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];
const SUBRESOURCE_VERBS = ['get', 'patch', 'update'];

const scaleSchema = z.object({
  specReplicasPath: z.string(),
  statusReplicasPath: z.string(),
  labelSelectorPath: z.string().optional(),
});

const definitionSchema = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    group: z.string(),
    scope: z.enum(['Namespaced', 'Cluster']),
    names: z.object({
      plural: z.string(),
      singular: z.string().optional(),
      kind: z.string(),
      listKind: z.string().optional(),
      shortNames: z.array(z.string()).optional(),
      categories: z.array(z.string()).optional(),
    }),
    versions: z
      .array(
        z.object({
          name: z.string(),
          served: z.boolean(),
          storage: z.boolean(),
          subresources: z.object({ status: z.unknown().optional(), scale: scaleSchema.optional() }).nullish(),
          additionalPrinterColumns: z.array(printerColumnSchema).optional(),
          selectableFields: z.array(z.object({ jsonPath: z.string() })).optional(),
        }),
      )
      .min(1),
  }),
});

export type ParsedDefinition =
  | { outcome: 'parsed'; name: string; resources: ServedResource[] }
  | { outcome: 'malformed'; field: string; message: string };

/** The resources that a CustomResourceDefinition brings, newest version first as discovery lists them. */
export function parseDefinition(definition: JsonObject): ParsedDefinition {
  const parsed = definitionSchema.safeParse(definition);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    return { outcome: 'malformed', field: issue.path.join('.'), message: issue.message };
  }
  const { metadata, spec } = parsed.data;
  const { names, group } = spec;
  const stored = spec.versions.find((version) => version.storage);
  if (stored === undefined)
    return {
      outcome: 'malformed',
      field: 'spec.versions',
      message: 'must have exactly one version marked as storage version',
    };
  const resources = spec.versions
    .filter((version) => version.served)
    .sort((one, other) => compareVersions(one.name, other.name))
    .map((version): ServedResource => {
      const subresources: ServedSubresource[] = [];
      if (version.subresources?.status !== undefined)
        subresources.push({ name: 'status', kind: names.kind, verbs: SUBRESOURCE_VERBS });
      if (version.subresources?.scale !== undefined)
        subresources.push({
          name: 'scale',
          kind: 'Scale',
          group: 'autoscaling',
          version: 'v1',
          verbs: SUBRESOURCE_VERBS,
        });
      return {
        group,
        version: version.name,
        plural: names.plural,
        singular: names.singular ?? names.kind.toLowerCase(),
        kind: names.kind,
        listKind: names.listKind ?? `${names.kind}List`,
        namespaced: spec.scope === 'Namespaced',
        shortNames: names.shortNames ?? [],
        categories: names.categories ?? [],
        verbs: VERBS,
        subresources,
        storage: `${names.plural}.${group}`,
        storageApiVersion: formatApiVersion(group, stored.name),
        generation: 'spec',
        scale: scalePaths(version.subresources?.scale),
        virtual: false,
        nameRule: 'dns-subdomain',
        custom: {
          columns: version.additionalPrinterColumns ?? [
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
          selectableFields: (version.selectableFields ?? []).map((field) => field.jsonPath.replace(/^\./, '')),
        },
      };
    });
  return { outcome: 'parsed', name: metadata.name, resources };
}

function scalePaths(scale: z.infer<typeof scaleSchema> | undefined): ScalePaths | undefined {
  if (scale === undefined) return undefined;
  const members = (path: string): string[] => path.split('.').filter((member) => member !== '');
  return {
    specReplicas: members(scale.specReplicasPath),
    statusReplicas: members(scale.statusReplicasPath),
    selector: scale.labelSelectorPath === undefined ? undefined : members(scale.labelSelectorPath),
  };
}

const VERSION_PATTERN = /^v(\d+)(?:(alpha|beta)(\d+))?$/;

/** v2, v1, v1beta1, v1alpha1: released before beta before alpha, newer before older. */
export function compareVersions(one: string, other: string): number {
  const [first, second] = [VERSION_PATTERN.exec(one), VERSION_PATTERN.exec(other)];
  if (first === null || second === null) {
    if (first === null && second === null) return one < other ? -1 : 1;
    return first === null ? 1 : -1;
  }
  const ranks = [first, second].map(([, major, stage, minor]) => [
    stage === undefined ? 2 : stage === 'beta' ? 1 : 0,
    Number(major),
    Number(minor ?? 0),
  ]);
  for (let index = 0; index < 3; index++) {
    const difference = ranks[1]![index]! - ranks[0]![index]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** What the server adds to a definition that it accepts: names, conditions and the versions that are stored. */
export function establishedStatus(definition: KubernetesObject, time: string): JsonObject {
  const { names, versions } = definition.spec as unknown as {
    names: { kind: string; singular?: string; listKind?: string };
    versions: { name: string; storage: boolean }[];
  };
  return {
    conditions: [
      {
        type: 'NamesAccepted',
        status: 'True',
        lastTransitionTime: time,
        reason: 'NoConflicts',
        message: 'no conflicts found',
      },
      {
        type: 'Established',
        status: 'True',
        lastTransitionTime: time,
        reason: 'InitialNamesAccepted',
        message: 'the initial names have been accepted',
      },
    ],
    acceptedNames: {
      ...names,
      singular: names.singular ?? names.kind.toLowerCase(),
      listKind: names.listKind ?? `${names.kind}List`,
    },
    storedVersions: versions.filter((version) => version.storage).map((version) => version.name),
  };
}
