import type { EstateWorkloads } from '../estate.schema.js';
import type { ClusterObjects, ObjectWriter } from './cluster.objects.js';

const WRITER: ObjectWriter = { manager: 'kubectl-create', user: 'masterclient' };
/** Ten deployments a namespace, as teams have them. */
const DEPLOYMENTS_OF_A_NAMESPACE = 10;

/** Deployments whose replicas add up to the pods asked for; the cluster's own controllers make the pods. */
export function seedWorkloads(objects: ClusterObjects, { deployments, pods }: EstateWorkloads): void {
  for (let index = 0; index < deployments; index++) {
    const namespace = `team-${String(Math.floor(index / DEPLOYMENTS_OF_A_NAMESPACE) + 1).padStart(3, '0')}`;
    if (index % DEPLOYMENTS_OF_A_NAMESPACE === 0) {
      objects.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }, WRITER);
    }
    // What cannot be shared out evenly goes to the first ones.
    const replicas = Math.floor(pods / deployments) + (index < pods % deployments ? 1 : 0);
    const name = `web-${String(index + 1).padStart(5, '0')}`;
    const labels = { app: name };
    objects.create(
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name, namespace, labels },
        spec: {
          replicas,
          selector: { matchLabels: labels },
          template: {
            metadata: { labels },
            spec: { containers: [{ name: 'web', image: 'mcr.microsoft.com/azuredocs/aks-helloworld:v1' }] },
          },
        },
      },
      WRITER,
    );
  }
}
