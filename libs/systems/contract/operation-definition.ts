import type { z } from 'zod';
import type { ControlError } from '#libs/kernel/control-error.js';
import type { Json } from '#libs/kernel/json.js';
import type { Secret } from '#libs/kernel/secret.js';
import type { Finding } from './finding.js';
import type { Observation } from './observation.js';
import type { ResourceTarget } from './resource-target.js';

export interface OperationTarget {
  /** The object that the operation changes, also where it is still to be made. */
  id: string;
  kind: string;
  /**
   * Canonical id of what is locked while the operation runs: operations with the same lock run one after the other. A
   * node pool's operations lock the cluster, since AKS allows one change of a cluster at a time.
   */
  lock: string;
}

export interface OperationContext<Input> {
  operationId: string;
  /** Sent to the outside system with every call, so that both sides' records can be joined. */
  correlationId: string;
  input: Input;
  /** The resolved references of the input, by field name. */
  references: Readonly<Record<string, ResourceTarget>>;
  target: ResourceTarget;
  /** The input's secret fields, which `input` shows as `[redacted]`. */
  secrets: Readonly<Record<string, Secret>>;
  /** What the steps that are done have put down, by step name. */
  outputs: Readonly<Record<string, Json>>;
  signal: AbortSignal;
}

export interface StepContext<Input> extends OperationContext<Input> {
  /** What this step returned with its last `wait`, also after a restart of the worker. */
  resumeToken: Secret | undefined;
  /** 1 for the first run of this step. */
  attempt: number;
  /** What was noted before the last request of this step was sent, if nothing was heard of it since. */
  intent?: string | undefined;
  /**
   * Notes, before a request is sent that must not be repeated blindly, what the next run has to know if no answer comes;
   * undefined once it is known that the request did nothing. Absent where a step is run on its own, outside an operation.
   * @throws ControlError FENCED when another worker has taken the operation over.
   */
  noteIntent?(intent: string | undefined): Promise<void>;
}

export interface AbortContext<Input> extends StepContext<Input> {
  /** Whether the outside system has taken a request to stop already. */
  asked: boolean;
}

/** What has become of a wish to stop the work that a step waits for. */
export type AbortOutcome =
  /** Nothing of it goes on any more, and the wanted state is not there. */
  | { outcome: 'stopped'; message: string }
  /** The outside system was asked to stop, and is at it. */
  | { outcome: 'stopping'; message: string; retryAfterSeconds: number }
  /** It has come to its end by itself, or cannot be stopped: the step goes on. */
  | { outcome: 'goes-on'; message: string };

export type StepOutcome =
  /** The wanted state of this step is there. */
  | {
      outcome: 'done';
      message: string;
      /** What later steps, the reading back and the record of the operation need to know of it; no secrets. */
      output?: Json;
    }
  /** Work goes on elsewhere: run this step again after the given time. The token is saved before anything else happens. */
  | { outcome: 'wait'; message: string; retryAfterSeconds: number; resumeToken?: Secret }
  /** Somebody else is changing the target: like `wait`, but nothing of ours has been started. */
  | { outcome: 'blocked'; message: string; retryAfterSeconds: number }
  /** The operation ends here, after part of the step was done: the output says which. */
  | { outcome: 'failed'; error: ControlError; output: Json };

/**
 * One step of an operation. Obligations: it observes first and acts only if needed, so that it may be run any number of
 * times, also after a crash at any point; it never waits for Azure by itself; it throws only ControlErrors (a retryable
 * one is run again with backoff, another ends the operation).
 */
export interface OperationStep<Input> {
  name: string;
  description: string;
  run(context: StepContext<Input>): Promise<StepOutcome>;
  /**
   * Stops the work that the step waits for, where the outside system can; called when the operation is to be canceled, and
   * again until the work has stopped. The same obligations: it observes first, and asks once.
   */
  abort?(context: AbortContext<Input>): Promise<AbortOutcome>;
}

export type Verification =
  | {
      verdict: 'reached';
      /** What the operation made, for the caller; no secrets. */
      result: Json;
      /** Fresh observations for the cache. */
      observations: Observation[];
      /** What is now known to be gone. */
      absent: ResourceTarget[];
      /** The uids of clusters in which more may be seen from now on: they are read again at once. */
      opened?: readonly string[];
    }
  | { verdict: 'pending'; message: string; retryAfterSeconds: number }
  | { verdict: 'missed'; message: string };

/** A change that Pilothouse can make: data plus small functions. Everything public about it is derived from here. */
export interface OperationDefinition<Input extends z.ZodObject = z.ZodObject> {
  /** Dotted camel case: `fleet.member.join`. */
  type: string;
  title: string;
  description: string;
  /** `fleets/members/write`. */
  permission: string;
  /** Every field has a description. */
  input: Input;
  /** Input fields that name a resource (by uid or ARM id), and the kinds that each may be of. */
  references: Readonly<Record<string, readonly string[]>>;
  /** Text fields of the input that are write-only: kept encrypted until the operation ends, shown nowhere. */
  secretFields?: readonly string[];
  /** From acceptance to the end, waiting included. */
  timeoutSeconds: number;
  /** The finding codes that `preflight` can give, with what each means. */
  findings: Readonly<Record<string, string>>;
  /** Pure. @throws ControlError INVALID_REQUEST where the parts do not go together. */
  target(input: z.output<Input>, references: Readonly<Record<string, ResourceTarget>>): OperationTarget;
  /** Reads only. */
  preflight(context: OperationContext<z.output<Input>>): Promise<Finding[]>;
  /**
   * Reads only; what a dry run answers besides the steps: the difference between what is there and what would be. Without it
   * the steps are rehearsed: they run up to the first request that would change something, which is shown and not sent.
   */
  plan?(context: OperationContext<z.output<Input>>): Promise<Json>;
  steps: readonly OperationStep<z.output<Input>>[];
  /** Reads the target back from its owner. */
  verify(context: OperationContext<z.output<Input>>): Promise<Verification>;
}
