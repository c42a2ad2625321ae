import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { FakeKube } from '#libs/testing/fake-kube.js';
import { csiDriver, watchedCluster } from '#libs/testing/kubernetes-samples.js';
import { contextOf, targetOf } from '../contract/system.contract-suite.js';
import type { OperationDefinition } from '../contract/operation-definition.js';
import { createKubernetesOperations } from './kubernetes.operations.js';
import { minorVersionOf } from './server-version.js';

const { uid } = watchedCluster();
const NAME = 'disk.csi.akshci.com';
const ID = `kubernetes://${uid}/storage.k8s.io/CSIDriver/${NAME}`;
const DRIVER = { group: 'storage.k8s.io', kind: 'CSIDriver' };

interface Given {
  version?: string;
  spec?: JsonObject;
  metadata?: JsonObject;
  absent?: true;
  policy?: string;
}

function world({ version = 'v1.30.4', spec = {}, metadata = {}, absent, policy = 'File' }: Given = {}) {
  const kube = new FakeKube();
  const cluster = kube.cluster(uid);
  cluster.gitVersion = version;
  if (absent === undefined) cluster.add(csiDriver(NAME, spec, metadata));
  const operation: OperationDefinition = createKubernetesOperations(kube).find(({ type }) =>
    type.endsWith('setFsGroupPolicy'),
  )!;
  const input = operation.input.parse({ csiDriver: ID, fsGroupPolicy: policy });
  const context = contextOf(operation, input, { csiDriver: targetOf(ID, 'CsiDriver') });
  const outputs: Record<string, JsonObject> = {};
  const step = async (name: string) => {
    const found = operation.steps.find((each) => each.name === name)!;
    const outcome = await found.run({ ...context, outputs, resumeToken: undefined, attempt: 1 });
    if (outcome.outcome === 'done' && outcome.output !== undefined) outputs[name] = outcome.output as JsonObject;
    return outcome;
  };
  return {
    kube,
    cluster,
    step,
    codes: async () => (await operation.preflight(context)).map(({ code, severity }) => `${code}:${severity}`),
    plan: () => operation.plan!(context),
    verify: () => operation.verify(context),
    driver: () => cluster.object(DRIVER, undefined, NAME),
  };
}

const RUNNING = 'RUNNING_PODS_KEEP_VOLUMES:info';

describe('setting the group policy of a driver: checks', () => {
  it.each<{ given: Given; found: string[]; reason: string }>([
    { given: {}, found: [RUNNING], reason: 'all is well' },
    { given: { absent: true }, found: ['DRIVER_NOT_FOUND:error'], reason: 'there is none' },
    { given: { policy: 'ReadWriteOnceWithFSType' }, found: ['POLICY_SET:info'], reason: 'nothing to do' },
    { given: { spec: { fsGroupPolicy: 'File' } }, found: ['POLICY_SET:info'], reason: 'it was set before' },
    { given: { version: 'v1.19.11' }, found: ['VERSION_TOO_OLD:error'], reason: '1.19 does not have the field on' },
    {
      given: { version: 'v1.28.5' },
      found: ['DRIVER_MADE_ANEW:warning', RUNNING],
      reason: 'the field is immutable up to 1.28',
    },
    {
      given: { metadata: { labels: { 'addonmanager.kubernetes.io/mode': 'Reconcile' } } },
      found: ['DRIVER_KEPT_BY_OTHER:warning', RUNNING],
      reason: 'the add-on manager puts it back',
    },
    {
      given: { metadata: { ownerReferences: [{ kind: 'ClusterStorage', name: 'x' }] } },
      found: ['DRIVER_KEPT_BY_OTHER:warning', RUNNING],
      reason: 'its owner puts it back',
    },
    {
      given: { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } },
      found: ['DRIVER_DELETING:error', RUNNING],
      reason: 'it is going',
    },
  ])('$found when $reason', async ({ given, found }) => {
    expect(await world(given).codes()).toEqual(found);
  });

  it.each([
    { version: 'v1.30.0', denied: 'patch', reason: 'a change' },
    { version: 'v1.28.0', denied: 'create', reason: 'what comes after the deletion' },
  ])('says before it begins that $reason is not allowed', async ({ version, denied }) => {
    const { cluster, codes } = world({ version });
    cluster.mayDo = ({ verb }) => ({ allowed: verb !== denied, reason: 'no role' });
    expect(await codes()).toContain('ACCESS_DENIED:error');
  });
});

describe('setting the group policy of a driver', () => {
  it.each([
    { version: 'v1.30.4', plan: 'change', writes: [`patch CSIDriver ${NAME}`], reason: 'changes it' },
    {
      version: 'v1.28.5',
      plan: 'recreate',
      writes: [`delete CSIDriver ${NAME}`, `create CSIDriver ${NAME}`],
      reason: 'makes it anew, as it was',
    },
  ])('on $version $reason', async ({ version, plan, writes }) => {
    const {
      kube,
      step,
      driver,
      verify,
      plan: planned,
    } = world({ version, metadata: { annotations: { kept: 'yes' } } });
    expect(await planned()).toMatchObject({ action: plan, before: 'ReadWriteOnceWithFSType', after: 'File' });
    expect(await step('remember')).toMatchObject({ outcome: 'done' });
    expect(await step('policy')).toMatchObject({ outcome: 'done' });
    expect(kube.writes()).toEqual(writes);
    expect(driver()).toMatchObject({
      metadata: { annotations: { kept: 'yes' } },
      spec: { fsGroupPolicy: 'File', attachRequired: true, podInfoOnMount: true },
    });
    expect(await verify()).toMatchObject({ verdict: 'reached', result: { fsGroupPolicy: 'File' } });
    // Run again after a crash at the very end, it does nothing.
    expect(await step('policy')).toMatchObject({ outcome: 'done' });
    expect(kube.writes()).toEqual(writes);
  });

  it('brings the driver back after a crash between its deletion and its return', async () => {
    const { cluster, step, driver } = world({ version: 'v1.28.5' });
    await step('remember');
    cluster.remove(DRIVER, undefined, NAME);
    expect(await step('policy')).toMatchObject({ outcome: 'done' });
    expect(driver()).toMatchObject({ spec: { fsGroupPolicy: 'File', podInfoOnMount: true } });
  });

  it('leaves a driver alone that somebody else has made in between', async () => {
    const { cluster, step } = world({ version: 'v1.28.5' });
    await step('remember');
    cluster.add(csiDriver(NAME, {}, { uid: 'another' }));
    expect(await step('policy')).toMatchObject({ outcome: 'blocked' });
  });

  it('is missed where the policy was set back', async () => {
    expect(await world().verify()).toMatchObject({ verdict: 'missed' });
    expect(await world({ absent: true }).verify()).toMatchObject({ verdict: 'missed' });
  });
});

it.each([
  { version: 'v1.32.13', minor: 32 },
  { version: '1.27.3-hci', minor: 27 },
  { version: 'v1.9', minor: 9 },
  { version: 'v2.0.0', minor: undefined },
  { version: 'unknown', minor: undefined },
])('the minor version of $version is $minor', ({ version, minor }) => {
  expect(minorVersionOf(version)).toBe(minor);
});
