import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { canonicalHash, canonicalJson } from '#libs/kernel/canonical-json.js';
import { ControlError, type Violation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { parseResourceId } from '#libs/kernel/resource-id.js';
import { checkAgainst } from '#libs/kernel/schema-violations.js';
import type { SecretVault } from '#libs/kernel/secret-vault.js';
import type { Transaction } from '#libs/database/sql.js';
import type { OperationDefinition } from '#libs/systems/contract/operation-definition.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import { divideInput, sealInputSecrets } from './input-secrets.js';
import type { JobQueueRepository } from './job-queue.repository.js';
import { PREFLIGHT_STEP, VERIFY_STEP, type OperationRecord } from './operation.record.js';
import type { ApprovalPolicy } from './approval.policy.js';
import type { NewApproval, OperationRepository } from './operation.repository.js';

/** Visible ASCII, as header values are. */
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** Somebody's consent to all operations of a set. */
export interface SetConsent {
  decidedBy: string;
  decidedById: string;
  reason: string | null;
}

export interface OperationRequest {
  definition: OperationDefinition;
  input: unknown;
  dryRun: boolean;
  idempotencyKey: string | undefined;
  principalId: string;
  requestedBy: string;
  correlationId: string;
  /** The set that it is a part of. */
  setId?: string;
  /** The consent that its set was given as a whole. */
  consent?: SetConsent;
}

/** Turns "uid or ARM id" into a resource of one of the kinds, or throws RESOURCE_NOT_FOUND / INVALID_REQUEST. */
export type ResolveReference = (text: string, kinds: readonly string[]) => Promise<ResourceTarget>;

/** A request that is in order, before it is stored. */
export interface PreparedOperation {
  request: OperationRequest;
  /** As it may be shown. */
  input: JsonObject;
  /** The fields of the input that may not, by name. */
  secrets: Readonly<Record<string, string>>;
  requestHash: string;
}

export interface AcceptorSettings {
  /** How long an operation answers for its idempotency key, from its acceptance; while it is open it always does. */
  idempotencyKeyHours: number;
}

/** Decides whether a request can become an operation, and makes it one. */
export class OperationAcceptor {
  constructor(
    private readonly operations: OperationRepository,
    private readonly jobs: JobQueueRepository,
    private readonly resolveReference: ResolveReference,
    private readonly vault: SecretVault,
    private readonly settings: AcceptorSettings = { idempotencyKeyHours: 24 },
    private readonly approvals?: ApprovalPolicy,
  ) {}

  /** @throws ControlError INVALID_REQUEST naming every bad field, INVALID_IDEMPOTENCY_KEY. */
  prepare(request: OperationRequest): PreparedOperation {
    const { definition, idempotencyKey } = request;
    if (idempotencyKey !== undefined && !IDEMPOTENCY_KEY.test(idempotencyKey)) {
      throw new ControlError('INVALID_IDEMPOTENCY_KEY', 'An idempotency key is 1 to 255 visible ASCII characters.');
    }
    const parsed = checkAgainst(z.strictObject(definition.input.shape), request.input);
    if (parsed.state === 'faulty') {
      throw new ControlError('INVALID_REQUEST', `The input of ${definition.type} is not valid.`, {
        violations: parsed.violations.map(({ path, message }) => ({ path: below('input', path), message })),
        remedy: `GET /v1/operation-types/${definition.type} shows what it takes.`,
      });
    }
    const { shown, secrets } = divideInput(parsed.data as JsonObject, definition.secretFields ?? []);
    const asked = { type: definition.type, input: shown, dryRun: request.dryRun };
    // A plain hash of a password could be guessed at by whoever reads the table.
    const hasSecrets = Object.keys(secrets).length > 0;
    const told = hasSecrets ? { secrets: this.vault.fingerprint('operation-input', canonicalJson(secrets)) } : {};
    return { request, input: shown, secrets, requestHash: canonicalHash({ ...asked, ...told }) };
  }

  /**
   * The operation that this principal's key already stands for.
   * @throws ControlError IDEMPOTENCY_KEY_REUSED when it stands for a different request.
   */
  async findReplay(prepared: PreparedOperation, transaction?: Transaction): Promise<OperationRecord | undefined> {
    const { idempotencyKey, principalId } = prepared.request;
    if (idempotencyKey === undefined) return undefined;
    const { idempotencyKeyHours } = this.settings;
    await this.operations.releaseExpiredKey(principalId, idempotencyKey, idempotencyKeyHours, transaction);
    const found = await this.operations.findByIdempotencyKey(principalId, idempotencyKey, transaction);
    if (found === undefined) return undefined;
    if (found.hash === prepared.requestHash) return found.operation;
    throw new ControlError(
      'IDEMPOTENCY_KEY_REUSED',
      `The idempotency key belongs to operation ${found.operation.id}, which was asked for with another body.`,
      { remedy: 'Use a new key for a new request.' },
    );
  }

  /** The resources that the input names, by field. */
  async resolve(prepared: PreparedOperation): Promise<Record<string, ResourceTarget>> {
    const { definition } = prepared.request;
    const references: Record<string, ResourceTarget> = {};
    const violations: Violation[] = [];
    for (const [field, kinds] of Object.entries(definition.references)) {
      const value = prepared.input[field];
      if (typeof value !== 'string') continue;
      try {
        references[field] = await this.resolveReference(value, kinds);
      } catch (error) {
        if (!(error instanceof ControlError) || error.code === 'UNAVAILABLE') throw error;
        violations.push({ path: `input.${field}`, message: error.message });
      }
    }
    if (violations.length === 0) return references;
    throw new ControlError('INVALID_REQUEST', `The input of ${definition.type} names what is not there.`, {
      violations,
    });
  }

  /** Stores the operation and its first job. @returns undefined when a request with the same key was faster. */
  async insert(
    transaction: Transaction,
    prepared: PreparedOperation,
    references: Record<string, ResourceTarget>,
  ): Promise<OperationRecord | undefined> {
    const { definition, dryRun, principalId, requestedBy, correlationId, idempotencyKey } = prepared.request;
    const target = definition.target(prepared.input, references);
    const id = randomUUID();
    const approval = await this.#approvalFor(transaction, prepared, target, references);
    const inserted = await this.operations.insert(transaction, {
      id,
      type: definition.type,
      dryRun,
      target: { uid: parseResourceId(target.id).uid, id: target.id, kind: target.kind },
      lockKey: dryRun ? null : target.lock,
      input: prepared.input,
      references,
      stepNames: dryRun
        ? [PREFLIGHT_STEP]
        : [PREFLIGHT_STEP, ...definition.steps.map((step) => step.name), VERIFY_STEP],
      principalId,
      requestedBy,
      correlationId,
      idempotencyKey: idempotencyKey ?? null,
      idempotencyHash: idempotencyKey === undefined ? null : prepared.requestHash,
      timeoutSeconds: definition.timeoutSeconds,
      setId: prepared.request.setId ?? null,
      sealedSecrets: sealInputSecrets(this.vault, id, prepared.secrets),
      approval,
    });
    if (!inserted) return undefined;
    await this.jobs.schedule(transaction, id, approval?.state === 'waiting' ? approval.hours * 3_600 : 0);
    return this.operations.find(id, transaction);
  }

  async #approvalFor(
    transaction: Transaction,
    { request }: PreparedOperation,
    target: { id: string },
    references: Record<string, ResourceTarget>,
  ): Promise<NewApproval | null> {
    // What changes nothing needs nobody's consent.
    if (request.dryRun || this.approvals === undefined) return null;
    const touched = [target, ...Object.values(references)];
    const rule = await this.approvals.ruleFor(request.definition.type, touched, transaction);
    if (rule === undefined) return null;
    if (request.consent !== undefined) return { state: 'approved', rule: rule.text, ...request.consent };
    return { state: 'waiting', rule: rule.text, hours: this.approvals.hours };
  }
}

function below(part: string, path: string): string {
  return path === '' ? part : `${part}.${path}`;
}
