import { ControlError } from './control-error.js';
import { isUuid, resourceUid } from './resource-uid.js';

const SCHEME = 'kubernetes://';
/** How the core group, whose name is empty, is written in an id. */
const CORE = 'core';
const GROUP_PATTERN = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const KIND_PATTERN = /^[A-Z][A-Za-z0-9]*$/;
/** Names of Kubernetes objects: path segments that are neither `.` nor `..` and hold no `/` and no `%`. */
const NAME_PATTERN = /^(?!\.{1,2}$)[^/%\s]{1,253}$/u;

export interface KubernetesIdParts {
  /** The uid of the cluster in Pilothouse: of a managed cluster, a fleet (its hub) or an attached cluster. */
  clusterUid: string;
  /** `''` for the core group. */
  group: string;
  /** The kind in Kubernetes, `Deployment`. */
  kind: string;
  /** undefined for objects of the cluster itself. */
  namespace: string | undefined;
  name: string;
}

/**
 * The id of an object in a cluster, `kubernetes://{cluster uid}/{group}/{Kind}[/{namespace}]/{name}` with `core` for the
 * core group. It leaves the version out: the same object is served in several. Names in Kubernetes keep their case, so the
 * text is its own canonical form.
 */
export class KubernetesId implements KubernetesIdParts {
  readonly clusterUid: string;
  readonly group: string;
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string;

  private constructor(parts: KubernetesIdParts) {
    this.clusterUid = parts.clusterUid;
    this.group = parts.group;
    this.kind = parts.kind;
    this.namespace = parts.namespace;
    this.name = parts.name;
  }

  /** @throws ControlError INVALID_REQUEST saying what is wrong with the parts. */
  static of(parts: KubernetesIdParts): KubernetesId {
    const reject = (why: string): never => {
      throw new ControlError('INVALID_REQUEST', `Not the id of a Kubernetes object: ${why}.`);
    };
    if (!isUuid(parts.clusterUid)) reject('the cluster is not a uid');
    if (parts.group !== '' && !GROUP_PATTERN.test(parts.group)) reject('the group is not allowed');
    if (!KIND_PATTERN.test(parts.kind)) reject('the kind is not allowed');
    if (parts.namespace !== undefined && !NAME_PATTERN.test(parts.namespace)) reject('the namespace is not allowed');
    if (!NAME_PATTERN.test(parts.name)) reject('the name is not allowed');
    return new KubernetesId({ ...parts, clusterUid: parts.clusterUid.toLowerCase() });
  }

  /** @throws ControlError INVALID_REQUEST */
  static parse(text: string): KubernetesId {
    const segments = text.startsWith(SCHEME) ? text.slice(SCHEME.length).split('/') : [];
    const [clusterUid = '', group = '', kind = '', ...names] = segments;
    const [first = '', second] = names;
    if (text.length > 2048 || names.length < 1 || names.length > 2) {
      throw new ControlError('INVALID_REQUEST', `Not the id of a Kubernetes object: "${text.slice(0, 200)}".`);
    }
    return KubernetesId.of({
      clusterUid,
      group: group === CORE ? '' : group,
      kind,
      namespace: second === undefined ? undefined : first,
      name: second ?? first,
    });
  }

  static isOne(text: string): boolean {
    return text.startsWith(SCHEME);
  }

  get canonical(): string {
    const group = this.group === '' ? CORE : this.group;
    const path = this.namespace === undefined ? this.name : `${this.namespace}/${this.name}`;
    return `${SCHEME}${this.clusterUid}/${group}/${this.kind}/${path}`;
  }

  get uid(): string {
    return resourceUid(this.canonical);
  }

  toString(): string {
    return this.canonical;
  }

  toJSON(): string {
    return this.canonical;
  }
}
