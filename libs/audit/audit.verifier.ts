import { hasValidSignature, type AuditCheckpoint } from './audit.checkpoint.js';
import { auditHash, CHAIN_START, type AuditEvent } from './audit.event.js';

export interface AuditFault {
  /** The event or checkpoint that gives it away. */
  sequence: number;
  fault:
    | 'GAP'
    | 'HASH_MISMATCH'
    | 'CHAIN_BROKEN'
    | 'TIME_RUNS_BACKWARDS'
    | 'CHECKPOINT_WITHOUT_EVENT'
    | 'CHECKPOINT_MISMATCH'
    | 'BAD_SIGNATURE'
    | 'UNKNOWN_KEY';
  message: string;
}

export interface AuditReport {
  events: number;
  checkpoints: number;
  /** The last event that a valid checkpoint covers; null where there is none. */
  coveredTo: number | null;
  faults: AuditFault[];
}

/**
 * Checks an export of the log by itself, without Pilothouse and its database. Only an export from the first event on can
 * show that nothing was cut off at the start; only a checkpoint kept elsewhere that nothing was cut off at the end.
 * @param trustedKey the public key (base64 SPKI) that checkpoints must carry; without it any one key is accepted.
 */
export function verifyAudit(
  events: readonly AuditEvent[],
  checkpoints: readonly AuditCheckpoint[],
  trustedKey?: string,
): AuditReport {
  const faults: AuditFault[] = [];
  let sequence = 0;
  let previousHash = CHAIN_START;
  let at = '';
  for (const event of events) {
    const blame = (fault: AuditFault['fault'], message: string): void => {
      faults.push({ sequence: event.sequence, fault, message });
    };
    if (event.sequence !== sequence + 1) blame('GAP', `Event ${sequence + 1} was expected.`);
    if (event.previousHash !== previousHash) blame('CHAIN_BROKEN', 'It does not follow the event before it.');
    if (event.at < at) blame('TIME_RUNS_BACKWARDS', `It is earlier than the event before it (${at}).`);
    if (auditHash(event) !== event.hash) blame('HASH_MISMATCH', 'It was changed after it was written.');
    ({ sequence, at } = event);
    previousHash = event.hash;
  }
  const hashes = new Map(events.map((event) => [event.sequence, event.hash]));
  const key = trustedKey ?? checkpoints[0]?.publicKey;
  let coveredTo: number | null = null;
  for (const checkpoint of checkpoints) {
    const fault = checkpointFault(checkpoint, hashes, key);
    if (fault === undefined) coveredTo = Math.max(coveredTo ?? 0, checkpoint.sequence);
    else faults.push(fault);
  }
  return { events: events.length, checkpoints: checkpoints.length, coveredTo, faults };
}

function checkpointFault(
  checkpoint: AuditCheckpoint,
  hashes: ReadonlyMap<number, string>,
  key: string | undefined,
): AuditFault | undefined {
  const { sequence } = checkpoint;
  const hash = hashes.get(sequence);
  if (checkpoint.publicKey !== key) {
    return { sequence, fault: 'UNKNOWN_KEY', message: 'The checkpoint carries another public key.' };
  }
  if (!hasValidSignature(checkpoint)) {
    return { sequence, fault: 'BAD_SIGNATURE', message: 'The checkpoint was not signed with the key that it names.' };
  }
  if (hash === undefined) {
    return { sequence, fault: 'CHECKPOINT_WITHOUT_EVENT', message: 'The event that was signed is not in the export.' };
  }
  if (hash !== checkpoint.hash) {
    return { sequence, fault: 'CHECKPOINT_MISMATCH', message: 'The event is not the one that was signed.' };
  }
  return undefined;
}
