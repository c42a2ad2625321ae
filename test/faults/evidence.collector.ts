import { Client } from 'pg';
import { AuditRepository } from '#libs/audit/audit.repository.js';
import { ArmId } from '#libs/kernel/arm-id.js';
import { delay } from '#libs/kernel/clock.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import { armApiVersion } from '#libs/azure/arm-api-versions.js';
import type { Sql } from '#libs/database/sql.js';
import type { OperationStatus, StepStatus } from '#libs/operations/operation.status.js';
import { DirectCluster } from '../e2e/direct-cluster.js';
import type { Stack } from '../e2e/stack.js';
import type {
  AppliedObject,
  EstateState,
  FaultEvidence,
  SeenLongRun,
  SeenWrite,
  StoredOperation,
} from './fault-evidence.js';
import type { FaultGround } from './operation-mix.js';
import { askPatiently } from './patient-request.js';

const LOG_PAUSE_MS = 300;
const CLUSTERS = 'Microsoft.ContainerService/managedClusters';
const FLEETS = 'Microsoft.ContainerService/fleets';
/** They are sent as writes and change nothing. */
const ONLY_READS = /\/providers\/microsoft\.resourcegraph\/|\/list[a-z]*$|\/selfsubject[a-z]*$/;

interface LoggedRequest {
  sequence: number;
  time: string;
  method: string;
  path: string;
  query: string;
  outcome: number | null;
  correlationId: string;
  fault: string | null;
  body: unknown;
}

/** Reads the simulator's log as it grows: it remembers a limited number of requests. */
export class WriteLog {
  readonly writes: SeenWrite[] = [];
  missed = 0;
  /** How many requests met a fault. */
  faults = 0;
  #seen: number;
  readonly #ending = new AbortController();
  #reading: Promise<void> = Promise.resolve();

  private constructor(
    private readonly stack: Stack,
    seen: number,
  ) {
    this.#seen = seen;
  }

  /** From now on. */
  static async follow(stack: Stack): Promise<WriteLog> {
    const { body } = await stack.simulator('/requests');
    const log = new WriteLog(stack, (body.requests as LoggedRequest[]).at(-1)?.sequence ?? 0);
    log.#reading = log.#loop();
    return log;
  }

  /** Everything up to now has been read when it resolves. */
  async end(): Promise<void> {
    this.#ending.abort();
    await this.#reading;
    await this.#read();
    this.writes.sort((left, right) => left.at - right.at);
  }

  async #loop(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      await this.#read();
      // Only the end cuts the pause short.
      await delay(LOG_PAUSE_MS, this.#ending.signal).catch(() => undefined);
    }
  }

  async #read(): Promise<void> {
    const { body } = await askPatiently(() => this.stack.simulator(`/requests?since=${this.#seen}`));
    for (const entry of body.requests as LoggedRequest[]) {
      this.missed += entry.sequence - this.#seen - 1;
      this.#seen = entry.sequence;
      if (entry.fault !== null) this.faults += 1;
      const path = entry.path.toLowerCase();
      if (['GET', 'HEAD'].includes(entry.method) || ONLY_READS.test(path) || entry.query.includes('dryRun=All'))
        continue;
      this.writes.push({
        at: Date.parse(entry.time),
        method: entry.method,
        path,
        outcome: entry.outcome,
        correlationId: entry.correlationId,
        body: typeof entry.body === 'object' ? (entry.body as JsonObject | null) : null,
      });
    }
  }
}

/** Looks at both sides: at Azure and the clusters past Pilothouse, and at Pilothouse's database and answers. */
export class EvidenceCollector {
  readonly #clusters = new Map<string, DirectCluster>();

  constructor(private readonly stack: Stack) {}

  /** Names of the nodes by the uid of their cluster. */
  async nodesOf(clusterIds: readonly string[]): Promise<Map<string, string[]>> {
    const nodes = new Map<string, string[]>();
    for (const id of clusterIds) {
      const items = await this.#listed(id, '/api/v1/nodes');
      nodes.set(
        ArmId.parse(id).uid,
        items.map((node) => node.metadata.name),
      );
    }
    return nodes;
  }

  /** The estate as Azure and the clusters themselves have it. */
  async estate(ground: FaultGround): Promise<EstateState> {
    const root = `/subscriptions/${ground.subscriptionId}/providers`;
    const state: EstateState = { pools: {}, members: [], fleets: [], replicas: {}, cordoned: {} };
    for (const cluster of await this.#armList(`${root}/${CLUSTERS}`, CLUSTERS)) {
      for (const { name, count } of cluster.properties.agentPoolProfiles as { name: string; count: number }[]) {
        state.pools[`${cluster.id}/agentPools/${name}`.toLowerCase()] = count;
      }
    }
    for (const fleet of await this.#armList(`${root}/${FLEETS}`, FLEETS)) {
      state.fleets.push(fleet.id.toLowerCase());
      for (const member of await this.#armList(`${fleet.id}/members`, `${FLEETS}/members`)) {
        state.members.push(member.id.toLowerCase());
      }
    }
    for (const id of ground.kubernetesClusters) {
      const { uid } = ArmId.parse(id);
      for (const { metadata, spec } of await this.#listed(id, '/apis/apps/v1/deployments')) {
        const parts = { clusterUid: uid, group: 'apps', kind: 'Deployment' };
        state.replicas[KubernetesId.of({ ...parts, ...metadata }).canonical] = spec.replicas;
      }
      for (const { metadata, spec } of await this.#listed(id, '/api/v1/nodes')) {
        const parts = { clusterUid: uid, group: '', kind: 'Node', namespace: undefined, name: metadata.name };
        state.cordoned[KubernetesId.of(parts).canonical] = spec.unschedulable === true;
      }
    }
    return state;
  }

  /** The same as Pilothouse shows it. */
  async cache(ground: FaultGround): Promise<EstateState> {
    const state: EstateState = { pools: {}, members: [], fleets: [], replicas: {}, cordoned: {} };
    const looked = new Set(ground.kubernetesClusters.map((id) => ArmId.parse(id).uid));
    for (const item of await this.#cached('AgentPool,Fleet,FleetMember,Workload,Node')) {
      const path = item.id.toLowerCase();
      if (item.kind === 'AgentPool') state.pools[path] = item.properties.count;
      else if (item.kind === 'Fleet') state.fleets.push(path);
      else if (item.kind === 'FleetMember') state.members.push(path);
      else {
        const id = KubernetesId.parse(item.id);
        if (!looked.has(id.clusterUid)) continue;
        if (id.kind === 'Deployment') state.replicas[item.id] = item.properties.spec.replicas;
        if (id.kind === 'Node') state.cordoned[item.id] = item.properties.spec.unschedulable === true;
      }
    }
    return state;
  }

  async applied(ground: FaultGround): Promise<AppliedObject[]> {
    const found: AppliedObject[] = [];
    for (const id of ground.kubernetesClusters) {
      for (const { metadata } of await this.#listed(id, '/apis/apps/v1/namespaces/default/deployments')) {
        found.push({ name: metadata.name, generation: metadata.generation });
      }
    }
    return found;
  }

  /** Long-running operations that began at or after the given moment. */
  async longRuns(since: number): Promise<SeenLongRun[]> {
    const { body } = await askPatiently(() => this.stack.simulator('/operations'));
    const operations = body.operations as {
      targetKey: string;
      action: string;
      startedAt: number;
      state: { status: string };
    }[];
    return operations
      .filter((operation) => operation.startedAt >= since)
      .map(({ targetKey, action, startedAt, state }) => ({
        target: targetKey.toLowerCase(),
        action,
        startedAt,
        status: state.status,
      }));
  }

  async withDatabase<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const client = new Client({ connectionString: this.stack.postgres.url.reveal() });
    await client.connect();
    try {
      return await work({
        query: async <Row extends object>(text: string, values: readonly unknown[] = []) => {
          const result = await client.query<Row>(text, [...values]);
          return { rows: result.rows, rowCount: result.rowCount ?? 0 };
        },
      });
    } finally {
      await client.end();
    }
  }

  left(): Promise<FaultEvidence['left']> {
    return this.withDatabase(async (sql) => {
      const { rows } = await sql.query<FaultEvidence['left']>(
        `SELECT (SELECT count(*)::int FROM graphile_worker.jobs) AS jobs,
           (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory'
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS locks,
           (SELECT count(*)::int FROM operation WHERE ended_at IS NULL) AS "openOperations",
           (SELECT count(*)::int FROM operation_secret) AS "sealedSecrets"`,
      );
      return rows[0]!;
    });
  }

  stored(): Promise<Pick<FaultEvidence, 'operations' | 'audit'>> {
    return this.withDatabase(async (sql) => ({
      operations: await operationsIn(sql),
      audit: await new AuditRepository(sql).findEvents({}, 0, 1_000_000),
    }));
  }

  // What Kubernetes and ARM answer is untyped here, as in `Answer`.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  async #listed(clusterId: string, route: string): Promise<any[]> {
    let cluster = this.#clusters.get(clusterId);
    if (cluster === undefined) {
      const { body } = await askPatiently(() =>
        this.stack.simulator(`/kubeconfig?cluster=${encodeURIComponent(clusterId)}&user=admin`),
      );
      cluster = DirectCluster.of(body as string);
      this.#clusters.set(clusterId, cluster);
    }
    const { status, body } = await cluster.request('GET', route);
    if (status !== 200) throw new Error(`${route} of ${clusterId} was answered with ${status}`);
    return body.items;
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  async #armList(route: string, type: string): Promise<any[]> {
    const items = [];
    let next: string | undefined = `${route}?api-version=${armApiVersion(type)}`;
    while (next !== undefined) {
      const page: string = next;
      const { status, body } = await askPatiently(() => this.stack.azure(page));
      if (status !== 200) throw new Error(`${route} was answered with ${status}`);
      items.push(...body.value);
      next = body.nextLink === undefined ? undefined : String(body.nextLink).replace(this.stack.simulatorUrl, '');
    }
    return items;
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  async #cached(kinds: string): Promise<any[]> {
    const items = [];
    let cursor: string | null = null;
    do {
      const more: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const { status, body } = await askPatiently(() => this.stack.api(`/v1/resources?kind=${kinds}&limit=500${more}`));
      if (status !== 200) throw new Error(`The resources were answered with ${status}: ${JSON.stringify(body)}`);
      items.push(...body.items);
      cursor = body.nextCursor;
    } while (cursor !== null);
    return items;
  }
}

async function operationsIn(sql: Sql): Promise<StoredOperation[]> {
  interface Row {
    id: string;
    type: string;
    status: OperationStatus;
    key: string | null;
    correlation_id: string;
    target_id: string;
    lock_key: string | null;
    input: JsonObject;
    message: string | null;
    error: { code: string } | null;
    started_at: Date | null;
    ended_at: Date | null;
    steps: { name: string; status: StepStatus }[];
    events: { sequence: number; status: OperationStatus; steps: { name: string; status: StepStatus }[] }[];
  }
  const { rows } = await sql.query<Row>(
    `SELECT o.id, o.type, o.status, o.idempotency_key AS key, o.correlation_id, o.target_id, o.lock_key, o.input, o.message,
       o.error, o.started_at, o.ended_at,
       (SELECT json_agg(json_build_object('name', s.name, 'status', s.status) ORDER BY s.position)
        FROM operation_step s WHERE s.operation_id = o.id) AS steps,
       (SELECT json_agg(json_build_object('sequence', e.sequence, 'status', e.snapshot->'status',
            'steps', e.snapshot->'steps') ORDER BY e.sequence)
        FROM operation_event e WHERE e.operation_id = o.id) AS events
     FROM operation o ORDER BY o.created_at, o.id`,
  );
  return rows.map((row) => ({
    id: row.id,
    type: row.type,
    status: row.status,
    key: row.key,
    correlationId: row.correlation_id,
    targetId: row.target_id,
    lockKey: row.lock_key,
    input: row.input,
    message: row.message,
    errorCode: row.error?.code ?? null,
    startedAt: row.started_at?.getTime() ?? null,
    endedAt: row.ended_at?.getTime() ?? null,
    steps: row.steps,
    events: row.events.map(({ sequence, status, steps }) => ({
      sequence,
      status,
      steps: Object.fromEntries(steps.map((step) => [step.name, step.status])),
    })),
  }));
}
