import { ArmId } from '#libs/kernel/arm-id.js';
import type { RemedyOperation } from '#libs/kernel/control-error.js';
import type { Kube } from '#libs/kube/kube.js';
import type { Advice, AdviceContext, Advisor, KnownObject } from '../contract/advice.js';
import { workloadOf } from '../contract/pod-workload.js';
import { connectorOf } from './aci-connector.js';
import { unlessForbidden } from './connector.reading.js';
import { CONTAINER_GROUP_CODES, containerGroupAdvice, isPublic } from './container-group.advice.js';
import { containerGroupKind } from './container-group.kind.js';
import { roomForSubnet } from './network.kinds.js';
import { networkFaults } from './network-profile.rules.js';
import { ServedPodsReader } from './served-pods.reader.js';
import { virtualNodeKind } from './virtual-node.kind.js';
import type { VirtualNodesClient } from './virtual-nodes.client.js';

const POD_KIND = 'Pod';

/** Gathers what the rules about container groups have to know: from the cache, and of the network from Azure. */
export class ContainerGroupAdvisor implements Advisor {
  readonly kind = containerGroupKind.name;
  readonly codes = CONTAINER_GROUP_CODES;

  constructor(
    private readonly client: VirtualNodesClient,
    private readonly kube: Kube,
  ) {}

  async advise(group: KnownObject, context: AdviceContext): Promise<Advice[]> {
    if (!isPublic(group)) {
      return containerGroupAdvice({ group, workload: undefined, virtualNodes: [], enabling: undefined });
    }
    const [virtualNodes, workload, enabling] = await Promise.all([
      context.inCluster(virtualNodeKind.name),
      this.#workloadOf(group, context),
      this.#enabling(group, context),
    ]);
    return containerGroupAdvice({ group, workload, virtualNodes, enabling });
  }

  async #workloadOf({ clusterUid, properties }: KnownObject, context: AdviceContext): Promise<string | undefined> {
    const { podName, podNamespace } = containerGroupKind.describe(properties);
    if (clusterUid === null || podNamespace === null) return undefined;
    const pods = await context.inCluster(POD_KIND);
    const pod = pods.find(({ name, namespace }) => name === podName && namespace === podNamespace);
    return pod === undefined ? undefined : workloadOf(pod.properties, clusterUid, podNamespace);
  }

  /** With a subnet that is free for it: one that is delegated already, or a range that nobody has. */
  async #enabling({ id }: KnownObject, context: AdviceContext): Promise<RemedyOperation | undefined> {
    const cluster = await new ServedPodsReader(this.client, this.kube, context).clusterOf(ArmId.parse(id));
    if (cluster === undefined) return undefined;
    const reading = await unlessForbidden(() => this.client.get(cluster, context));
    if (reading === 'forbidden' || reading.state === 'missing') return undefined;
    const { network } = connectorOf(reading.body);
    if (network === undefined || networkFaults(reading.body).length > 0) return undefined;
    const look = await unlessForbidden(() => this.client.get(network, context));
    const subnet =
      look === 'forbidden' || look.state === 'missing' ? undefined : roomForSubnet(look.body, reading.body);
    if (subnet === undefined) return undefined;
    return { type: 'virtualNodes.enable', input: { cluster: cluster.toString(), ...subnet } };
  }
}
