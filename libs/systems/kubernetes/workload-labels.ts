import type { WakeSignal } from '#libs/kernel/wake-signal.js';
import { ListedMap } from './listed-map.js';
import { selects } from './service.kind.js';
import type { WorkloadType } from './workload.kind.js';

interface Template {
  namespace: string;
  /** Of the pods that the workload makes. */
  labels: Readonly<Record<string, string>>;
}

/** Which workloads of a cluster make pods with which labels: what services choose by. */
export class WorkloadLabels {
  /** Each type of workload is told by a stream of its own. */
  readonly #templates: Readonly<Record<WorkloadType, ListedMap<Template>>> = {
    Deployment: new ListedMap(),
    StatefulSet: new ListedMap(),
    DaemonSet: new ListedMap(),
  };
  readonly #byNamespace = new Map<string, Map<string, Template>>();
  #changedNamespaces = new Set<string>();

  constructor(
    /** Woken when the labels of a namespace have changed. */
    readonly changed: WakeSignal,
  ) {}

  beginList(type: WorkloadType): void {
    this.#templates[type].beginList();
  }

  list(type: WorkloadType, id: string, template: Template): void {
    this.#put(type, id, template);
    this.#templates[type].list(id, template);
  }

  set(type: WorkloadType, id: string, template: Template): void {
    this.#put(type, id, template);
    this.#templates[type].set(id, template);
  }

  delete(type: WorkloadType, id: string): void {
    const template = this.#templates[type].get(id);
    this.#templates[type].delete(id);
    if (template !== undefined) this.#remove(id, template);
  }

  endList(type: WorkloadType): void {
    for (const [id, template] of this.#templates[type].endList()) this.#remove(id, template);
  }

  /** The canonical ids of the workloads in the namespace whose pods the selector chooses, in order. */
  chosenBy(selector: Readonly<Record<string, string>>, namespace: string): string[] {
    return [...(this.#byNamespace.get(namespace) ?? [])]
      .filter(([, { labels }]) => selects(selector, labels))
      .map(([id]) => id)
      .sort();
  }

  /** The namespaces in which labels have changed since this was last asked. */
  takeChanged(): Set<string> {
    const changed = this.#changedNamespaces;
    this.#changedNamespaces = new Set();
    return changed;
  }

  #put(type: WorkloadType, id: string, template: Template): void {
    const before = this.#templates[type].get(id);
    const inNamespace = this.#byNamespace.get(template.namespace) ?? new Map<string, Template>();
    this.#byNamespace.set(template.namespace, inNamespace.set(id, template));
    if (before === undefined || !isSame(before, template)) this.#tell(template.namespace);
  }

  #remove(id: string, { namespace }: Template): void {
    const inNamespace = this.#byNamespace.get(namespace);
    inNamespace?.delete(id);
    if (inNamespace?.size === 0) this.#byNamespace.delete(namespace);
    this.#tell(namespace);
  }

  #tell(namespace: string): void {
    this.#changedNamespaces.add(namespace);
    this.changed.wake();
  }
}

/** A workload stays in its namespace as long as it lives. */
function isSame(left: Template, right: Template): boolean {
  const names = Object.keys(left.labels);
  return (
    names.length === Object.keys(right.labels).length && names.every((name) => left.labels[name] === right.labels[name])
  );
}
