import type { JsonObject } from '#libs/kernel/json.js';

/** An object as the API server shows it; only what every object has is typed. */
export type KubernetesObject = JsonObject & {
  apiVersion: string;
  kind: string;
  metadata: JsonObject & {
    name: string;
    namespace?: string;
    uid?: string;
    resourceVersion?: string;
    generation?: number;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
};

/** A document of a manifest, not yet known to any server: it may name no object yet (`generateName`). */
export type KubernetesManifest = JsonObject & {
  apiVersion: string;
  kind: string;
  metadata: JsonObject & { name?: string; generateName?: string; namespace?: string };
};

/** A type of objects as this server serves it (discovery). */
export interface ApiResource {
  /** `''` for the core group. */
  group: string;
  version: string;
  kind: string;
  /** As it stands in paths: `deployments`. */
  plural: string;
  namespaced: boolean;
  verbs: readonly string[];
  /** `status`, `scale`, … */
  subresources: readonly string[];
}
