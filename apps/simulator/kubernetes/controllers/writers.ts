import type { ObjectWriter } from '../cluster.objects.js';

/** Names a control loop of the controller manager as a real cluster does. */
function controllerManager(controller: string): ObjectWriter {
  return { manager: 'kube-controller-manager', user: `system:serviceaccount:kube-system:${controller}` };
}

export const WRITERS = {
  deployment: controllerManager('deployment-controller'),
  replicaSet: controllerManager('replicaset-controller'),
  statefulSet: controllerManager('statefulset-controller'),
  daemonSet: controllerManager('daemon-set-controller'),
  job: controllerManager('job-controller'),
  namespace: controllerManager('namespace-controller'),
  serviceAccount: controllerManager('service-account-controller'),
  rootCertificate: controllerManager('root-ca-cert-publisher'),
  garbageCollector: controllerManager('generic-garbage-collector'),
  podGarbageCollector: controllerManager('pod-garbage-collector'),
  endpoint: controllerManager('endpoint-controller'),
  endpointSlice: controllerManager('endpointslice-controller'),
  node: controllerManager('node-controller'),
  volume: controllerManager('persistent-volume-binder'),
  cloud: { manager: 'cloud-controller-manager', user: 'system:serviceaccount:kube-system:azure-cloud-provider' },
  scheduler: { manager: 'kube-scheduler', user: 'system:kube-scheduler' },
  provisioner: { manager: 'csi-provisioner', user: 'system:serviceaccount:kube-system:csi-azuredisk-controller-sa' },
} as const satisfies Record<string, ObjectWriter>;

export function kubeletOf(node: string): ObjectWriter {
  return { manager: 'kubelet', user: `system:node:${node}` };
}
