import { randomInt } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject } from '../cluster.objects.js';
import { toServedVersion } from './api-version.conversion.js';
import { KubernetesStatusError } from './kubernetes-status.error.js';
import type { KubernetesCluster } from './kubernetes.cluster.js';
import { isSelected, type ObjectFilter, parseCount, parseFilter, parseResourceVersion } from './list.query.js';
import type { RecordedEvent } from './object.store.js';
import { present, type Representation } from './representation.js';
import { apiVersionOf, type ServedResource } from './served.resource.js';

const BOOKMARK_INTERVAL_MS = 60_000;
/** A watch that may last ends with a bookmark this long before, so that its client resumes where it was. */
const LAST_BOOKMARK_MS = 500;
/** Without a wish, a watch ends after half an hour to an hour. */
const SHORTEST_SECONDS = 1_800;
/** A client that reads too slowly is cut off: it will list again. */
const BACKLOG_LIMIT_BYTES = 16 * 1024 * 1024;
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';

export interface WatchRequest {
  resource: ServedResource;
  namespace: string | undefined;
  parameters: URLSearchParams;
  representation: Representation;
}

/**
 * One running watch: what happens to the objects of one resource, a line of JSON each.
 * @throws KubernetesStatusError for options that contradict each other; what is expired is told in the stream
 */
export class WatchStream {
  readonly #filter: ObjectFilter;
  readonly #from: number | undefined;
  readonly #seconds: number;
  readonly #bookmarks: boolean;
  readonly #initialEvents: boolean;
  #response: ServerResponse | undefined;
  #columnsSent = false;
  readonly #cleanups: (() => void)[] = [];

  constructor(
    private readonly cluster: KubernetesCluster,
    private readonly request: WatchRequest,
  ) {
    const { parameters, resource } = request;
    this.#filter = parseFilter(parameters, resource);
    this.#initialEvents = parameters.get('sendInitialEvents') === 'true';
    if (parameters.has('sendInitialEvents') && parameters.get('resourceVersionMatch') !== 'NotOlderThan')
      throw KubernetesStatusError.invalid({ group: 'meta.k8s.io', resource: 'ListOptions' }, '', [
        {
          reason: 'FieldValueForbidden',
          message: 'Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
          field: 'resourceVersionMatch',
        },
      ]);
    this.#from = parseResourceVersion(parameters, cluster.store.version);
    this.#seconds =
      parseCount('timeoutSeconds', parameters.get('timeoutSeconds')) ?? SHORTEST_SECONDS + randomInt(SHORTEST_SECONDS);
    this.#bookmarks = ['true', '1'].includes(parameters.get('allowWatchBookmarks') ?? '');
  }

  /** Answers until the time is over, the client goes, or the cluster drops its watches. */
  start(response: ServerResponse): void {
    this.#response = response;
    response.writeHead(200, {
      'cache-control': 'no-cache, private',
      'content-type': 'application/json',
    });
    response.flushHeaders();
    response.on('close', () => this.#stop());
    if (!this.#begin()) {
      this.#end();
      return;
    }
    this.#cleanups.push(
      this.cluster.store.subscribe((event) => {
        if (event.resource === this.request.resource.storage) this.#tell(event);
      }),
      this.cluster.registerWatch(() => response.destroy()),
    );
    this.#schedule();
  }

  /** What the watch begins with. @returns false when it cannot */
  #begin(): boolean {
    const { resource, namespace } = this.request;
    const { store } = this.cluster;
    if (this.#initialEvents || this.#from === undefined || this.#from === 0) {
      for (const object of store.list(resource.storage, namespace)) {
        const shown = toServedVersion(object, resource);
        if (isSelected(this.#filter, shown)) this.#send('ADDED', shown);
      }
      if (this.#initialEvents && this.#bookmarks) this.#sendBookmark({ [INITIAL_EVENTS_END]: 'true' });
      return true;
    }
    const missed = store.since(this.#from, resource.storage);
    if (missed === undefined) {
      const message = `too old resource version: ${this.#from} (${store.oldestVersion})`;
      this.#write('ERROR', KubernetesStatusError.expired(message).body);
      return false;
    }
    for (const event of missed) this.#tell(event);
    return true;
  }

  #schedule(): void {
    const milliseconds = this.#seconds * 1000;
    const timeout = setTimeout(() => this.#end(), milliseconds);
    this.#cleanups.push(() => clearTimeout(timeout));
    if (!this.#bookmarks) return;
    const regular = setInterval(() => this.#sendBookmark(), BOOKMARK_INTERVAL_MS);
    const last = setTimeout(() => this.#sendBookmark(), Math.max(0, milliseconds - LAST_BOOKMARK_MS));
    this.#cleanups.push(
      () => clearInterval(regular),
      () => clearTimeout(last),
    );
  }

  /** A change, as it looks to somebody who sees only the objects that are selected. */
  #tell({ type, object, previous }: RecordedEvent): void {
    const { resource, namespace } = this.request;
    if (namespace !== undefined && object.metadata.namespace !== namespace) return;
    const now = toServedVersion(object, resource);
    const isIn = type !== 'DELETED' && isSelected(this.#filter, now);
    const wasIn = previous !== undefined && isSelected(this.#filter, toServedVersion(previous, resource));
    if (isIn) this.#send(wasIn ? 'MODIFIED' : 'ADDED', now);
    else if (wasIn) {
      const last = toServedVersion(previous, resource);
      const { resourceVersion } = object.metadata;
      this.#send('DELETED', { ...last, metadata: { ...last.metadata, resourceVersion } });
    }
  }

  #send(type: EventType, object: KubernetesObject): void {
    const { resource, representation } = this.request;
    const shown = present(object, resource, representation);
    if (representation.form === 'table') {
      if (this.#columnsSent) shown.columnDefinitions = null;
      this.#columnsSent = true;
    }
    this.#write(type, shown);
  }

  #sendBookmark(annotations?: Record<string, string>): void {
    const { resource } = this.request;
    this.#write('BOOKMARK', {
      kind: resource.kind,
      apiVersion: apiVersionOf(resource),
      metadata: {
        resourceVersion: String(this.cluster.store.version),
        creationTimestamp: null,
        ...(annotations === undefined ? {} : { annotations }),
      },
    });
  }

  #write(type: EventType, object: JsonObject): void {
    const response = this.#response;
    if (response === undefined || response.destroyed) return;
    response.write(`${JSON.stringify({ type, object })}\n`);
    if (response.writableLength > BACKLOG_LIMIT_BYTES) response.destroy();
  }

  #end(): void {
    this.#stop();
    this.#response?.end();
  }

  #stop(): void {
    for (const cleanup of this.#cleanups.splice(0)) cleanup();
  }
}
