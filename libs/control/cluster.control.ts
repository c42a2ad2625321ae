import { ArmId } from '#libs/kernel/arm-id.js';
import type { Clock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { isUuid } from '#libs/kernel/resource-uid.js';
import type { Secret } from '#libs/kernel/secret.js';
import type { Database } from '#libs/database/database.js';
import type { AttachedKubeconfigs } from '#libs/access/attached-kubeconfigs.js';
import type { Caller } from '#libs/access/caller.js';
import type { ClusterAccessRepository } from '#libs/access/cluster-access.repository.js';
import { authorise } from '#libs/access/permission.js';
import type { AuditOutcome } from '#libs/audit/audit.event.js';
import type { AuditRepository } from '#libs/audit/audit.repository.js';
import type { ObservationWriter } from '#libs/inventory/observation.writer.js';
import type { ResourceRepository } from '#libs/inventory/resource.repository.js';
import type { Observation } from '#libs/systems/contract/observation.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import type { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import type { AttachedClusterView, ClusterAccessView } from './cluster.view.js';

const ATTACHED_CLUSTER_TYPE = 'Pilothouse.Clusters/attachedClusters';
const ATTACHED_CLUSTER_KIND = 'AttachedCluster';

/** What a kubeconfig was found to lead to, by trying it. */
export interface ProbedKubeconfig {
  server: string;
  authentication: string;
  kubernetesVersion: string;
}

/** Reads a kubeconfig and tries it. @throws ControlError INVALID_KUBECONFIG, or what kept the cluster from answering. */
export type ProbeKubeconfig = (
  kubeconfig: Secret,
  call: { signal: AbortSignal; correlationId: string },
) => Promise<ProbedKubeconfig>;

export interface ClusterCall {
  correlationId: string;
  signal: AbortSignal;
}

export interface ClusterControlParts {
  database: Database;
  registry: SystemRegistry;
  resources: ResourceRepository;
  writer: ObservationWriter;
  kubeconfigs: AttachedKubeconfigs;
  accesses: ClusterAccessRepository;
  audit: AuditRepository;
  probe: ProbeKubeconfig;
  clock: Clock;
}

/** Giving Pilothouse access to clusters: a kubeconfig goes in, is kept sealed, and never comes out. */
export class ClusterControl {
  constructor(private readonly parts: ClusterControlParts) {}

  /**
   * Attaches a cluster that Azure does not know.
   * @throws ControlError FORBIDDEN, INVALID_KUBECONFIG, CONFLICT when the name is taken, KUBERNETES_… when it cannot be reached.
   */
  async attach(
    caller: Caller,
    request: { name: string; kubeconfig: Secret },
    call: ClusterCall,
  ): Promise<AttachedClusterView> {
    const id = ArmId.parse(`/providers/${attachedPath(request.name)}`);
    const target: ResourceTarget = { uid: id.uid, id: id.toString(), kind: ATTACHED_CLUSTER_KIND };
    await this.#authorise(caller, 'cluster.attach-denied', target, call);
    const { database, writer, resources, kubeconfigs, clock } = this.parts;
    if ((await resources.find(id.uid)) !== null) throw taken(request.name, id.uid);
    const askedAt = clock.now();
    const found = await this.parts.probe(request.kubeconfig, call);
    await database.transaction(async (transaction) => {
      const facts = { server: found.server, authentication: found.authentication };
      const isNew = await kubeconfigs.attach(transaction, id.uid, request.kubeconfig, facts, caller.name);
      // Somebody else was faster with the same name.
      if (!isNew) throw taken(request.name, id.uid);
      const properties = { ...found, attachedBy: caller.name };
      await writer.apply(transaction, [observation(id, properties, askedAt)], { scopeKey: null });
      await this.#record(transaction, caller, 'cluster.attached', 'succeeded', target, call, facts);
    });
    return { ...target, name: id.name, ...found };
  }

  /** Takes an attached cluster out again, with everything that is known of it. @throws ControlError RESOURCE_NOT_FOUND */
  async detach(caller: Caller, uid: string, call: ClusterCall): Promise<void> {
    const target = await this.#cluster(uid);
    await this.#authorise(caller, 'cluster.detach-denied', target, call);
    if (target.kind !== ATTACHED_CLUSTER_KIND) {
      throw new ControlError('CONFLICT', `A ${target.kind} belongs to Azure: only its access can be taken away.`, {
        remedy: `DELETE /v1/clusters/${target.uid}/access takes away the access that was given.`,
      });
    }
    const { database, writer, kubeconfigs, clock } = this.parts;
    await database.transaction(async (transaction) => {
      await kubeconfigs.detach(transaction, target.uid);
      await writer.tombstone(transaction, [target.uid], { observedAt: clock.now(), source: 'OPERATION' });
      await this.#record(transaction, caller, 'cluster.detached', 'succeeded', target, call, {});
    });
  }

  /** @throws ControlError RESOURCE_NOT_FOUND when nothing is attached to it. */
  async getAccess(caller: Caller, uid: string): Promise<ClusterAccessView> {
    authorise(caller, 'read', 'read the access to clusters');
    const target = await this.#cluster(uid);
    const stored = await this.parts.accesses.find(target.uid);
    if (stored === undefined) {
      throw new ControlError('RESOURCE_NOT_FOUND', 'No kubeconfig is attached to this cluster.', {
        remedy: 'Where Azure knows the cluster, its own credential is used.',
      });
    }
    const { server, authentication, attachedBy } = stored;
    return { clusterUid: target.uid, server, authentication, attachedBy, attachedAt: stored.attachedAt.toISOString() };
  }

  /** Gives access to a cluster that is known, or another one than before. */
  async giveAccess(caller: Caller, uid: string, kubeconfig: Secret, call: ClusterCall): Promise<ClusterAccessView> {
    const target = await this.#cluster(uid);
    await this.#authorise(caller, 'cluster.access-denied', target, call);
    const { server, authentication } = await this.parts.probe(kubeconfig, call);
    await this.parts.database.transaction(async (transaction) => {
      const facts = { server, authentication };
      await this.parts.kubeconfigs.attach(transaction, target.uid, kubeconfig, facts, caller.name);
      await this.#record(transaction, caller, 'cluster.access-given', 'succeeded', target, call, facts);
    });
    return this.getAccess(caller, target.uid);
  }

  /** What was given is taken away; a second time changes nothing. */
  async removeAccess(caller: Caller, uid: string, call: ClusterCall): Promise<void> {
    const target = await this.#cluster(uid);
    await this.#authorise(caller, 'cluster.access-denied', target, call);
    await this.parts.database.transaction(async (transaction) => {
      if (!(await this.parts.kubeconfigs.detach(transaction, target.uid))) return;
      await this.#record(transaction, caller, 'cluster.access-removed', 'succeeded', target, call, {});
    });
  }

  async #cluster(uid: string): Promise<ResourceTarget> {
    const record = isUuid(uid) ? await this.parts.resources.find(uid.toLowerCase()) : null;
    const kinds = this.parts.registry.watchers.flatMap((watcher) => watcher.clusterKinds);
    if (record === null || !kinds.includes(record.kind)) {
      throw new ControlError('RESOURCE_NOT_FOUND', `There is no cluster with the uid "${uid.slice(0, 100)}".`, {
        remedy: `Clusters are: ${[...new Set(kinds)].join(', ')}. POST /v1/clusters attaches one that Azure does not know.`,
      });
    }
    return { uid: record.uid, id: record.id, kind: record.kind };
  }

  /** What was refused is on record, too. */
  async #authorise(caller: Caller, action: string, target: ResourceTarget, call: ClusterCall): Promise<void> {
    try {
      authorise(caller, 'connect', 'give or take away access to clusters');
    } catch (error) {
      if (error instanceof ControlError) {
        await this.parts.database.transaction((transaction) =>
          this.#record(transaction, caller, action, 'denied', target, call, {}),
        );
      }
      throw error;
    }
  }

  async #record(
    transaction: Parameters<AuditRepository['append']>[0],
    caller: Caller,
    action: string,
    outcome: AuditOutcome,
    target: ResourceTarget,
    call: ClusterCall,
    details: Record<string, string>,
  ): Promise<void> {
    await this.parts.audit.append(transaction, {
      action,
      outcome,
      principalId: caller.principalId,
      principalName: caller.name,
      operationId: null,
      operationType: null,
      target,
      correlationId: call.correlationId,
      details,
    });
  }
}

function attachedPath(name: string): string {
  return `${ATTACHED_CLUSTER_TYPE}/${name}`;
}

function taken(name: string, uid: string): ControlError {
  return new ControlError('CONFLICT', `A cluster named "${name}" is attached already.`, {
    remedy: `PUT /v1/clusters/${uid}/access gives it another kubeconfig.`,
  });
}

function observation(id: ArmId, properties: Record<string, string>, observedAt: Date): Observation {
  return {
    kind: ATTACHED_CLUSTER_KIND,
    id: id.toString(),
    canonicalId: id.canonical,
    name: id.name,
    location: null,
    subscriptionId: null,
    resourceGroup: null,
    clusterUid: null,
    namespace: null,
    provisioningState: null,
    health: { state: 'Healthy', reason: null },
    tags: {},
    properties,
    etag: null,
    observedAt,
    source: 'OPERATION',
    relations: [],
  };
}
