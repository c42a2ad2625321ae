import type { RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { CollectContext } from './collector.js';
import type { FindingSeverity } from './finding.js';
import type { ResourceTarget } from './resource-target.js';

/** A known trouble that an object has: what causes it, what that rests on, and the ways out of it. */
export interface Advice {
  /** Upper snake case, stable: `NON_ROOT_VOLUME_NOT_WRITABLE`. */
  code: string;
  severity: FindingSeverity;
  /** In one sentence. */
  cause: string;
  /** The observed values that this rests on. */
  evidence: JsonObject;
  /** The best first; any of them will do. */
  remedies: AdviceRemedy[];
}

/** A way out. */
export interface AdviceRemedy {
  description: string;
  /** One after the other, with inputs as they can be sent; none where people have to do it. */
  operations: RemedyOperation[];
}

/** An object as the cache holds it. */
export interface KnownObject extends ResourceTarget {
  name: string;
  clusterUid: string | null;
  namespace: string | null;
  /** Raw, as observed. */
  properties: JsonObject;
}

export interface AdviceContext extends CollectContext {
  /** What the cache holds of one kind in the cluster of the object that is asked about. */
  inCluster(kind: string): Promise<KnownObject[]>;
}

/** Obligations: reads only; says nothing about an object that is well. */
export interface Advisor {
  /** The kind that it knows about; it can be one of another system. */
  readonly kind: string;
  /** The codes that it can give, with what each means. */
  readonly codes: Readonly<Record<string, string>>;
  /** @throws ControlError where what it has to know cannot be had. */
  advise(object: KnownObject, context: AdviceContext): Promise<Advice[]>;
}
