import type { ClusterView } from './cluster.view.js';
import type { Container, Pod } from './kubernetes.types.js';

/** What servers take where a driver is not registered, or does not say. */
const DEFAULT_POLICY = 'ReadWriteOnceWithFSType';

/**
 * What a container says when it cannot write to a volume; undefined when nothing is in its way. A new volume belongs to
 * root. It is given to the group of the pod (`fsGroup`) only where the driver's policy lets it be, so that a process which
 * is not root can write to it.
 */
export function volumeRefusal(pod: Pod, view: ClusterView): string | undefined {
  for (const container of pod.spec.containers) {
    if (runsAsRoot(pod, container)) continue;
    const mount = (container.volumeMounts ?? []).find(
      (candidate) => candidate.readOnly !== true && !isWritable(pod, candidate.name, view),
    );
    if (mount !== undefined) {
      const folder = `${mount.mountPath.replace(/\/$/, '')}/${container.name}`;
      return `Unable to initialize ${container.name}. Error: mkdir ${folder}: permission denied`;
    }
  }
  return undefined;
}

/** Where neither the pod nor the container says so, the image decides, and most of them run as root. */
function runsAsRoot(pod: Pod, container: Container): boolean {
  const user = container.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser;
  if (user !== undefined) return user === 0;
  return (container.securityContext?.runAsNonRoot ?? pod.spec.securityContext?.runAsNonRoot) !== true;
}

function isWritable(pod: Pod, volumeName: string, view: ClusterView): boolean {
  const claimName = pod.spec.volumes?.find(({ name }) => name === volumeName)?.persistentVolumeClaim?.claimName;
  if (claimName === undefined) return true;
  const claim = view.get('persistentvolumeclaims', pod.metadata.namespace, claimName);
  const volume =
    claim?.spec.volumeName === undefined ? undefined : view.get('persistentvolumes', undefined, claim.spec.volumeName);
  const csi = volume?.spec.csi;
  if (volume === undefined || csi === undefined) return true;
  if (pod.spec.securityContext?.fsGroup === undefined) return false;
  const policy = view.get('csidrivers.storage.k8s.io', undefined, csi.driver)?.spec.fsGroupPolicy ?? DEFAULT_POLICY;
  if (policy !== DEFAULT_POLICY) return policy === 'File';
  return csi.fsType !== undefined && (volume.spec.accessModes ?? []).includes('ReadWriteOnce');
}
