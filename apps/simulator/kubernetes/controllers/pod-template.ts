import { canonicalJson } from '#libs/kernel/canonical-json.js';
import type { ClusterView } from './cluster.view.js';
import type { PodTemplate, TypedObject } from './kubernetes.types.js';
import { controlledBy } from './pod.state.js';

const SAFE_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/**
 * A short name of a template's content, in the form that Kubernetes gives it: a 32-bit FNV-1a hash, its digits in an
 * alphabet without vowels. The value differs from a real cluster's, which hashes its own memory layout.
 */
export function templateHash(template: PodTemplate): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(canonicalJson(template))) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return Array.from(String(hash))
    .map((digit) => SAFE_ALPHABET.charAt(digit.charCodeAt(0) % SAFE_ALPHABET.length))
    .join('');
}

/** A pod as its owner makes it: `name`, or one generated from the prefix. */
export function podFrom(
  view: ClusterView,
  owner: TypedObject,
  template: PodTemplate,
  given: { name?: string; labels?: Record<string, string>; spec?: Record<string, unknown> },
): Record<string, unknown> {
  const { namespace } = owner.metadata;
  const prefix = `${owner.metadata.name}-`;
  const name = given.name ?? view.generateName(prefix, (taken) => view.get('pods', namespace, taken) !== undefined);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      generateName: prefix,
      namespace,
      labels: { ...template.metadata?.labels, ...given.labels },
      ...(template.metadata?.annotations === undefined ? {} : { annotations: template.metadata.annotations }),
      ownerReferences: [controlledBy(owner)],
    },
    spec: { ...template.spec, ...given.spec },
  };
}

/** A count that may be a share of another: `25%` of 10. */
export function scaledCount(value: number | string | undefined, of: number, round: 'up' | 'down'): number {
  if (value === undefined) return 0;
  if (typeof value === 'number') return value;
  if (!value.endsWith('%')) return Number(value);
  const share = (Number(value.slice(0, -1)) * of) / 100;
  return round === 'up' ? Math.ceil(share) : Math.floor(share);
}
