import DataLoader from 'dataloader';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Caller } from '#libs/access/caller.js';
import type { ResourceControl } from '#libs/control/resource.control.js';
import type { ResourceView } from '#libs/control/resource.view.js';
import type { RelationField } from '#libs/systems/contract/kind-definition.js';

/**
 * Resources by uid and by relation, for one GraphQL operation: one call for each relation and level of the query,
 * however many objects there are. What is loaded altogether is bounded.
 */
export class ResourceLoaders {
  readonly #related = new Map<RelationField, Map<number, DataLoader<string, ResourceView[]>>>();
  readonly #byUid: DataLoader<string, ResourceView | null>;
  #loaded = 0;

  constructor(
    private readonly resources: ResourceControl,
    private readonly caller: Caller,
    private readonly maximum: number,
  ) {
    this.#byUid = new DataLoader(
      async (uids) => {
        const found = await this.resources.findMany(this.caller, uids);
        this.#count(found.size);
        return uids.map((uid) => found.get(uid) ?? null);
      },
      { maxBatchSize: 1000 },
    );
  }

  find(uid: string): Promise<ResourceView | null> {
    return this.#byUid.load(uid);
  }

  related(relation: RelationField, uid: string, limit: number): Promise<ResourceView[]> {
    let byLimit = this.#related.get(relation);
    if (byLimit === undefined) {
      byLimit = new Map<number, DataLoader<string, ResourceView[]>>();
      this.#related.set(relation, byLimit);
    }
    let loader = byLimit.get(limit);
    if (loader === undefined) {
      loader = new DataLoader(async (uids) => {
        const found = await this.resources.related(this.caller, uids, relation, limit);
        let size = 0;
        const lists = uids.map((each) => {
          const list = found.get(each) ?? [];
          size += list.length;
          return list;
        });
        this.#count(size);
        return lists;
      });
      byLimit.set(limit, loader);
    }
    return loader.load(uid);
  }

  /** The cost of a query is known before it runs only roughly: what it really loads counts as well. */
  #count(size: number): void {
    this.#loaded += size;
    if (this.#loaded <= this.maximum) return;
    throw new ControlError('QUERY_TOO_COMPLEX', `The query would load more than ${this.maximum} objects.`, {
      remedy: 'Ask for smaller pages (first), or for the levels one after the other.',
    });
  }
}
