import { z } from 'zod';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { rawInteger, rawMember, rawObjects, rawText } from '../contract/raw-reader.js';
import { isSidecar } from './pod-requests.js';
import { quantityMillis, quantityValue } from '../contract/resource-quantity.js';

export const toleration = z
  .object({
    key: z.string().nullable().describe('The key of the taints that are tolerated; null for every key.'),
    operator: z.string().nullable().describe('`Equal` (also where it is null) or `Exists`.'),
    value: z.string().nullable().describe('The value of the taints that are tolerated.'),
    effect: z.string().nullable().describe('The effect of the taints that are tolerated; null for every effect.'),
    seconds: z.int().nullable().describe('How long a `NoExecute` taint is tolerated; null for ever.'),
  })
  .meta({ id: 'KubernetesToleration', description: 'A taint of nodes that a pod accepts.' });

export function tolerationsOf(podSpec: Json | undefined): z.output<typeof toleration>[] {
  return rawObjects(podSpec, 'tolerations').map((entry) => ({
    key: rawText(entry, 'key'),
    operator: rawText(entry, 'operator'),
    value: rawText(entry, 'value'),
    effect: rawText(entry, 'effect'),
    seconds: rawInteger(entry, 'tolerationSeconds'),
  }));
}

const CONTAINER_ROLES = ['container', 'init', 'sidecar'] as const;

/** The fields that a container has wherever it is declared. */
export const containerFields = {
  name: z.string().nullable().describe('The name of the container.'),
  role: z
    .enum(CONTAINER_ROLES)
    .meta({ id: 'ContainerRole' })
    .describe('`init` for one that runs before the others, `sidecar` for one that starts before them and stays.'),
  image: z.string().nullable().describe('The image, as it was asked for.'),
  cpuRequestMillicores: z.number().nullable().describe('The CPU that is set aside, in thousandths of a core.'),
  memoryRequestBytes: z.number().nullable().describe('The memory that is set aside, in bytes.'),
  cpuLimitMillicores: z.number().nullable().describe('The CPU that it can take at most, in thousandths of a core.'),
  memoryLimitBytes: z.number().nullable().describe('The memory that it can take at most, in bytes.'),
};

export const declaredContainer = z
  .object(containerFields)
  .meta({ id: 'WorkloadContainer', description: 'A container that every pod of a workload has.' });

export type DeclaredContainer = z.output<typeof declaredContainer>;

/** The containers of a pod or of a pod template, those that start first first. */
export function containersOf(podSpec: Json | undefined): DeclaredContainer[] {
  return [
    ...rawObjects(podSpec, 'initContainers').map((entry) => declared(entry, isSidecar(entry) ? 'sidecar' : 'init')),
    ...rawObjects(podSpec, 'containers').map((entry) => declared(entry, 'container')),
  ];
}

function declared(container: JsonObject, role: DeclaredContainer['role']): DeclaredContainer {
  const resources = rawMember(container, 'resources');
  return {
    name: rawText(container, 'name'),
    role,
    image: rawText(container, 'image'),
    cpuRequestMillicores: quantityMillis(rawMember(resources, 'requests', 'cpu')),
    memoryRequestBytes: quantityValue(rawMember(resources, 'requests', 'memory')),
    cpuLimitMillicores: quantityMillis(rawMember(resources, 'limits', 'cpu')),
    memoryLimitBytes: quantityValue(rawMember(resources, 'limits', 'memory')),
  };
}

/** Each image once. */
export function imagesOf(containers: readonly DeclaredContainer[]): string[] {
  return [...new Set(containers.map(({ image }) => image).filter((image) => image !== null))];
}
