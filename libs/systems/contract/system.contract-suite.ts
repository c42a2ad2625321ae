import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { z } from 'zod';
import { ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import { mutationField } from '#libs/kernel/kind-name.js';
import { parseResourceId } from '#libs/kernel/resource-id.js';
import type { ClusterWatcher, WatchBatch, WatchContext, WatchedCluster } from './cluster-watcher.js';
import type { CollectContext, CollectionOutcome } from './collector.js';
import { kindsOf } from './kind-definition.js';
import { HEALTH_STATES, OBSERVATION_SOURCES, RELATION_TYPES, type Observation } from './observation.js';
import { LARGEST_BATCH } from './observation-batch.js';
import type { OperationDefinition } from './operation-definition.js';
import { rawObject, rawText } from './raw-reader.js';
import type { ResourceTarget } from './resource-target.js';
import type { System } from './system.js';

/** A system over an outside that the test has made, in which something of every kind is there to be seen. */
export interface SystemWorld {
  system: System;
  /** What is there lies in this subscription. */
  subscriptionId: string;
  /** Objects of the system's kinds that are not there. */
  absent: readonly ResourceTarget[];
  /** Where its watchers see something of every kind that is theirs. */
  clusters?: readonly WatchedCluster[];
}

export interface SystemHarness {
  /** Kinds of other systems that relations and references lead to. */
  otherKinds: readonly string[];
  /** Kinds whose objects people tell Pilothouse of: no collector or watcher sees them. */
  toldKinds?: readonly string[];
  /** Raw properties by kind, one at least of each. */
  samples: Readonly<Record<string, readonly JsonObject[]>>;
  /** By operation type: an input that is good, as a caller writes it, and what its references resolve to. */
  operations: Readonly<Record<string, { input: JsonObject; references: Readonly<Record<string, ResourceTarget>> }>>;
  world(): SystemWorld;
}

export function targetOf(id: string, kind: string): ResourceTarget {
  return { id, kind, uid: parseResourceId(id).uid };
}

/** What every system has to keep to, whatever it is about. */
export function describeSystem(name: string, harness: SystemHarness): void {
  const { system } = harness.world();
  const kindNames = system.kinds.map((kind) => kind.name);
  const knownKinds = new Set([...kindNames, ...harness.otherKinds]);
  const call = { correlationId: 'contract', signal: new AbortController().signal };

  describe(`the contract of the system ${name}`, () => {
    describeEach(system.kinds)('kind $name', (kind) => {
      const samples = harness.samples[kind.name] ?? [];

      it('has a name, a description, and a sample to check it with', () => {
        expect(kind.name).toMatch(/^[A-Z][A-Za-z]+$/);
        expect(kind.description).toMatch(/\.$/);
        expect(samples.length).toBeGreaterThan(0);
      });

      it('documents every field, in the types that all surfaces can show', () => {
        expect(faultsOf(jsonSchemaOf(kind.properties), kind.name)).toEqual([]);
      });

      it('describes its samples completely', () => {
        for (const sample of samples) {
          expect(kind.properties.strict().parse(kind.describe(sample))).toEqual(kind.describe(sample));
        }
      });

      it('describes nothing at all', () => {
        expect(() => kind.properties.strict().parse(kind.describe({}))).not.toThrow();
      });

      it('describes any raw object, however wrong, in the promised shape', () => {
        const hostile = fc.oneof(
          fc.dictionary(fc.string(), fc.jsonValue()) as fc.Arbitrary<JsonObject>,
          ...samples.map((sample) => spoiled(sample)),
        );
        fc.assert(
          fc.property(hostile, (raw) => {
            kind.properties.strict().parse(kind.describe(raw));
          }),
          { numRuns: 300 },
        );
      });

      it('does not change what it describes', () => {
        for (const sample of samples) {
          const frozen = deepFrozen(structuredClone(sample));
          expect(() => kind.describe(frozen)).not.toThrow();
        }
      });

      it('has relations that lead somewhere, under names of their own', () => {
        const names = kind.relations.map((relation) => relation.name);
        expect(new Set([...names, ...Object.keys(kind.properties.shape)]).size).toBe(
          names.length + Object.keys(kind.properties.shape).length,
        );
        for (const relation of kind.relations) {
          expect(relation.name).toMatch(/^[a-z][A-Za-z]+$/);
          expect(relation.description).toMatch(/\.$/);
          expect(RELATION_TYPES).toContain(relation.type);
          expect([...knownKinds]).toEqual(expect.arrayContaining([...kindsOf(relation)]));
        }
      });
    });

    describe('collectors and watchers', () => {
      const kindsOfCollectors = system.collectors.flatMap((collector) => collector.kinds);

      it('cover every kind exactly once', () => {
        const watched = system.watchers.flatMap((watcher) => watcher.kinds);
        const told = harness.toldKinds ?? [];
        expect([...kindsOfCollectors, ...watched, ...told].sort()).toEqual([...kindNames].sort());
        for (const watcher of system.watchers) {
          const streamed = new Set(watcher.streams.flatMap((stream) => stream.kinds));
          expect([...streamed].sort()).toEqual([...watcher.kinds].sort());
          expect(new Set(watcher.streams.map((stream) => stream.name)).size).toBe(watcher.streams.length);
        }
      });

      it('have stable scopes of their own', () => {
        for (const collector of system.collectors) {
          const subscriptions = ['00000000-0000-0000-0000-00000000000A', '00000000-0000-0000-0000-00000000000b'];
          const scopes = collector.scopes(subscriptions);
          expect(collector.scopes(subscriptions)).toEqual(scopes);
          // The case of a subscription id varies; a second scope for it would sync everything twice.
          expect(collector.scopes(subscriptions.map((id) => id.toLowerCase()))).toEqual(scopes);
          expect(new Set(scopes.map((scope) => scope.key)).size).toBe(scopes.length);
          for (const scope of scopes) {
            expect(scope.collector).toBe(collector.name);
            expect(scope.key.startsWith(`${collector.name}:`)).toBe(true);
            for (const kind of scope.kinds) expect(collector.kinds).toContain(kind);
          }
        }
      });

      it('see something of every kind, in bounded batches of well-formed observations', async () => {
        const world = harness.world();
        const seen = new Set<string>();
        for (const collector of world.system.collectors) {
          for (const scope of collector.scopes([world.subscriptionId])) {
            const { batches, outcome } = await collected(collector.collect(scope, call));
            expect(outcome).toEqual({ state: 'complete' });
            for (const batch of batches) {
              expect(batch.length).toBeGreaterThan(0);
              expect(batch.length).toBeLessThanOrEqual(LARGEST_BATCH);
              expect(new Set(batch.map((observation) => observation.canonicalId)).size).toBe(batch.length);
              for (const observation of batch) {
                expect(collector.kinds).toContain(observation.kind);
                expectWellFormed(observation);
                seen.add(observation.kind);
              }
            }
          }
        }
        expect([...seen].sort()).toEqual([...kindsOfCollectors].sort());
      });

      it('see something of every kind inside clusters, and the same of each object when they look at it alone', async () => {
        const world = harness.world();
        const seen = new Set<string>();
        for (const watcher of world.system.watchers) {
          const clusters = world.clusters ?? [];
          for (const cluster of clusters.filter(({ kind }) => watcher.clusterKinds.includes(kind))) {
            for (const stream of watcher.streams) {
              for (const listed of await listedBy(watcher, cluster, stream.name, call)) {
                expect(stream.kinds).toContain(listed.kind);
                expect(listed).toMatchObject({ clusterUid: cluster.uid, source: 'WATCH' });
                expectWellFormed(listed, cluster);
                seen.add(listed.kind);
                const result = await watcher.observe(targetOf(listed.id, listed.kind), call);
                const alone =
                  result.state === 'present'
                    ? result.observations.find((observation) => observation.canonicalId === listed.canonicalId)
                    : undefined;
                expect(lasting(alone!)).toEqual(lasting(listed));
              }
            }
          }
        }
        expect([...seen].sort()).toEqual(system.watchers.flatMap((watcher) => watcher.kinds).sort());
      });

      it('give the same picture of an object when they look at it alone', async () => {
        const world = harness.world();
        for (const collector of world.system.collectors) {
          for (const scope of collector.scopes([world.subscriptionId])) {
            const { batches } = await collected(collector.collect(scope, call));
            for (const listed of batches.flat()) {
              const target = targetOf(listed.id, listed.kind);
              const result = await collector.observe(target, call);
              const alone =
                result.state === 'present'
                  ? result.observations.find((observation) => observation.canonicalId === listed.canonicalId)
                  : undefined;
              expect(alone).toMatchObject({ source: 'ARM' });
              expect(lasting(alone!)).toEqual(lasting(listed));
            }
          }
        }
      });

      it('say absent for what is not there, and nothing but a refusal for what is not theirs', async () => {
        const world = harness.world();
        for (const target of world.absent) {
          const observer = [...world.system.collectors, ...world.system.watchers].find((candidate) =>
            candidate.kinds.includes(target.kind),
          );
          await expect(observer?.observe(target, call)).resolves.toMatchObject({ state: 'absent' });
        }
        const foreign = targetOf(`/subscriptions/${world.subscriptionId}/resourceGroups/rg`, kindNames[0] ?? '');
        for (const observer of [...world.system.collectors, ...world.system.watchers]) {
          await expect(observer.observe(foreign, call)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
        }
      });
    });

    describe('advisors', () => {
      it('know about kinds of the system or that it deals with, and document the codes that they can give', () => {
        for (const advisor of system.advisors ?? []) {
          expect([...knownKinds]).toContain(advisor.kind);
          expect(Object.keys(advisor.codes).length).toBeGreaterThan(0);
          for (const [code, meaning] of Object.entries(advisor.codes)) {
            expect(code).toMatch(/^[A-Z][A-Z0-9_]+$/);
            expect(meaning).toMatch(/\.$/);
          }
        }
      });
    });

    describe('operations', () => {
      it('have types, and so mutations, of their own', () => {
        const fields = system.operations.map((operation) => mutationField(operation.type));
        expect(new Set(fields).size).toBe(fields.length);
      });

      describe.each(system.operations.map((operation) => ({ type: operation.type, operation })))(
        '$type',
        ({ operation }) => {
          const example = harness.operations[operation.type];
          const input = example === undefined ? {} : operation.input.parse(example.input);
          const references = example?.references ?? {};

          it('says what it is', () => {
            expect(example).toBeDefined();
            expect(operation.type).toMatch(/^[a-z][A-Za-z]*(\.[a-z][A-Za-z]*)+$/);
            expect(operation.title).not.toBe('');
            expect(operation.description).toMatch(/\.$/);
            expect(operation.permission).toMatch(/^[a-zA-Z]+(\/[a-zA-Z]+)+$/);
            expect(operation.timeoutSeconds).toBeGreaterThan(0);
          });

          it('documents its input, and refuses fields that it does not know', () => {
            expect(undocumentedIn(jsonSchemaOf(operation.input), operation.type)).toEqual([]);
            expect(jsonSchemaOf(operation.input)).toMatchObject({
              type: 'object',
              additionalProperties: false,
            });
            expect(operation.input.safeParse({ ...example?.input, surprise: 1 }).success).toBe(false);
          });

          it('documents its findings and steps', () => {
            for (const [code, meaning] of Object.entries(operation.findings)) {
              expect(code).toMatch(/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/);
              expect(meaning).toMatch(/\.$/);
            }
            const names = operation.steps.map((step) => step.name);
            expect(names.length).toBeGreaterThan(0);
            expect(new Set(names).size).toBe(names.length);
            for (const step of operation.steps) {
              expect(step.name).toMatch(/^[a-z]+(-[a-z]+)*$/);
              expect(step.description).toMatch(/\.$/);
            }
          });

          it('refers to resources of known kinds by fields that it has', () => {
            for (const [field, kinds] of Object.entries(operation.references)) {
              expect(Object.keys(operation.input.shape)).toContain(field);
              expect(kinds.length).toBeGreaterThan(0);
              for (const kind of kinds) expect(knownKinds).toContain(kind);
            }
          });

          it('has a target that follows from the input alone', () => {
            const frozen: typeof input = deepFrozen(structuredClone(input));
            const target = operation.target(frozen, deepFrozen(structuredClone(references)));
            expect(operation.target(frozen, references)).toEqual(target);
            expect([...knownKinds]).toContain(target.kind);
            const id = parseResourceId(target.id);
            expect(id.canonical).toBe(id instanceof ArmId ? target.id.toLowerCase() : target.id);
            // The names in a cluster keep their case.
            expect(target.lock).toBe(target.lock.startsWith('/') ? target.lock.toLowerCase() : target.lock);
          });

          it('locks the same however the ids are written', () => {
            const shouted = Object.fromEntries(
              Object.entries(references).map(([field, reference]) => [
                field,
                // The names in a cluster keep their case.
                { ...reference, id: reference.id.startsWith('/') ? reference.id.toUpperCase() : reference.id },
              ]),
            );
            expect(operation.target(input, shouted).lock).toBe(operation.target(input, references).lock);
          });

          it('refuses references to something else, or to nothing', () => {
            for (const field of Object.keys(operation.references)) {
              const elsewhere = targetOf(
                '/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg',
                'Other',
              );
              const { [field]: _left, ...missing } = references;
              expect(codeOf(() => operation.target(input, { ...references, [field]: elsewhere }))).toBe(
                'INVALID_REQUEST',
              );
              expect(codeOf(() => operation.target(input, missing))).toBe('INVALID_REQUEST');
            }
          });

          it('checks before it starts, reads only, and finds only what is documented', async () => {
            const world = harness.world();
            const fresh = world.system.operations.find((candidate) => candidate.type === operation.type)!;
            const findings = await fresh.preflight(contextOf(fresh, input, references, call.signal));
            for (const finding of findings) {
              expect(Object.keys(operation.findings)).toContain(finding.code);
              expect(finding.severity).not.toBe('error');
              expect(JSON.parse(JSON.stringify(finding.evidence))).toEqual(finding.evidence);
            }
          });
        },
      );
    });
  });
}

export function contextOf(
  operation: OperationDefinition,
  input: z.output<z.ZodObject>,
  references: Readonly<Record<string, ResourceTarget>>,
  signal: AbortSignal = new AbortController().signal,
) {
  const { id, kind } = operation.target(input, references);
  return {
    operationId: 'operation',
    correlationId: 'contract',
    input,
    references,
    target: targetOf(id, kind),
    secrets: {},
    outputs: {},
    signal,
  };
}

/** As `describe.each`, which refuses to have nothing to describe. */
function describeEach<T extends { name: string }>(
  items: readonly T[],
): (title: string, body: (item: T) => void) => void {
  return (title, body) => {
    for (const item of items) {
      describe(title.replace('$name', item.name), () => {
        body(item);
      });
    }
  };
}

/** What a watch tells until it has listed everything; it is then ended. */
export async function listedBy(
  watcher: ClusterWatcher,
  cluster: WatchedCluster,
  stream: string,
  call: CollectContext,
): Promise<Observation[]> {
  const observations: Observation[] = [];
  await watchUntil(watcher, cluster, stream, call, (batch) => {
    if (batch.batch !== 'page') return batch.batch === 'listed';
    expect(batch.observations.length).toBeGreaterThan(0);
    expect(batch.observations.length).toBeLessThanOrEqual(LARGEST_BATCH);
    observations.push(...batch.observations);
    return false;
  });
  return observations;
}

/** Watches until a batch is the one that was waited for, and ends the watch. */
export async function watchUntil(
  watcher: ClusterWatcher,
  cluster: WatchedCluster,
  stream: string,
  call: CollectContext,
  isLast: (batch: WatchBatch) => boolean,
): Promise<WatchBatch[]> {
  const end = new AbortController();
  const context: WatchContext = {
    ...call,
    signal: AbortSignal.any([call.signal, end.signal]),
    relistRequested: (signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
      }),
  };
  const batches: WatchBatch[] = [];
  try {
    for await (const batch of watcher.watch(cluster, stream, context)) {
      batches.push(batch);
      if (isLast(batch)) return batches;
    }
  } finally {
    end.abort();
  }
  return batches;
}

export async function collected(
  run: AsyncGenerator<Observation[], CollectionOutcome, void>,
): Promise<{ batches: Observation[][]; outcome: CollectionOutcome }> {
  const batches: Observation[][] = [];
  for (;;) {
    const next = await run.next();
    if (next.done === true) return { batches, outcome: next.value };
    batches.push(next.value);
  }
}

function expectWellFormed(observation: Observation, cluster?: WatchedCluster): void {
  const id = parseResourceId(observation.id);
  expect(observation.canonicalId).toBe(id.canonical);
  expect(observation.name).not.toBe('');
  expect(observation.location).toBe(observation.location === null ? null : canonicalLocation(observation.location));
  const subscriptionId = id instanceof ArmId ? id.subscriptionId?.toLowerCase() : cluster?.subscriptionId;
  expect(observation.subscriptionId).toBe(subscriptionId ?? null);
  expect(HEALTH_STATES).toContain(observation.health.state);
  expect(OBSERVATION_SOURCES).toContain(observation.source);
  expect(Number.isNaN(observation.observedAt.getTime())).toBe(false);
  expect(JSON.parse(JSON.stringify(observation.properties))).toEqual(observation.properties);
  for (const member of ['id', 'systemData']) expect(observation.properties).not.toHaveProperty(member);
  for (const relation of observation.relations) {
    expect([relation.from, relation.to]).toContain(observation.canonicalId);
    for (const end of [relation.from, relation.to]) expect(end).toBe(parseResourceId(end).canonical);
  }
}

/** What must not depend on how an object was found. */
function lasting(observation: Observation): Partial<Observation> {
  const { observedAt: _at, source: _source, etag: _etag, id: _id, resourceGroup, ...rest } = observation;
  return { ...rest, resourceGroup: resourceGroup?.toLowerCase() ?? null };
}

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof ControlError) return error.code;
    throw error;
  }
  return undefined;
}

function jsonSchemaOf(schema: z.ZodObject): JsonObject {
  // Through text, since the result is typed loosely and holds members that are no JSON.
  return JSON.parse(JSON.stringify(z.toJSONSchema(schema, { io: 'input' }))) as JsonObject;
}

/** The properties of an object schema that say nothing about themselves. */
function undocumentedIn(schema: JsonObject, path: string): string[] {
  return Object.entries(rawObject(schema, 'properties') ?? {})
    .filter(([, field]) => rawText(field, 'description') === null)
    .map(([name]) => `${path}.${name} has no description`);
}

/** Where the schema of a kind leaves what the surfaces are generated from, or says nothing about itself. */
function faultsOf(document: JsonObject, kind: string): string[] {
  const named = Object.entries(rawObject(document, '$defs') ?? {});
  return [[kind, document] as const, ...named].flatMap(([path, schema]) => {
    if (!isJsonObject(schema)) return [];
    const fields = Object.entries(rawObject(schema, 'properties') ?? {});
    const unshowable = fields
      .filter(([, field]) => !isShowable(field))
      .map(([name]) => `${path}.${name} cannot be shown`);
    return [...undocumentedIn(schema, path), ...unshowable];
  });
}

/** Scalars, named objects, records of texts, and lists of those; each may be null. */
function isShowable(schema: Json | undefined): boolean {
  if (!isJsonObject(schema)) return false;
  const choices = schema.anyOf;
  if (Array.isArray(choices)) {
    const [first, second] = choices;
    return choices.length === 2 && rawText(second, 'type') === 'null' && isShowable(first);
  }
  const types = [schema.type].flat().filter((type) => type !== 'null');
  switch (types.length === 1 ? types[0] : undefined) {
    case 'string':
    case 'integer':
    case 'number':
    case 'boolean':
      return true;
    case 'array':
      return isShowable(schema.items);
    case 'object':
      return rawText(schema, 'additionalProperties', 'type') === 'string';
    default:
      return typeof schema.$ref === 'string';
  }
}

/** The sample with one of its members, at any depth, replaced by any other JSON. */
function spoiled(sample: JsonObject): fc.Arbitrary<JsonObject> {
  const paths = pathsOf(sample);
  return fc.tuple(fc.constantFrom(...paths), fc.jsonValue()).map(([path, value]) => {
    const copy = structuredClone(sample);
    let holder: Json = copy;
    for (const key of path.slice(0, -1)) holder = (holder as JsonObject)[key] as Json;
    (holder as JsonObject)[path.at(-1) ?? ''] = value as Json;
    return copy;
  });
}

function pathsOf(value: Json, path: string[] = []): string[][] {
  if (!isJsonObject(value) && !Array.isArray(value)) return [path];
  const inner = Object.entries(value).flatMap(([key, member]) => pathsOf(member, [...path, key]));
  return path.length === 0 ? inner : [path, ...inner];
}

function deepFrozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const member of Object.values(value)) deepFrozen(member);
    Object.freeze(value);
  }
  return value;
}
