import type { Clock } from '#libs/kernel/clock.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import type { KubeCall } from './cluster-access.js';
import type { KubeOptions } from './kube.options.js';
import type { ApiResource } from './kubernetes-object.js';
import { SingleFlight } from './single-flight.js';

/** Everything at once where the server can, the classic answer where it cannot. */
export const DISCOVERY_ACCEPT = [
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList',
  'application/json',
].join(',');

export interface DiscoveryOptions {
  /** Reads a path with `DISCOVERY_ACCEPT`; undefined where the server has no such path. @throws ControlError */
  read(path: string, call: KubeCall): Promise<JsonObject | undefined>;
  clock: Clock;
  options: Pick<KubeOptions, 'discoveryLifetimeMs' | 'discoveryMissIntervalMs'>;
}

interface Reading {
  resources: ApiResource[];
  readAt: Date;
}

/** Which types a server serves. Read by parts, each kept for a while: the core, all groups, or single groups on old servers. */
export class Discovery {
  readonly #readings = new Map<string, Reading>();
  readonly #flights = new Map<string, SingleFlight<Reading>>();
  /** The server does not know aggregated discovery. */
  #isClassic = false;
  #generation = 0;

  constructor(private readonly parts: DiscoveryOptions) {}

  /** @throws ControlError when the server cannot be asked, or the reason of the call's signal. */
  async find(
    type: { group: string; version?: string; kind: string },
    call: KubeCall,
  ): Promise<ApiResource | undefined> {
    const part = this.#partOf(type.group);
    const kept = this.#readings.get(part);
    const age = kept === undefined ? Infinity : this.parts.clock.now().getTime() - kept.readAt.getTime();
    if (kept !== undefined && age < this.parts.options.discoveryLifetimeMs) {
      const found = firstOf(kept.resources, type);
      if (found !== undefined || age < this.parts.options.discoveryMissIntervalMs) return found;
    }
    await this.#read(part, call);
    // The first reading may have shown that the server has to be asked group by group.
    const actual = this.#partOf(type.group);
    const reading = this.#readings.get(actual) ?? (await this.#read(actual, call));
    return firstOf(reading.resources, type);
  }

  forget(): void {
    this.#generation++;
    this.#readings.clear();
    this.#flights.clear();
    this.#isClassic = false;
  }

  #partOf(group: string): string {
    if (group === '') return '/api';
    return this.#isClassic ? `/apis/${group}` : '/apis';
  }

  #read(part: string, call: KubeCall): Promise<Reading> {
    let flight = this.#flights.get(part);
    if (flight === undefined) {
      flight = new SingleFlight();
      this.#flights.set(part, flight);
    }
    return flight.join(async (signal) => {
      const generation = this.#generation;
      const readAt = this.parts.clock.now();
      const reading = { resources: await this.#resourcesOf(part, { ...call, signal }), readAt };
      if (generation === this.#generation) this.#readings.set(part, reading);
      return reading;
    }, call.signal);
  }

  async #resourcesOf(part: string, call: KubeCall): Promise<ApiResource[]> {
    const answer = await this.parts.read(part, call);
    if (answer === undefined) return [];
    if (answer.kind === 'APIGroupDiscoveryList') return aggregatedResources(answer);
    if (part === '/apis') {
      this.#isClassic = true;
      return [];
    }
    const versions = part === '/api' ? textsOf(answer.versions) : preferredFirst(answer);
    const resources: ApiResource[] = [];
    for (const version of versions) {
      const list = await this.parts.read(`${part}/${version}`, call);
      if (list !== undefined) {
        resources.push(...classicResources(list, part === '/api' ? '' : part.slice('/apis/'.length), version));
      }
    }
    return resources;
  }
}

function firstOf(
  resources: readonly ApiResource[],
  type: { group: string; version?: string; kind: string },
): ApiResource | undefined {
  return resources.find(
    ({ group, version, kind }) =>
      group === type.group && kind === type.kind && (type.version === undefined || version === type.version),
  );
}

/** In the order of the server, which prefers the first version of each group. */
function aggregatedResources(list: JsonObject): ApiResource[] {
  return objectsOf(list.items).flatMap((item) => {
    const group = textOf(isJsonObject(item.metadata) ? item.metadata.name : undefined);
    return objectsOf(item.versions).flatMap((entry) =>
      objectsOf(entry.resources).map((resource) => ({
        group,
        version: textOf(entry.version),
        kind: textOf(isJsonObject(resource.responseKind) ? resource.responseKind.kind : undefined),
        plural: textOf(resource.resource),
        namespaced: resource.scope === 'Namespaced',
        verbs: textsOf(resource.verbs),
        subresources: objectsOf(resource.subresources).map(({ subresource }) => textOf(subresource)),
      })),
    );
  });
}

function preferredFirst(group: JsonObject): string[] {
  const preferred = isJsonObject(group.preferredVersion) ? textOf(group.preferredVersion.version) : '';
  const versions = objectsOf(group.versions).map(({ version }) => textOf(version));
  return [...new Set([preferred, ...versions])].filter((version) => version !== '');
}

function classicResources(list: JsonObject, group: string, version: string): ApiResource[] {
  const entries = objectsOf(list.resources);
  return entries
    .filter(({ name }) => !textOf(name).includes('/'))
    .map((entry) => ({
      group,
      version,
      kind: textOf(entry.kind),
      plural: textOf(entry.name),
      namespaced: entry.namespaced === true,
      verbs: textsOf(entry.verbs),
      subresources: entries
        .map(({ name }) => textOf(name).split('/'))
        .flatMap(([plural, subresource]) =>
          plural === textOf(entry.name) && subresource !== undefined ? [subresource] : [],
        ),
    }));
}

function objectsOf(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
