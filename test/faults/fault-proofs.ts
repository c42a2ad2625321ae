import { verifyAudit } from '#libs/audit/audit.verifier.js';
import { hasEnded, type OperationStatus, type StepStatus } from '#libs/operations/operation.status.js';
import type { EstateState, FaultEvidence, SeenWrite, StoredOperation } from './fault-evidence.js';

/** Says what speaks against it, one sentence a case; nothing when it holds. */
export type FaultProof = (evidence: FaultEvidence) => string[];

/**
 * An operation's *effect* is a request with its correlation id that the simulator took (2xx) and that was not about nothing
 * (204: a deletion of what is gone). One operation may have one effect on one object and no more, whatever was sent and
 * however often: a repetition that is refused (a wrong entity tag, an operation in progress) had none.
 */
export function effectsOf(operation: StoredOperation, evidence: FaultEvidence): SeenWrite[] {
  return evidence.writes.filter((write) => write.correlationId === operation.correlationId && isEffect(write));
}

function isEffect({ outcome }: SeenWrite): boolean {
  return outcome !== null && outcome >= 200 && outcome < 300 && outcome !== 204;
}

export const FAULT_PROOFS: Readonly<Record<string, FaultProof>> = {
  'the evidence is complete': ({ missedRequests, operations, writes }) => [
    ...(missedRequests === 0 ? [] : [`${missedRequests} requests were forgotten before they were read`]),
    ...(operations.length > 0 && writes.length > 0 ? [] : ['nothing was done at all']),
  ],

  'what was accepted under a key is one operation, and nothing else is there': ({ asked, operations }) => {
    const faults: string[] = [];
    for (const { key, ids, refused, type } of asked) {
      const stored = operations.filter((operation) => operation.key === key);
      const answered = new Set(ids);
      if (refused && stored.length > 0) faults.push(`${key} (${type}) was refused and is there`);
      if (!refused && stored.length !== 1) faults.push(`${key} (${type}) stands for ${stored.length} operations`);
      if (answered.size > 1) faults.push(`${key} (${type}) was answered with ${answered.size} operations`);
      for (const id of answered) {
        if (!stored.some((operation) => operation.id === id))
          faults.push(`${key}: ${id} was accepted and is not there`);
      }
    }
    const keys = new Set(asked.map((each) => each.key));
    for (const { id, key } of operations) if (key === null || !keys.has(key)) faults.push(`nobody asked for ${id}`);
    return faults;
  },

  'every accepted operation has ended': ({ operations }) =>
    operations
      .filter(({ status, endedAt }) => !hasEnded(status) || endedAt === null)
      .map(({ id, type, status, message }) => `${type} ${id} is ${status}: ${message}`),

  'none had its effect twice': (evidence) =>
    evidence.operations.flatMap((operation) => {
      const effects = effectsOf(operation, evidence);
      const objects = new Map<string, SeenWrite[]>();
      for (const effect of effects) objects.set(effect.path, [...(objects.get(effect.path) ?? []), effect]);
      // What is applied a second time as it was changes nothing: whether it did is told by the object itself, below.
      const repeated = operation.type === 'kubernetes.manifest.apply' ? [] : [...objects.values()];
      return repeated
        .filter((writes) => writes.length > 1)
        .map((writes) => {
          const list = writes.map(({ method, outcome, at }) => `${method} ${outcome} at ${new Date(at).toISOString()}`);
          return `${operation.type} ${operation.id} changed ${writes[0]?.path} ${writes.length} times: ${list.join(', ')}`;
        });
    }),

  'what was applied was changed once': (evidence) =>
    evidence.applied
      .filter(({ generation }) => generation > 1)
      .map(({ name, generation }) => `${name} is of generation ${generation}`),

  'every long-running operation in Azure belongs to one operation of ours': (evidence) => {
    const faults: string[] = [];
    const known = new Set(evidence.operations.map((operation) => operation.correlationId));
    const effects = evidence.writes.filter((write) => isEffect(write));
    for (const write of effects) {
      if (!known.has(write.correlationId)) faults.push(`${write.method} ${write.path} belongs to no operation`);
    }
    const targets = new Set(evidence.longRuns.map((run) => run.target));
    for (const target of targets) {
      const runs = evidence.longRuns.filter((run) => run.target === target).length;
      const writes = effects.filter((write) => write.path === target).length;
      if (runs !== writes) faults.push(`${target}: ${runs} long-running operations for ${writes} requests of ours`);
    }
    return faults;
  },

  'nothing was sent for an operation that had ended': (evidence) => {
    const endOf = new Map(evidence.operations.map(({ correlationId, endedAt }) => [correlationId, endedAt]));
    return evidence.writes
      .filter(({ correlationId, at }) => at > (endOf.get(correlationId) ?? Infinity))
      .map(({ method, path, outcome }) => `${method} ${path} (${outcome}) came after the end of its operation`);
  },

  'no status moved backwards': ({ operations }) => operations.flatMap(backwardMoves),

  'every success left the wanted state': (evidence) =>
    evidence.operations.flatMap((each) => missedWish(each, evidence)),

  'the estate is as the last success left it': lastWishes,

  'what changed nothing sent nothing': (evidence) =>
    evidence.operations
      .filter((operation) => saysNothingChanged(operation) && effectsOf(operation, evidence).length > 0)
      .map(({ id, type, status, message }) => `${type} ${id} is ${status} ("${message}") and has changed something`),

  'the audit log opens and closes each once': ({ operations, audit }) => {
    const faults = verifyAudit(audit, []).faults.map(({ sequence, fault }) => `event ${sequence}: ${fault}`);
    for (const { id, status } of operations) {
      const events = audit.filter((event) => event.operationId === id);
      const opens = events.filter((event) => event.action === 'operation.accepted');
      const closes = events.filter((event) => event.action === 'operation.ended');
      if (opens.length !== 1 || closes.length !== 1) {
        faults.push(`${id} was opened ${opens.length} times and closed ${closes.length} times`);
      } else if (opens[0]!.sequence > closes[0]!.sequence) faults.push(`${id} was closed before it was opened`);
      const outcome = closes[0]?.outcome;
      if (outcome !== undefined && outcome !== status.toLowerCase())
        faults.push(`${id} is ${status}, on record ${outcome}`);
    }
    const known = new Set(operations.map(({ id }) => id));
    for (const { operationId, action } of audit) {
      if (operationId !== null && !known.has(operationId))
        faults.push(`${action} of ${operationId}, which is not there`);
    }
    return faults;
  },

  'the cache agrees with the estate': ({ after, cache }) => [
    ...differences('pool', after.pools, cache.pools),
    ...differences('replicas of', after.replicas, cache.replicas),
    ...differences('cordon of', after.cordoned, cache.cordoned),
    ...differences('member', present(after.members), present(cache.members)),
    ...differences('fleet', present(after.fleets), present(cache.fleets)),
  ],

  'nothing is left behind': ({ left }) =>
    Object.entries(left).flatMap(([what, count]) => (count === 0 ? [] : [`${what}: ${count}`])),
};

/** What every proof found, by the name of the proof. */
export function proveAll(evidence: FaultEvidence): Record<string, string[]> {
  return Object.fromEntries(Object.entries(FAULT_PROOFS).map(([name, proof]) => [name, proof(evidence)]));
}

const RANK: Readonly<Record<OperationStatus, number>> = {
  Pending: 0,
  Running: 1,
  Waiting: 1,
  Canceling: 2,
  Succeeded: 3,
  Failed: 3,
  Canceled: 3,
};
const STEP_RANK: Readonly<Record<StepStatus, number>> = {
  Pending: 0,
  Running: 1,
  Waiting: 1,
  Succeeded: 2,
  Failed: 2,
  Skipped: 2,
};

function backwardMoves({ id, type, status, events }: StoredOperation): string[] {
  const faults: string[] = [];
  const say = (what: string): number => faults.push(`${type} ${id}: ${what}`);
  for (const [index, event] of events.entries()) {
    if (event.sequence !== index + 1) say(`event ${index + 1} has the number ${event.sequence}`);
    const before = events[index - 1];
    if (before === undefined) {
      if (event.status !== 'Pending') say(`it began as ${event.status}`);
      continue;
    }
    if (hasEnded(before.status)) say(`it went on after ${before.status}`);
    if (RANK[event.status] < RANK[before.status]) say(`${before.status} -> ${event.status}`);
    for (const [name, after] of Object.entries(event.steps)) {
      const earlier = before.steps[name];
      const wentBack = earlier !== undefined && STEP_RANK[after] < STEP_RANK[earlier];
      const changed = earlier !== undefined && STEP_RANK[earlier] === 2 && after !== earlier;
      if (wentBack || changed) say(`step ${name}: ${earlier} -> ${after}`);
    }
  }
  if (events.at(-1)?.status !== status) say(`it is ${status}, its last event says ${events.at(-1)?.status}`);
  return faults;
}

/** For what can be told from the bodies of requests: the last effect on the object before the end is the wanted one. */
function missedWish(operation: StoredOperation, evidence: FaultEvidence): string[] {
  if (operation.status !== 'Succeeded') return [];
  const { type, id, input, endedAt, targetId } = operation;
  const target = targetId.toLowerCase();
  const last = evidence.writes.findLast(
    (write) => write.path === target && isEffect(write) && write.at <= (endedAt ?? 0),
  );
  const miss = (is: string): string[] => [`${type} ${id} succeeded, and ${target} was ${is}`];
  switch (type) {
    case 'aks.nodePool.scale': {
      const count = last === undefined ? evidence.before.pools[target] : countOf(last);
      return count === input.count ? [] : miss(`at ${JSON.stringify(count)} nodes, not ${JSON.stringify(input.count)}`);
    }
    case 'fleet.member.join':
    case 'fleet.create': {
      const was = type === 'fleet.create' ? evidence.before.fleets : evidence.before.members;
      const isThere = last === undefined ? was.includes(target) : last.method === 'PUT';
      return isThere ? [] : miss('not there');
    }
    case 'fleet.member.leave':
    case 'fleet.delete': {
      const was = type === 'fleet.delete' ? evidence.before.fleets : evidence.before.members;
      const isThere = last === undefined ? was.includes(target) : last.method !== 'DELETE';
      return isThere ? miss('still there') : [];
    }
    case 'kubernetes.manifest.apply': {
      const applied = evidence.applied.find(({ name }) => name === nameInManifest(input.manifest));
      return applied === undefined ? miss('without the object of the manifest') : [];
    }
    default:
      // The cluster's log shows no bodies: what is there at the end is looked at below.
      return [];
  }
}

function countOf(write: SeenWrite): unknown {
  const properties = write.body?.properties;
  return typeof properties === 'object' && properties !== null && 'count' in properties ? properties.count : undefined;
}

export function nameInManifest(manifest: unknown): string | undefined {
  return typeof manifest === 'string' ? /^ {2}name: (\S+)$/m.exec(manifest)?.[1] : undefined;
}

/**
 * The last operation of each object that succeeded decides how it is at the end, unless one that did not succeed has
 * changed it after that: then nobody has promised anything.
 */
function lastWishes(evidence: FaultEvidence): string[] {
  const faults: string[] = [];
  const { after } = evidence;
  const targets = new Set(evidence.operations.map((operation) => operation.targetId));
  for (const targetId of targets) {
    const decided = evidence.operations
      .filter(
        (each) => each.targetId === targetId && each.endedAt !== null && each.type !== 'kubernetes.manifest.apply',
      )
      .filter((each) => each.status === 'Succeeded' || effectsOf(each, evidence).length > 0)
      .sort((left, right) => (left.endedAt ?? 0) - (right.endedAt ?? 0))
      .at(-1);
    if (decided?.status !== 'Succeeded') continue;
    const target = targetId.toLowerCase();
    const { is, wanted } = comparison(decided, target, targetId, after);
    if (is !== wanted) faults.push(`${decided.type} ${decided.id} wanted ${wanted}, and ${targetId} is ${is}`);
  }
  return faults;
}

function comparison(operation: StoredOperation, target: string, id: string, after: EstateState) {
  const { type, input } = operation;
  switch (type) {
    case 'aks.nodePool.scale':
      return { is: JSON.stringify(after.pools[target]), wanted: JSON.stringify(input.count) };
    case 'fleet.member.join':
      return { is: String(after.members.includes(target)), wanted: 'true' };
    case 'fleet.member.leave':
      return { is: String(after.members.includes(target)), wanted: 'false' };
    case 'fleet.create':
      return { is: String(after.fleets.includes(target)), wanted: 'true' };
    case 'fleet.delete':
      return { is: String(after.fleets.includes(target)), wanted: 'false' };
    case 'kubernetes.workload.scale':
      return { is: JSON.stringify(after.replicas[id]), wanted: JSON.stringify(input.replicas) };
    case 'kubernetes.node.cordon':
      return { is: String(after.cordoned[id]), wanted: 'true' };
    case 'kubernetes.node.uncordon':
      return { is: String(after.cordoned[id]), wanted: 'false' };
    default:
      throw new TypeError(`The suite does not know how to judge ${type}`);
  }
}

function saysNothingChanged({ status, message, errorCode }: StoredOperation): boolean {
  if (status === 'Canceled') return /nothing was changed/i.test(message ?? '');
  return status === 'Failed' && errorCode === 'PREFLIGHT_FAILED';
}

function differences(what: string, wanted: Record<string, unknown>, found: Record<string, unknown>): string[] {
  const keys = [...new Set([...Object.keys(wanted), ...Object.keys(found)])].sort();
  return keys
    .filter((key) => wanted[key] !== found[key])
    .map((key) => `${what} ${key}: ${String(wanted[key])} in the estate, ${String(found[key])} in the cache`);
}

function present(paths: readonly string[]): Record<string, true> {
  return Object.fromEntries(paths.map((path) => [path, true]));
}
