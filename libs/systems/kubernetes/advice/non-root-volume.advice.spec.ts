import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { csiDriver, storageClass } from '#libs/testing/kubernetes-samples.js';
import { mayBeDeniedItsVolumes, nonRootVolumeAdvice } from './non-root-volume.advice.js';

const DRIVER = 'disk.csi.akshci.com';
const DRIVER_ID = `kubernetes://c/storage.k8s.io/CSIDriver/${DRIVER}`;
const WORKLOAD = 'kubernetes://c/apps/Deployment/web/agent';
const DENIED = 'Unable to initialize agent. Error: mkdir /var/log/agent: permission denied';

interface Given {
  /** Of the pod. */
  security?: JsonObject;
  /** Of the container. */
  container?: JsonObject;
  mount?: JsonObject;
  said?: string | null;
  running?: true;
  policy?: string;
  fsType?: string;
  accessMode?: string;
  classParameters?: JsonObject;
  workload?: string;
}

function situationOf(given: Given) {
  const { said = DENIED } = given;
  const ended = { exitCode: 1, reason: 'Error', ...(said === null ? {} : { message: said }) };
  const failing = { state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: ended } };
  const pod: JsonObject = {
    spec: {
      securityContext: given.security ?? { runAsUser: 1000, fsGroup: 2000 },
      containers: [
        {
          name: 'agent',
          securityContext: given.container ?? {},
          volumeMounts: [{ name: 'data', mountPath: '/var/log', ...given.mount }],
        },
      ],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'agent-data' } }],
    },
    status: {
      containerStatuses: [{ name: 'agent', ...(given.running ? { state: { running: {} } } : failing) }],
    },
  };
  return {
    pod,
    cluster: 'c',
    workload: 'workload' in given ? given.workload : WORKLOAD,
    claims: [
      {
        volume: 'data',
        claim: { metadata: { name: 'agent-data' } },
        persistentVolume: {
          spec: {
            accessModes: [given.accessMode ?? 'ReadWriteOnce'],
            csi: { driver: DRIVER, ...(given.fsType === undefined ? {} : { fsType: given.fsType }) },
          },
        },
        storageClass: storageClass('default', { parameters: given.classParameters ?? { dynamic: 'true' } }),
        driver: {
          id: DRIVER_ID,
          object: csiDriver(DRIVER, { fsGroupPolicy: given.policy ?? 'ReadWriteOnceWithFSType' }),
        },
      },
    ],
  };
}

const OF_DRIVER = 'NON_ROOT_VOLUME_NOT_WRITABLE';
const OF_POD = 'NON_ROOT_POD_WITHOUT_FS_GROUP';

describe('pods that do not run as root and cannot write to their volumes', () => {
  it.each<{ given: Given; found: string[]; reason: string }>([
    { given: {}, found: [`error ${OF_DRIVER}`], reason: 'no file system is named, so the volume stays with root' },
    {
      given: { said: null },
      found: [`warning ${OF_DRIVER}`],
      reason: 'it does not say why it fails, but this is wrong',
    },
    { given: { said: 'out of disk' }, found: [`warning ${OF_DRIVER}`], reason: 'it says something else' },
    { given: { said: 'open /x: Permission Denied' }, found: [`error ${OF_DRIVER}`], reason: 'in any case' },
    { given: { policy: 'None' }, found: [`error ${OF_DRIVER}`], reason: 'the driver hands over nothing' },
    { given: { policy: 'None', fsType: 'ext4' }, found: [`error ${OF_DRIVER}`], reason: 'whatever the file system' },
    { given: { policy: 'File' }, found: [], reason: 'the volume was given to the group' },
    { given: { fsType: 'ext4' }, found: [], reason: 'the volume names a file system' },
    {
      given: { fsType: 'ext4', accessMode: 'ReadWriteMany' },
      found: [`error ${OF_DRIVER}`],
      reason: 'a volume for many nodes is not handed over',
    },
    {
      given: { security: { runAsUser: 1000 } },
      found: [`error ${OF_DRIVER}`],
      reason: 'the driver is in the way first',
    },
    {
      given: { security: { runAsUser: 1000 }, policy: 'File' },
      found: [`error ${OF_POD}`],
      reason: 'no group is named',
    },
    {
      given: { security: { runAsUser: 1000 }, policy: 'File', said: 'exit' },
      found: [],
      reason: 'nothing says that it is about the volume',
    },
    { given: { security: { runAsUser: 0 } }, found: [], reason: 'root may write' },
    { given: { container: { runAsUser: 0 } }, found: [], reason: 'the container decides for itself' },
    { given: { security: { fsGroup: 1, runAsNonRoot: true } }, found: [`error ${OF_DRIVER}`], reason: 'not as root' },
    {
      given: { security: { fsGroup: 1 } },
      found: [`error ${OF_DRIVER}`],
      reason: 'the image says who, and it was denied',
    },
    { given: { security: { fsGroup: 1 }, said: null }, found: [], reason: 'nobody says that it is not root' },
    { given: { mount: { readOnly: true } }, found: [], reason: 'it does not want to write' },
    { given: { mount: { name: 'other' } }, found: [], reason: 'it does not mount the claim' },
    { given: { running: true }, found: [], reason: 'it runs' },
  ])('$found when $reason', ({ given, found }) => {
    const advice = nonRootVolumeAdvice(situationOf(given));
    expect(advice.map(({ code, severity }) => `${severity} ${code}`)).toEqual(found);
  });

  it('tells what it rests on', () => {
    expect(nonRootVolumeAdvice(situationOf({}))[0]?.evidence).toEqual({
      container: 'agent',
      runAsUser: 1000,
      fsGroup: 2000,
      claim: 'agent-data',
      storageClass: 'default',
      driver: DRIVER,
      fsGroupPolicy: 'ReadWriteOnceWithFSType',
      fsType: null,
      accessModes: ['ReadWriteOnce'],
      message: DENIED,
    });
  });

  it('names both ways out, with inputs that can be sent', () => {
    const [advice] = nonRootVolumeAdvice(situationOf({}));
    expect(advice?.remedies.map(({ operations }) => operations)).toEqual([
      [
        {
          type: 'kubernetes.storageClass.create',
          input: {
            cluster: 'c',
            name: 'default-ext4',
            provisioner: DRIVER,
            parameters: { dynamic: 'true', fsType: 'ext4' },
            reclaimPolicy: 'Delete',
            volumeBindingMode: 'Immediate',
            allowVolumeExpansion: true,
            mountOptions: [],
          },
        },
      ],
      [
        { type: 'kubernetes.csiDriver.setFsGroupPolicy', input: { csiDriver: DRIVER_ID, fsGroupPolicy: 'File' } },
        { type: 'kubernetes.workload.restart', input: { workload: WORKLOAD } },
      ],
    ]);
  });

  it.each([
    {
      given: { classParameters: { fsType: 'xfs' } },
      types: [['kubernetes.csiDriver.setFsGroupPolicy', 'kubernetes.workload.restart']],
      reason: 'another class would be the same',
    },
    {
      given: { workload: undefined, classParameters: { fsType: 'xfs' } },
      types: [['kubernetes.csiDriver.setFsGroupPolicy']],
      reason: 'a pod of its own cannot be restarted',
    },
    { given: { security: { runAsUser: 1 }, policy: 'File' }, types: [[]], reason: 'people have to name a group' },
  ] as { given: Given; types: string[][]; reason: string }[])('offers $types: $reason', ({ given, types }) => {
    const [advice] = nonRootVolumeAdvice(situationOf(given));
    expect(advice?.remedies.map(({ operations }) => operations.map(({ type }) => type))).toEqual(types);
  });

  it('is not looked for where nothing fails', () => {
    expect(mayBeDeniedItsVolumes(situationOf({ running: true }).pod)).toBe(false);
    expect(mayBeDeniedItsVolumes(situationOf({}).pod)).toBe(true);
  });

  it('knows nothing about volumes without a driver', () => {
    const { claims, ...situation } = situationOf({});
    const undriven = claims.map((claim) => ({ ...claim, driver: undefined }));
    expect(nonRootVolumeAdvice({ ...situation, claims: undriven })).toEqual([]);
  });
});
