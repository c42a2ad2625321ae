import type { RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { Advice, AdviceRemedy } from '../../contract/advice.js';
import { rawFlag, rawInteger, rawObject, rawObjects, rawText, rawTexts } from '../../contract/raw-reader.js';
import { describeCsiDriver } from '../csi-driver.kind.js';
import { describeStorageClass } from '../storage-class.kind.js';

export const NON_ROOT_VOLUME_CODES = {
  NON_ROOT_VOLUME_NOT_WRITABLE:
    'A container that does not run as root cannot write to a volume, since the driver does not give the volume to the group of the pod.',
  NON_ROOT_POD_WITHOUT_FS_GROUP:
    'A container that does not run as root cannot write to a volume, since the pod names no group that volumes are to be given to.',
} as const satisfies Record<string, string>;

const DENIED = /permission denied/i;
/** Answers of processes may be pages long. */
const LONGEST_MESSAGE = 500;
/** The file system of the class that is proposed. */
const FS_TYPE = 'ext4';

/** A claim that a pod mounts, with whatever is known behind it. */
export interface MountedClaim {
  /** The name of the volume in the pod. */
  volume: string;
  claim: JsonObject;
  /** The volume that the claim is bound to. */
  persistentVolume: JsonObject | undefined;
  storageClass: JsonObject | undefined;
  driver: { id: string; object: JsonObject } | undefined;
}

export interface VolumeSituation {
  pod: JsonObject;
  /** The uid of the cluster. */
  cluster: string;
  /** The id of the workload that the pod belongs to. */
  workload: string | undefined;
  claims: readonly MountedClaim[];
}

interface FailingContainer {
  name: string;
  /** The user that it runs as; null where only the image says. */
  user: number | null;
  /** What it said last, where it tells. */
  said: string | null;
  volumes: ReadonlySet<string>;
}

/** Whether it is worth looking at the volumes of a pod: a container fails again and again, not as root, and mounts some. */
export function mayBeDeniedItsVolumes(pod: JsonObject): boolean {
  return failingContainers(pod).some(({ volumes }) => volumes.size > 0);
}

/**
 * Kubernetes gives a volume to the group of a pod (`fsGroup`) only if the driver's policy lets it: with
 * `ReadWriteOnceWithFSType` only if the volume is for one node and names a file system. Otherwise it stays root's.
 */
export function nonRootVolumeAdvice(situation: VolumeSituation): Advice[] {
  const fsGroup = rawInteger(situation.pod, 'spec', 'securityContext', 'fsGroup');
  return failingContainers(situation.pod).flatMap((container) =>
    situation.claims
      .filter(({ volume }) => container.volumes.has(volume))
      .flatMap((mounted) => adviceFor(situation, container, mounted, fsGroup)),
  );
}

function adviceFor(
  situation: VolumeSituation,
  container: FailingContainer,
  mounted: MountedClaim,
  fsGroup: number | null,
): Advice[] {
  const { driver } = mounted;
  if (driver === undefined) return [];
  const policy = describeCsiDriver(driver.object).fsGroupPolicy ?? 'ReadWriteOnceWithFSType';
  const fsType = rawText(mounted.persistentVolume, 'spec', 'csi', 'fsType');
  const accessModes = rawTexts(mounted.persistentVolume, 'spec', 'accessModes');
  const given = policy === 'File' || (policy !== 'None' && fsType !== null && accessModes.includes('ReadWriteOnce'));
  const said = container.said !== null && DENIED.test(container.said);
  // A group would change nothing yet where the driver does not hand volumes over: the driver comes first.
  if (given && (fsGroup !== null || !said)) return [];
  const evidence = {
    container: container.name,
    runAsUser: container.user,
    fsGroup,
    claim: rawText(mounted.claim, 'metadata', 'name'),
    storageClass: rawText(mounted.storageClass, 'metadata', 'name'),
    driver: rawText(driver.object, 'metadata', 'name'),
    fsGroupPolicy: policy,
    fsType,
    accessModes,
    message: container.said,
  };
  const code = given ? 'NON_ROOT_POD_WITHOUT_FS_GROUP' : 'NON_ROOT_VOLUME_NOT_WRITABLE';
  const group: AdviceRemedy = {
    description: 'Name a group in spec.securityContext.fsGroup of the pod template, and apply it.',
    operations: [],
  };
  const remedies = given
    ? [group]
    : [...driverRemedies(situation, mounted, driver.id), ...(fsGroup === null ? [group] : [])];
  return [{ code, severity: said ? 'error' : 'warning', cause: NON_ROOT_VOLUME_CODES[code], evidence, remedies }];
}

function driverRemedies(situation: VolumeSituation, mounted: MountedClaim, csiDriver: string): AdviceRemedy[] {
  const { storageClass } = mounted;
  const restart = situation.workload === undefined ? [] : [restartOf(situation.workload)];
  const policy: AdviceRemedy = {
    description:
      'Let the driver give every volume to the group of its pod (Kubernetes 1.20 and later), and make the pods anew.',
    operations: [
      { type: 'kubernetes.csiDriver.setFsGroupPolicy', input: { csiDriver, fsGroupPolicy: 'File' } },
      ...restart,
    ],
  };
  if (storageClass === undefined || describeStorageClass(storageClass).fsType !== null) return [policy];
  return [
    {
      description:
        'Make a class like this one that names a file system (Kubernetes 1.19 and later); then make the claim anew in it: the class of a claim cannot change.',
      operations: [{ type: 'kubernetes.storageClass.create', input: classLike(storageClass, situation.cluster) }],
    },
    policy,
  ];
}

function restartOf(workload: string): RemedyOperation {
  return { type: 'kubernetes.workload.restart', input: { workload } };
}

function classLike(storageClass: JsonObject, cluster: string): JsonObject {
  const { provisioner, parameters, reclaimPolicy, volumeBindingMode, allowVolumeExpansion, mountOptions } =
    describeStorageClass(storageClass);
  return {
    cluster,
    name: `${rawText(storageClass, 'metadata', 'name')}-${FS_TYPE}`,
    provisioner,
    parameters: { ...parameters, fsType: FS_TYPE },
    ...(reclaimPolicy === null ? {} : { reclaimPolicy }),
    ...(volumeBindingMode === null ? {} : { volumeBindingMode }),
    allowVolumeExpansion,
    mountOptions,
  };
}

function failingContainers(pod: JsonObject): FailingContainer[] {
  const statuses = [
    ...rawObjects(pod, 'status', 'initContainerStatuses'),
    ...rawObjects(pod, 'status', 'containerStatuses'),
  ];
  const declared = [...rawObjects(pod, 'spec', 'initContainers'), ...rawObjects(pod, 'spec', 'containers')];
  return declared.flatMap((container) => {
    const name = rawText(container, 'name') ?? '';
    const status = statuses.find((each) => rawText(each, 'name') === name);
    if (status === undefined || !isFailing(status)) return [];
    const said = lastWords(status);
    const user =
      rawInteger(container, 'securityContext', 'runAsUser') ?? rawInteger(pod, 'spec', 'securityContext', 'runAsUser');
    const notRoot =
      rawFlag(container, 'securityContext', 'runAsNonRoot') ?? rawFlag(pod, 'spec', 'securityContext', 'runAsNonRoot');
    // Where nobody but the image says who it runs as, only its own words tell.
    const isOther = user === null ? notRoot === true || (said !== null && DENIED.test(said)) : user !== 0;
    if (!isOther) return [];
    const volumes = rawObjects(container, 'volumeMounts')
      .filter((mount) => rawFlag(mount, 'readOnly') !== true)
      .map((mount) => rawText(mount, 'name') ?? '');
    return [{ name, user, said, volumes: new Set(volumes) }];
  });
}

function isFailing(status: JsonObject): boolean {
  if (rawText(status, 'state', 'waiting', 'reason') === 'CrashLoopBackOff') return true;
  return [rawObject(status, 'state', 'terminated'), rawObject(status, 'lastState', 'terminated')].some(
    (end) => (rawInteger(end, 'exitCode') ?? 0) !== 0,
  );
}

function lastWords(status: JsonObject): string | null {
  const words =
    rawText(status, 'state', 'terminated', 'message') ?? rawText(status, 'lastState', 'terminated', 'message');
  return words === null ? null : words.slice(0, LONGEST_MESSAGE);
}
