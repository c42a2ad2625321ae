import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { resourceUid } from '#libs/kernel/resource-uid.js';
import { Secret } from '#libs/kernel/secret.js';
import { SecretVault } from '#libs/kernel/secret-vault.js';
import { AttachedKubeconfigs } from '#libs/access/attached-kubeconfigs.js';
import type { Caller, Role } from '#libs/access/caller.js';
import { ClusterAccessRepository } from '#libs/access/cluster-access.repository.js';
import { AuditRepository } from '#libs/audit/audit.repository.js';
import { ObservationWriter } from '#libs/inventory/observation.writer.js';
import { ResourceRepository } from '#libs/inventory/resource.repository.js';
import { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { anObservation, canonicalIdOf } from '#libs/testing/observation.factory.js';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { ClusterControl, type ProbeKubeconfig } from './cluster.control.js';

const LAG = { resourceGraphLagSeconds: 0 };
const TOKEN = 'a-very-secret-token-of-a-service-account';
const KUBECONFIG = new Secret(`apiVersion: v1\nusers:\n- name: u\n  user:\n    token: ${TOKEN}\n`);
const KNOWN = resourceUid(canonicalIdOf('known'));
const keys = [randomBytes(32), randomBytes(32)].map((key) => new Secret(key.toString('base64')));

function caller(role: Role): Caller {
  return { principalId: randomUUID(), name: `the ${role}`, role };
}

describe('ClusterControl', () => {
  let test: TestDatabase;
  let resources: ResourceRepository;
  let writer: ObservationWriter;
  let accesses: ClusterAccessRepository;
  let audit: AuditRepository;
  let probes: string[];

  beforeAll(async () => {
    test = await createTestDatabase();
    resources = new ResourceRepository(test.database, LAG);
    writer = new ObservationWriter(LAG);
    accesses = new ClusterAccessRepository(test.database);
    audit = new AuditRepository(test.database);
  });

  afterAll(() => test.drop());

  beforeEach(async () => {
    probes = [];
    await test.database.query('TRUNCATE resource, relation, cluster_access CASCADE');
    const known = anObservation('known', { kind: 'Cluster', observedAt: new Date() });
    const thing = anObservation('thing', { observedAt: new Date() });
    await test.database.transaction((transaction) => writer.apply(transaction, [known, thing], { scopeKey: null }));
  });

  const answering: ProbeKubeconfig = async (kubeconfig) => {
    probes.push(kubeconfig.reveal());
    return { server: 'api.example.test:6443', authentication: 'token', kubernetesVersion: 'v1.32.4' };
  };

  function controlWith(probe: ProbeKubeconfig = answering, vaultKeys = [keys[0]!]): ClusterControl {
    const registry = new SystemRegistry([
      {
        name: 'test',
        kinds: [],
        collectors: [],
        watchers: [
          {
            name: 'pods',
            kinds: [],
            clusterKinds: ['Cluster', 'AttachedCluster'],
            streams: [],
            isWatched: () => true,
            watch: async function* () {},
            observe: async () => ({ state: 'absent', observedAt: new Date() }),
          },
        ],
        operations: [],
      },
    ]);
    return new ClusterControl({
      database: test.database,
      registry,
      resources,
      writer,
      kubeconfigs: new AttachedKubeconfigs(accesses, new SecretVault(vaultKeys)),
      accesses,
      audit,
      probe,
      clock: systemClock,
    });
  }

  const call = () => ({ correlationId: randomUUID(), signal: new AbortController().signal });
  const attach = (name: string, control = controlWith(), by = caller('admin')) =>
    control.attach(by, { name, kubeconfig: KUBECONFIG }, call());
  const events = async (correlationId: string) =>
    (
      await test.database.query<{ action: string; outcome: string }>(
        'SELECT action, outcome FROM audit_event WHERE correlation_id = $1 ORDER BY sequence',
        [correlationId],
      )
    ).rows;
  const stored = async (): Promise<string> => {
    const { rows } = await test.database.query<{ content: string }>(
      `SELECT string_agg(query_to_xml(format('SELECT * FROM %I.%I', table_schema, table_name), true, false, '')::text, '') AS content
       FROM information_schema.tables
       WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
    );
    return rows[0]?.content ?? '';
  };
  const base64Of = (text: string) => Buffer.from(text).toString('base64').slice(2, -4);

  it('attaches a cluster: it is tried, known, recorded, and its kubeconfig can be read nowhere', async () => {
    const { correlationId, signal } = call();
    const view = await controlWith().attach(
      caller('admin'),
      { name: 'edge-1', kubeconfig: KUBECONFIG },
      { correlationId, signal },
    );
    expect(view).toMatchObject({ kind: 'AttachedCluster', name: 'edge-1', kubernetesVersion: 'v1.32.4' });
    expect(probes).toEqual([KUBECONFIG.reveal()]);
    expect(await resources.find(view.uid)).toMatchObject({ kind: 'AttachedCluster', name: 'edge-1' });
    expect(await events(correlationId)).toEqual([{ action: 'cluster.attached', outcome: 'succeeded' }]);
    const everything = await stored();
    expect(everything).toContain('edge-1');
    for (const secret of [TOKEN, base64Of(TOKEN), base64Of(KUBECONFIG.reveal()), Buffer.from(TOKEN).toString('hex')]) {
      expect(everything).not.toContain(secret);
    }
    const opened = await new AttachedKubeconfigs(accesses, new SecretVault([keys[0]!])).open(view.uid);
    expect(opened?.reveal()).toBe(KUBECONFIG.reveal());
  });

  it('refuses a name that is taken, also when two ask at the same moment', async () => {
    const results = await Promise.allSettled([attach('twice'), attach('twice')]);
    expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected']);
    await expect(attach('twice')).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it.each([
    { reason: 'the kubeconfig cannot be used', error: new ControlError('INVALID_KUBECONFIG', 'No.') },
    { reason: 'the cluster does not answer', error: new ControlError('KUBERNETES_UNAVAILABLE', 'No.') },
  ])('keeps nothing when $reason', async ({ error }) => {
    const control = controlWith(async () => Promise.reject(error));
    await expect(attach('not-this', control)).rejects.toMatchObject({ code: error.code });
    expect((await test.database.query('SELECT FROM cluster_access')).rowCount).toBe(0);
    expect((await resources.page({ kinds: ['AttachedCluster'], limit: 10 })).rows).toEqual([]);
  });

  it('keeps nothing without a key to keep it with', async () => {
    await expect(attach('no-key', controlWith(answering, []))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect((await resources.page({ kinds: ['AttachedCluster'], limit: 10 })).rows).toEqual([]);
  });

  it.each([
    { role: 'viewer' as const, reason: 'who may only read' },
    { role: 'operator' as const, reason: 'who may change clusters but not whom Pilothouse speaks as' },
  ])('refuses a $role, $reason, and records that', async ({ role }) => {
    const { correlationId, signal } = call();
    const request = { name: 'denied', kubeconfig: KUBECONFIG };
    await expect(controlWith().attach(caller(role), request, { correlationId, signal })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    expect(await events(correlationId)).toEqual([{ action: 'cluster.attach-denied', outcome: 'denied' }]);
    expect(probes).toEqual([]);
  });

  it('gives and takes away access to a cluster that is known', async () => {
    const control = controlWith();
    const admin = caller('admin');
    expect(await control.giveAccess(admin, KNOWN.toUpperCase(), KUBECONFIG, call())).toMatchObject({
      clusterUid: KNOWN,
      server: 'api.example.test:6443',
      attachedBy: 'the admin',
    });
    expect(await control.getAccess(caller('viewer'), KNOWN)).toMatchObject({ authentication: 'token' });
    await control.removeAccess(admin, KNOWN, call());
    await control.removeAccess(admin, KNOWN, call());
    await expect(control.getAccess(admin, KNOWN)).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
  });

  it.each([
    { uid: randomUUID(), reason: 'unknown' },
    { uid: resourceUid(canonicalIdOf('thing')), reason: 'no cluster' },
    { uid: 'nonsense', reason: 'not a uid' },
  ])('does not know a cluster that is $reason', async ({ uid }) => {
    await expect(controlWith().giveAccess(caller('admin'), uid, KUBECONFIG, call())).rejects.toMatchObject({
      code: 'RESOURCE_NOT_FOUND',
    });
  });

  it('detaches what was attached, and nothing else', async () => {
    const control = controlWith();
    const { uid } = await attach('gone');
    await control.detach(caller('admin'), uid, call());
    expect(await resources.find(uid)).toBeNull();
    expect(await accesses.find(uid)).toBeUndefined();
    await expect(control.detach(caller('admin'), KNOWN, call())).rejects.toMatchObject({ code: 'CONFLICT' });
    expect((await attach('gone')).uid).toBe(uid);
  });

  it('seals everything with the new key after the keys were changed', async () => {
    const { uid } = await attach('rotated');
    const changed = new AttachedKubeconfigs(accesses, new SecretVault([keys[1]!, keys[0]!]));
    expect(await changed.resealAll()).toBe(1);
    expect(await changed.resealAll()).toBe(0);
    const withoutOldKey = new AttachedKubeconfigs(accesses, new SecretVault([keys[1]!]));
    expect((await withoutOldKey.open(uid))?.reveal()).toBe(KUBECONFIG.reveal());
  });
});
