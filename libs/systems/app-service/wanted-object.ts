import type { ArmId } from '#libs/kernel/arm-id.js';
import { canonicalLocation } from '#libs/kernel/arm-id.js';
import { assertNever } from '#libs/kernel/assert-never.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import { reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { memberObject } from '#libs/azure/raw-change.js';
import type { Observation } from '../contract/observation.js';
import type { StepContext, StepOutcome, Verification } from '../contract/operation-definition.js';
import { provisioningPhase, type ProvisioningPhase } from '../contract/provisioning-state.js';
import { rawText } from '../contract/raw-reader.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import type { AppServiceClient } from './app-service.client.js';
import { recognising, type FailureScene } from './app-service.failures.js';

type Call = Pick<StepContext<unknown>, 'correlationId' | 'signal'>;
type Found = Extract<ArmReading, { state: 'found' }>;

/** An object that is to be there, as ARM is asked for it. */
export interface WantedObject {
  /** For messages: `The environment e1`. */
  what: string;
  id: ArmId;
  /** Made when it is needed: parts of it are read from other objects. */
  body(): Promise<JsonObject>;
  /** What of an object that is there cannot be changed to what is wanted, as evidence. */
  difference(body: JsonObject): JsonObject | undefined;
  /** What of a settled object is still to be changed; undefined where nothing is. */
  amendment?(body: JsonObject): ((body: JsonObject) => void) | undefined;
  /**
   * The body of a PATCH that asks again for an object whose making has failed. For objects that hold more than they tell:
   * what was read of them, sent back whole, would take their secrets away.
   */
  repeat?(): JsonObject;
  /** Some objects say that they have failed elsewhere than in their state. */
  fault?(body: JsonObject): ControlError | undefined;
  /** What is around it, for a failure that is recognised; undefined where that is gone. */
  scene?(): Promise<FailureScene | undefined>;
}

/** The states of an object that is going away. */
const GOING = new Set(['deleting', 'scheduledfordelete']);

/** One run of "let the object be there": looks first, asks Azure only for what is missing or has failed. */
export function runWanted(
  client: AppServiceClient,
  wanted: WantedObject,
  context: Pick<StepContext<unknown>, 'resumeToken'> & Call,
): Promise<StepOutcome> {
  const sceneOf = async (): Promise<FailureScene | undefined> => wanted.scene?.();
  return recognising(sceneOf, () => reachWanted(client, wanted, context));
}

function reachWanted(
  client: AppServiceClient,
  wanted: WantedObject,
  context: Pick<StepContext<unknown>, 'resumeToken'> & Call,
): Promise<StepOutcome> {
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure is creating ${decapitalized(wanted.what)}.`,
      read: () => client.get(wanted.id, context),
      judge: (reading) => judgeWanted(wanted, reading),
      write: async (reading) => {
        const amend = reading.state === 'found' ? wanted.amendment?.(reading.body) : undefined;
        if (reading.state === 'found' && amend !== undefined) return client.change(wanted.id, reading, amend, context);
        if (reading.state === 'missing') return client.put(wanted.id, await wanted.body(), context);
        // An earlier attempt has failed: the same again makes Azure go on with it.
        if (wanted.repeat !== undefined) return client.patch(wanted.id, wanted.repeat(), context);
        const body = await wanted.body();
        return client.change(wanted.id, reading, (present) => laidOver(present, body), context);
      },
    },
    context,
  );
}

export function judgeWanted(wanted: WantedObject, reading: ArmReading): DesiredStateVerdict {
  if (reading.state === 'missing') return { verdict: 'different' };
  const difference = wanted.difference(reading.body);
  if (difference !== undefined) {
    throw new ControlError(
      'CONFLICT',
      `${wanted.what} is there and is not what was asked for: ${JSON.stringify(difference)}`,
      {
        remedy: 'Use another name, or delete it first.',
      },
    );
  }
  const state = rawText(reading.body, 'properties', 'provisioningState');
  const phase = phaseOf(state);
  switch (phase) {
    case 'succeeded':
    case 'unknown': {
      const fault = wanted.fault?.(reading.body);
      if (fault !== undefined) return { verdict: 'failed', error: fault };
      return wanted.amendment?.(reading.body) === undefined
        ? { verdict: 'reached', message: `${wanted.what} is there.` }
        : { verdict: 'different' };
    }
    case 'moving':
      return GOING.has(state?.toLowerCase() ?? '')
        ? { verdict: 'busy', message: `${wanted.what} is being deleted.` }
        : { verdict: 'underway', message: `${wanted.what} is ${state}.` };
    case 'failed':
    case 'canceled':
      return { verdict: 'failed', error: failureOf(wanted, reading.body) };
    default:
      return assertNever(phase);
  }
}

/** Environments tell in a member of their own what went wrong. */
function failureOf(wanted: WantedObject, body: JsonObject): ControlError {
  const message = rawText(body, 'properties', 'deploymentErrors');
  return failedOperationError(
    `Creating ${decapitalized(wanted.what)}`,
    message === null ? body : { error: { message } },
  );
}

/** Reads the object back. @param observe for the cache. */
export async function verifyWanted(
  client: AppServiceClient,
  wanted: WantedObject,
  context: Call,
  observe: (body: JsonObject, observedAt: Date) => Promise<Observation[]>,
  resultOf: (body: JsonObject) => JsonObject = () => ({}),
): Promise<Verification> {
  const reading = await client.get(wanted.id, context);
  const verdict = judgeWanted(wanted, reading);
  switch (verdict.verdict) {
    case 'reached': {
      const { body, observedAt } = present(reading, wanted.what);
      return {
        verdict: 'reached',
        result: { id: rawText(body, 'id') ?? wanted.id.toString(), uid: wanted.id.uid, ...resultOf(body) },
        observations: await observe(body, observedAt),
        absent: [],
      };
    }
    case 'underway':
    case 'busy':
      return { verdict: 'pending', message: verdict.message, retryAfterSeconds: client.arm.pollIntervalSeconds };
    case 'failed':
      return { verdict: 'missed', message: verdict.error.message };
    case 'different':
      return { verdict: 'missed', message: `${wanted.what} is not there as it was asked for.` };
    default:
      return assertNever(verdict);
  }
}

/** One run of "let the object be gone". */
export function runRemoval(
  client: AppServiceClient,
  what: string,
  id: ArmId,
  context: Pick<StepContext<unknown>, 'resumeToken'> & Call,
  remove = () => client.delete(id, context),
): Promise<StepOutcome> {
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure is deleting ${decapitalized(what)}.`,
      read: () => client.get(id, context),
      judge: (reading) => judgeRemoval(what, reading),
      write: remove,
    },
    context,
  );
}

function judgeRemoval(what: string, reading: ArmReading): DesiredStateVerdict {
  if (reading.state === 'missing') return { verdict: 'reached', message: `${what} is gone.` };
  const state = rawText(reading.body, 'properties', 'provisioningState');
  const isGoing = GOING.has(state?.toLowerCase() ?? '');
  if (isGoing) return { verdict: 'underway', message: `${what} is ${state}.` };
  // What waits for something that may never come can be deleted as well.
  return phaseOf(state) === 'moving' && state?.toLowerCase() !== 'waiting'
    ? { verdict: 'busy', message: `${what} is being changed by someone else (${state}).` }
    : { verdict: 'different' };
}

export async function verifyRemoval(
  client: AppServiceClient,
  what: string,
  id: ArmId,
  context: Call & { target: ResourceTarget },
  also: readonly ResourceTarget[] = [],
): Promise<Verification> {
  const reading = await client.get(id, context);
  if (reading.state === 'missing') {
    const { target } = context;
    return { verdict: 'reached', result: { removed: target.id }, observations: [], absent: [target, ...also] };
  }
  const state = rawText(reading.body, 'properties', 'provisioningState');
  return GOING.has(state?.toLowerCase() ?? '')
    ? { verdict: 'pending', message: `${what} is ${state}.`, retryAfterSeconds: client.arm.pollIntervalSeconds }
    : { verdict: 'missed', message: `${what} is still there.` };
}

/** Some states of environments fail by another name than `Failed`. */
function phaseOf(state: string | null): ProvisioningPhase {
  return state?.toLowerCase() === 'upgradefailed' ? 'failed' : provisioningPhase(state);
}

/** @throws ControlError AZURE_NOT_FOUND */
export function present(reading: ArmReading, what: string): Found {
  if (reading.state === 'found') return reading;
  throw new ControlError('AZURE_NOT_FOUND', `${what} is not there.`);
}

/** @throws ControlError AZURE_UNEXPECTED_ANSWER */
export function locationOf(body: JsonObject, what: string): string {
  const location = rawText(body, 'location');
  if (location !== null) return canonicalLocation(location);
  throw new ControlError('AZURE_UNEXPECTED_ANSWER', `Azure does not say where ${decapitalized(what)} lies.`);
}

/** Sets the members of `change` in `body`, object by object. */
function laidOver(body: JsonObject, change: JsonObject): void {
  for (const [name, value] of Object.entries(change)) {
    if (isJsonObject(value)) laidOver(memberObject(body, name), value);
    else body[name] = value satisfies Json;
  }
}

function decapitalized(what: string): string {
  return `${what.charAt(0).toLowerCase()}${what.slice(1)}`;
}
