import { describe, expect, it } from '@jest/globals';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import { hubDefinitions } from '../definitions/fleet.definitions.js';
import { applyDefaults } from './defaulting.js';
import { prune, validateObject } from './field.validation.js';
import { parseApiVersion, type GroupVersionKind } from './group-version-kind.js';
import { applyJsonPatch } from './json-patch.js';
import { trackUpdate } from './managed-fields.js';
import { applyMergePatch } from './merge-patch.js';
import { textIn } from './object.members.js';
import { PatchError } from './patch.error.js';
import { RECORDINGS_ARE_HERE, WHY_SKIPPED, recording } from './recordings.harness.js';
import { SchemaCatalog } from './schema.catalog.js';
import { serverSideApply, type ApplyOutcome } from './server-side-apply.js';
import { applyStrategicMergePatch } from './strategic-merge-patch.js';
import type { StructuralSchema } from './structural.schema.js';

const catalog = new SchemaCatalog();
for (const definition of hubDefinitions()) catalog.addDefinition(definition);

function kindOf(object: JsonObject): GroupVersionKind {
  return { ...parseApiVersion(textIn(object, 'apiVersion')), kind: textIn(object, 'kind') };
}

function schemaOf(object: JsonObject): StructuralSchema {
  const { group, version, kind } = kindOf(object);
  return catalog.find(group, version, kind)!;
}

function requestBody(name: string): JsonObject {
  return recording(name).request.body as JsonObject;
}

const SERVER_FIELDS = ['uid', 'resourceVersion', 'creationTimestamp', 'generation', 'managedFields', 'namespace'];

/** What only the server sets is left out of the comparison. */
function withoutServerFields(object: JsonObject): JsonObject {
  const metadata = Object.entries(object.metadata as JsonObject).filter(([key]) => !SERVER_FIELDS.includes(key));
  return { ...object, metadata: Object.fromEntries(metadata) };
}

function managedFieldsOf(object: JsonObject): JsonObject[] {
  return ((object.metadata as JsonObject).managedFields ?? []) as JsonObject[];
}

function timeOf(name: string): string {
  const last = managedFieldsOf(recording(name).response.body).at(-1);
  return textIn(last, 'time');
}

const suite = RECORDINGS_ARE_HERE ? describe : describe.skip;

suite(RECORDINGS_ARE_HERE ? 'as a real API server was recorded' : WHY_SKIPPED, () => {
  describe('creates', () => {
    const creates: { name: string; reason: string; strategy?: Partial<Record<string, JsonObject>> }[] = [
      {
        name: 'kubernetes-1.32/12',
        reason: 'the label of a namespace is owned, its finalizer and phase are not',
        strategy: { spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } },
      },
      { name: 'kubernetes-1.32/66', reason: 'data of a secret is owned key by key' },
      { name: 'kubernetes-1.32/67', reason: 'roleRef and subjects are owned as a whole' },
      { name: 'kubernetes-1.32/68', reason: 'defaults of a storage class belong to its creator' },
      { name: 'kubernetes-1.32/70', reason: 'a list that is a set is owned value by value' },
      { name: 'fleet-hub/07', reason: 'a custom resource starts from nothing: its spec itself is owned' },
      { name: 'fleet-hub/16', reason: 'unknown fields are dropped, defaults of a definition are owned' },
      { name: 'fleet-hub/24', reason: 'an object without content has no managers' },
      { name: 'fleet-hub/25', reason: 'a member of a member' },
      { name: 'fleet-hub/26', reason: 'an empty object is owned as such' },
    ];
    it.each(creates)('$name: $reason', ({ name, strategy = {} }) => {
      const body = requestBody(name);
      const schema = schemaOf(body);
      const after = applyDefaults(kindOf(body), schema, prune(schema, body).object);
      expect(validateObject(kindOf(body), schema, after, undefined, undefined)).toEqual([]);
      const { response } = recording(name);
      const tracked = trackUpdate({
        schema,
        before: undefined,
        after,
        manager: 'python-requests',
        operation: 'Update',
        time: timeOf(name),
        apiVersion: textIn(body, 'apiVersion'),
        subresource: undefined,
      });
      expect(managedFieldsOf(tracked)).toEqual(managedFieldsOf(response.body));
      expect({ ...withoutServerFields(tracked), ...strategy }).toEqual(withoutServerFields(response.body));
    });

    it('names the unknown field of the old shape', () => {
      const body = requestBody('fleet-hub/16');
      expect(prune(schemaOf(body), body).unknownFields).toEqual([
        'spec.policy.affinity.clusterAffinity.clusterSelectorTerms',
      ]);
    });
  });

  describe('refusals', () => {
    const refusals: { name: string; reason: string }[] = [
      { name: 'fleet-hub/09', reason: 'above the maximum' },
      { name: 'fleet-hub/14', reason: 'missing, and rules that are then not checked' },
      { name: 'fleet-hub/15', reason: 'none of the words allowed, and rules that are then not checked' },
      { name: 'kubernetes-1.32/30', reason: 'selector, name and image of a deployment' },
    ];
    it.each(refusals)('$name: $reason', ({ name }) => {
      const body = requestBody(name);
      const schema = schemaOf(body);
      const causes = validateObject(kindOf(body), schema, applyDefaults(kindOf(body), schema, body), undefined, '');
      expect(causes).toEqual((recording(name).response.body.details as JsonObject).causes);
    });

    const changes: { name: string; live: string; reason: string }[] = [
      { name: 'fleet-hub/18', live: 'fleet-hub/13', reason: 'a rule that compares with the old value' },
      { name: 'fleet-hub/19', live: 'fleet-hub/13', reason: 'a rule of the parent of what is removed' },
    ];
    it.each(changes)('$name: $reason', ({ name, live }) => {
      const body = requestBody(name);
      const before = recording(live).response.body;
      const applied = applyAs('recorder', body, before, false);
      if (applied.outcome !== 'applied') throw new Error(applied.outcome);
      const schema = schemaOf(body);
      const after = applyDefaults(kindOf(body), schema, applied.object);
      expect(validateObject(kindOf(body), schema, after, before, '')).toEqual(
        (recording(name).response.body.details as JsonObject).causes,
      );
    });

    it('kubernetes-1.32/69: parameters of a storage class stay', () => {
      const before = recording('kubernetes-1.32/68').response.body;
      const after = applyMergePatch(before, requestBody('kubernetes-1.32/69'));
      expect(validateObject(kindOf(before), schemaOf(before), after, before, undefined)).toEqual(
        (recording('kubernetes-1.32/69').response.body.details as JsonObject).causes,
      );
    });

    it('kubernetes-1.32/38: a test that does not hold', () => {
      const live = recording('kubernetes-1.32/37').response.body;
      expect(() => applyJsonPatch(live, recording('kubernetes-1.32/38').request.body)).toThrow(
        expect.objectContaining({ name: PatchError.name, fault: 'test-failed' }),
      );
    });
  });

  function applyAs(manager: string, body: JsonObject, live: JsonObject | undefined, force: boolean): ApplyOutcome {
    return serverSideApply({
      schema: schemaOf(body),
      live,
      applied: body,
      manager,
      force,
      time: '2026-11-21T08:00:59Z',
      apiVersion: textIn(body, 'apiVersion'),
      subresource: undefined,
    });
  }

  describe('applies', () => {
    it.each([
      { name: 'kubernetes-1.32/25', reason: 'a deployment: keys with defaults, atomic maps and lists' },
      { name: 'fleet-hub/13', reason: 'a custom resource: defaults are not owned' },
    ])('$name creates: $reason', ({ name }) => {
      const body = requestBody(name);
      const outcome = applyAs('recorder', body, undefined, false);
      if (outcome.outcome !== 'applied') throw new Error(outcome.outcome);
      const { body: recorded } = recording(name).response;
      const [mine, theirs] = [managedFieldsOf(outcome.object), managedFieldsOf(recorded)];
      expect(mine.map(({ time, ...entry }) => entry)).toEqual(theirs.map(({ time, ...entry }) => entry));
      const defaulted = applyDefaults(kindOf(body), schemaOf(body), outcome.object);
      expect(withoutServerFields(defaulted)).toEqual({
        ...withoutServerFields(recorded),
        ...(isJsonObject(defaulted.status) ? { status: defaulted.status } : {}),
      });
    });

    it('kubernetes-1.32/26: the same again changes nothing', () => {
      const live = recording('kubernetes-1.32/26').response.body;
      const outcome = applyAs('recorder', requestBody('kubernetes-1.32/26'), live, false);
      expect(outcome).toEqual({ outcome: 'applied', object: live });
      expect(outcome.outcome === 'applied' && outcome.object).toBe(live);
    });

    it('kubernetes-1.32/27: what is not applied any more goes', () => {
      const live = recording('kubernetes-1.32/26').response.body;
      const outcome = applyAs('recorder', requestBody('kubernetes-1.32/27'), live, false);
      const recorded = recording('kubernetes-1.32/27').response.body;
      if (outcome.outcome !== 'applied') throw new Error(outcome.outcome);
      const defaulted = applyDefaults(kindOf(live), schemaOf(live), outcome.object);
      expect(defaulted.spec).toEqual(recorded.spec);
      expect(managedFieldsOf(defaulted)).toEqual(managedFieldsOf(recorded));
    });

    it('kubernetes-1.32/28: somebody else owns the replicas', () => {
      const live = recording('kubernetes-1.32/26').response.body;
      const outcome = applyAs('someone-else', requestBody('kubernetes-1.32/28'), live, false);
      expect(outcome).toMatchObject({
        outcome: 'conflict',
        conflicts: [{ manager: 'recorder', field: '.spec.replicas' }],
      });
    });

    it('kubernetes-1.32/29: force takes them over', () => {
      const live = recording('kubernetes-1.32/26').response.body;
      const outcome = applyAs('someone-else', requestBody('kubernetes-1.32/29'), live, true);
      const recorded = recording('kubernetes-1.32/29').response.body;
      if (outcome.outcome !== 'applied') throw new Error(outcome.outcome);
      expect(managedFieldsOf(outcome.object)).toEqual(managedFieldsOf(recorded));
      expect(outcome.object.spec).toEqual(recorded.spec);
    });

    it('kubernetes-1.32/31: a field that the schema does not know', () => {
      const outcome = applyAs('recorder', requestBody('kubernetes-1.32/31'), undefined, false);
      const message = textIn(recording('kubernetes-1.32/31').response.body, 'message');
      expect(outcome.outcome === 'untyped' && message.endsWith(`: ${outcome.message}`)).toBe(true);
    });
  });

  describe('patches', () => {
    const patches: { name: string; live: string; strategic: boolean; subresource: string; reason: string }[] = [
      {
        name: 'kubernetes-1.32/37',
        live: 'kubernetes-1.32/36',
        strategic: true,
        subresource: '',
        reason: 'an environment variable of a container by its name; the entry of the manager grows',
      },
      {
        name: 'kubernetes-1.32/71',
        live: 'kubernetes-1.32/70',
        strategic: false,
        subresource: '',
        reason: 'a field that the manager owns already',
      },
      {
        name: 'fleet-hub/11',
        live: 'fleet-hub/07',
        strategic: false,
        subresource: 'status',
        reason: 'the status of a custom resource has an entry of its own',
      },
      {
        name: 'fleet-hub/20',
        live: 'fleet-hub/13',
        strategic: false,
        subresource: 'status',
        reason: 'beside an applier',
      },
    ];
    it.each(patches)('$name: $reason', ({ name, live, strategic, subresource }) => {
      const before = recording(live).response.body;
      const schema = schemaOf(before);
      const patch = requestBody(name);
      const changed = strategic ? applyStrategicMergePatch(schema, before, patch) : applyMergePatch(before, patch);
      const after = applyDefaults(kindOf(before), schema, changed);
      const recorded = recording(name).response.body;
      expect(validateObject(kindOf(before), schema, after, before, subresource)).toEqual([]);
      const tracked = trackUpdate({
        schema,
        before,
        after,
        manager: 'python-requests',
        operation: 'Update',
        time: timeOf(name),
        apiVersion: textIn(before, 'apiVersion'),
        subresource,
      });
      expect(tracked.spec).toEqual(recorded.spec);
      expect(managedFieldsOf(tracked)).toEqual(managedFieldsOf(recorded));
    });
  });
});
