import { z } from 'zod';
import type { Clock } from '#libs/kernel/clock.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type {
  AdmissionPlugin,
  ClusterAvailability,
  ClusterObjects,
  ClusterSecurity,
  KubernetesObject,
  SimulatedCluster,
} from '../cluster.objects.js';
import { SchemaCatalog } from '../schema/schema.catalog.js';
import { AccessControl } from './access.control.js';
import { internalContext } from './api.request.js';
import { BOOTSTRAP_OBJECTS } from './bootstrap.objects.js';
import { DefinitionInstaller } from './definition.installer.js';
import { GarbageCollector } from './garbage.collector.js';
import { InternalObjects } from './internal.objects.js';
import { NamespaceLifecycle } from './namespace.lifecycle.js';
import { ObjectRegistry } from './object.registry.js';
import { ObjectStore } from './object.store.js';
import { RbacAuthorizer } from './rbac.authorizer.js';
import { ResourceCatalog } from './resource.catalog.js';
import { ServiceAccountTokens } from './service-account.tokens.js';

const DEFAULT_VERSION = 'v1.32.13';

export interface KubernetesClusterOptions {
  key: string;
  security: ClusterSecurity;
  clock: Clock;
  /** What `/version` answers: `v1.32.13` without it. */
  version?: string;
  /** How many changes are remembered for watches that resume. */
  historyLimit?: number;
}

const snapshotSchema = z.object({
  version: z.number().int(),
  tokenKey: z.string(),
  objects: z.record(z.string(), z.array(z.custom<KubernetesObject>((value) => typeof value === 'object'))),
});

/** One simulated cluster: its objects, what it serves, who may do what. `KubernetesApi` answers requests for it. */
export class KubernetesCluster implements SimulatedCluster {
  readonly key: string;
  readonly version: string;
  readonly objects: ClusterObjects;
  readonly store: ObjectStore;
  readonly catalog = new ResourceCatalog();
  readonly schemas = new SchemaCatalog();
  readonly registry: ObjectRegistry;
  readonly access: AccessControl;
  readonly tokens: ServiceAccountTokens;
  readonly clock: Clock;
  readonly #installer: DefinitionInstaller;
  readonly #collector: GarbageCollector;
  readonly #namespaces: NamespaceLifecycle;
  readonly #watches = new Set<() => void>();
  #availability: ClusterAvailability = { state: 'up' };

  constructor(options: KubernetesClusterOptions) {
    const { clock } = options;
    this.key = options.key;
    this.version = options.version ?? DEFAULT_VERSION;
    this.clock = clock;
    this.store = new ObjectStore(options.historyLimit);
    this.registry = new ObjectRegistry(this.store, this.schemas, clock);
    this.tokens = new ServiceAccountTokens(this.store, clock);
    this.access = new AccessControl(options.security, new RbacAuthorizer(this.store), this.tokens);
    const collecting = internalContext(
      'kube-controller-manager',
      'system:serviceaccount:kube-system:generic-garbage-collector',
    );
    this.#collector = new GarbageCollector(this.store, this.registry, this.catalog, collecting);
    const emptying = internalContext(
      'kube-controller-manager',
      'system:serviceaccount:kube-system:namespace-controller',
    );
    this.#namespaces = new NamespaceLifecycle(this.store, this.registry, this.catalog, emptying);
    const serving = internalContext('kube-apiserver', 'system:apiserver');
    this.#installer = new DefinitionInstaller(this.store, this.registry, this.catalog, this.schemas, clock, serving);
    this.registry.addAdmission(this.#installer);
    this.objects = new InternalObjects(this.store, this.registry, this.catalog);
    this.store.subscribe((event) => {
      this.#installer.observe(event);
      this.#namespaces.observe(event);
      this.#collector.observe(event);
    });
    for (const draft of BOOTSTRAP_OBJECTS)
      this.objects.create(draft, { manager: 'kube-apiserver', user: 'system:apiserver' });
  }

  get availability(): ClusterAvailability {
    return this.#availability;
  }

  installDefinitions(definitions: readonly JsonObject[]): void {
    for (const definition of definitions) this.#installer.install(definition);
  }

  addAdmission(plugin: AdmissionPlugin): void {
    this.registry.addAdmission(plugin);
  }

  setAvailability(availability: ClusterAvailability): void {
    this.#availability = availability;
    if (availability.state === 'down') this.dropWatches();
  }

  /** Has a running watch dropped with the others. @returns how to forget it again */
  registerWatch(drop: () => void): () => void {
    this.#watches.add(drop);
    return () => void this.#watches.delete(drop);
  }

  dropWatches(): void {
    for (const drop of [...this.#watches]) drop();
    this.#watches.clear();
  }

  compact(): void {
    this.store.compact();
  }

  snapshot(): JsonObject {
    return { ...this.store.snapshot(), tokenKey: this.tokens.exportKey() };
  }

  /** @throws ZodError for what is no snapshot */
  restore(snapshot: JsonObject): void {
    const { version, objects, tokenKey } = snapshotSchema.parse(snapshot);
    this.store.restore(version, objects);
    this.tokens.importKey(tokenKey);
    this.#installer.rebuild();
    this.#namespaces.rebuild();
    this.#collector.rebuild();
    this.dropWatches();
  }

  close(): void {
    this.dropWatches();
  }
}
