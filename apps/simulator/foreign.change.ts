import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import type { AzureState } from './azure.state.js';
import { ControlRequestError } from './control.request-error.js';
import { deterministicUuid } from './deterministic-id.js';
import { mergePatch, objectAt, omit, textAt } from './json-merge.js';
import { valueAt, withValueAt } from './json-path.js';
import { parentKeyOf, rootOf } from './resource.engine.js';
import type { ResourceEngine } from './resource.engine.js';
import { renderResource } from './resource.renderer.js';
import type { StoredResource } from './resource.store.js';

/** Who changes things behind everyone's back. */
const ACTOR = deterministicUuid('someone else');

export const foreignChangeSchema = z.strictObject({
  id: z.string(),
  /** `upsert` stores the body whole, `patch` merges it (null removes), `delete` takes the resource away. */
  operation: z.enum(['upsert', 'patch', 'delete']),
  body: z.record(z.string(), z.json()).optional(),
  /** The change is visible at once, but an operation runs on the resource for so long, in the state given. */
  longRunning: z.strictObject({ seconds: z.number().min(0), state: z.string().min(1).optional() }).optional(),
});

/** Changes that nobody asked for through ARM: no checks of the resource provider, no request in the log. */
export class ForeignChange {
  constructor(
    private readonly state: AzureState,
    private readonly engine: ResourceEngine,
  ) {}

  /** The resource afterwards, or null when it is gone. */
  apply(change: z.infer<typeof foreignChangeSchema>): JsonObject | null {
    const id = ArmId.tryParse(change.id);
    if (id === undefined) throw new ControlRequestError(400, `id: "${change.id}" is no ARM id.`);
    const descriptor = this.state.registry.find(id.type);
    if (descriptor === undefined) throw new ControlRequestError(400, `id: the type ${id.type} is not simulated.`);
    const body = change.body ?? {};
    for (const path of descriptor.derived ?? []) {
      if (valueAt(body, path) !== undefined) {
        throw new ControlRequestError(400, `body.${path}: is made from other resources; change those.`);
      }
    }
    const existing = this.state.resources.get(id.canonical);
    switch (change.operation) {
      case 'upsert':
        this.#upsert(id, body, change.longRunning);
        break;
      case 'patch':
        this.#write(id, mergePatch(required(existing, id).body, body), change.longRunning);
        break;
      case 'delete':
        this.#delete(id, required(existing, id), change.longRunning);
    }
    const after = this.state.resources.get(id.canonical);
    return after === undefined ? null : renderResource(after, descriptor, this.state.world);
  }

  #upsert(id: ArmId, body: JsonObject, longRunning: LongRunning): void {
    const parentKey = parentKeyOf(id);
    const hasHome =
      this.state.group(id.subscriptionId ?? '', id.resourceGroup ?? '') !== undefined &&
      (parentKey === undefined || this.state.resources.get(parentKey) !== undefined);
    if (!hasHome)
      throw new ControlRequestError(400, `id: the resource group or the parent of ${id.toString()} is missing.`);
    const clean = omit(body, ['id', 'name', 'type', 'eTag', 'systemData']);
    const stated = textAt(objectAt(clean, 'properties'), 'provisioningState') ?? 'Succeeded';
    this.#write(id, withValueAt(clean, 'properties.provisioningState', stated), longRunning);
  }

  #write(id: ArmId, body: JsonObject, longRunning: LongRunning): void {
    const state = longRunning?.state ?? 'Updating';
    const written = longRunning === undefined ? body : withValueAt(body, 'properties.provisioningState', state);
    this.engine.write(id, written, ACTOR, this.state.now);
    if (longRunning !== undefined) this.#start(id, 'update', state, longRunning.seconds, []);
  }

  #delete(id: ArmId, existing: StoredResource, longRunning: LongRunning): void {
    if (longRunning === undefined) {
      this.engine.remove([id.canonical], this.state.now);
      return;
    }
    const state = longRunning.state ?? 'Deleting';
    const body = withValueAt(existing.body, 'properties.provisioningState', state);
    this.engine.write(id, body, ACTOR, this.state.now);
    this.#start(id, 'delete', state, longRunning.seconds, [id.canonical]);
  }

  #start(id: ArmId, action: string, runningState: string, seconds: number, removes: string[]): void {
    this.engine.start({
      target: id,
      rootKey: rootOf(id),
      runningState,
      location: textAt(this.state.resources.get(rootOf(id))?.body, 'location') ?? 'global',
      action,
      seconds,
      settles: [id.canonical],
      finalState: 'Succeeded',
      removes,
      merges: [],
      result: 'nothing',
      retryAfterSeconds: undefined,
      runningNotice: undefined,
    });
  }
}

type LongRunning = z.infer<typeof foreignChangeSchema>['longRunning'];

function required(existing: StoredResource | undefined, id: ArmId): StoredResource {
  if (existing === undefined) throw new ControlRequestError(404, `There is no resource ${id.toString()}.`);
  return existing;
}
