import { parseResourceId } from '#libs/kernel/resource-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { isUuid } from '#libs/kernel/resource-uid.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import type { SystemRegistry } from '#libs/systems/contract/system-registry.js';

/** How the resolver looks into the cache. */
export interface KnownResources {
  find(uid: string): Promise<ResourceTarget | undefined>;
}

/** Wherever an input names a resource, its uid and its id are both accepted: here they become one thing. */
export class ReferenceResolver {
  constructor(
    private readonly registry: SystemRegistry,
    private readonly known: KnownResources,
  ) {}

  /**
   * An id need not be in the cache (it may be new): its type says what it is. A uid must be.
   * @throws ControlError RESOURCE_NOT_FOUND, INVALID_REQUEST when it is not of one of the kinds.
   */
  async resolve(text: string, kinds: readonly string[]): Promise<ResourceTarget> {
    const target = isUuid(text) ? await this.#byUid(text) : this.#byId(text);
    if (kinds.includes(target.kind)) return target;
    throw new ControlError('INVALID_REQUEST', `It names a ${target.kind}; wanted is: ${kinds.join(' or ')}.`);
  }

  /** The uid of what a uid or an id names, known or not. @throws ControlError INVALID_REQUEST for anything else. */
  uidOf(text: string): string {
    return isUuid(text) ? text.toLowerCase() : parseResourceId(text).uid;
  }

  async #byUid(uid: string): Promise<ResourceTarget> {
    const found = await this.known.find(uid.toLowerCase());
    if (found !== undefined) return found;
    throw new ControlError('RESOURCE_NOT_FOUND', `There is no resource with the uid ${uid}.`);
  }

  #byId(text: string): ResourceTarget {
    const id = parseResourceId(text);
    const kind = this.registry.findKindOf(id);
    if (kind !== undefined) return { uid: id.uid, id: id.toString(), kind: kind.name };
    throw new ControlError('INVALID_REQUEST', `Pilothouse does not know what kind of object this names: ${text}`);
  }
}
