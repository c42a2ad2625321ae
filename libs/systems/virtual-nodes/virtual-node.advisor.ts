import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { Advice, AdviceContext, Advisor, KnownObject } from '../contract/advice.js';
import type { ClusterDirectory } from '../contract/cluster-directory.js';
import { rawTextRecord } from '../contract/raw-reader.js';
import { virtualNatureOf } from '../contract/virtual-nature.js';
import { connectorOf } from './aci-connector.js';
import { lookAtConnector, unlessForbidden } from './connector.reading.js';
import { roomForSubnet } from './network.kinds.js';
import { VIRTUAL_NODE_CODES, connectorAdvice, loadBalancerAdvice } from './virtual-node.advice.js';
import { isReady, virtualNodeKind } from './virtual-node.kind.js';
import type { VirtualNodesClient } from './virtual-nodes.client.js';

/** Gathers what the rules about virtual nodes have to know: of the connector, from Azure. */
export class VirtualNodeAdvisor implements Advisor {
  readonly kind = virtualNodeKind.name;
  readonly codes = VIRTUAL_NODE_CODES;

  constructor(
    private readonly client: VirtualNodesClient,
    private readonly clusters: ClusterDirectory,
  ) {}

  async advise({ clusterUid, properties }: KnownObject, context: AdviceContext): Promise<Advice[]> {
    const labels = loadBalancerAdvice(rawTextRecord(properties, 'metadata', 'labels'));
    if (isReady(properties) || virtualNatureOf(properties).nature !== 'aci-connector-addon') return labels;
    const cluster = clusterUid === null ? undefined : await this.clusters.find(clusterUid);
    const id = cluster === undefined ? undefined : ArmId.tryParse(cluster.id);
    if (id === undefined) return labels;
    const reading = await unlessForbidden(() => this.client.get(id, context));
    if (reading === 'forbidden' || reading.state === 'missing' || !connectorOf(reading.body).enabled) return labels;
    const lacks = await lookAtConnector(this.client, id, reading.body, undefined, context);
    const elsewhere = lacks.subnetFault === undefined ? undefined : await this.#elsewhere(reading.body, context);
    return [...connectorAdvice(id.toString(), lacks, elsewhere), ...labels];
  }

  async #elsewhere(
    cluster: JsonObject,
    context: AdviceContext,
  ): Promise<{ subnetName: string; subnetPrefix?: string } | undefined> {
    const { network } = connectorOf(cluster);
    const look = network === undefined ? undefined : await this.client.get(network, context);
    return look === undefined || look.state === 'missing' ? undefined : roomForSubnet(look.body, cluster);
  }
}
