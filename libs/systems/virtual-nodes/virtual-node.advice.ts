import type { RemedyOperation } from '#libs/kernel/control-error.js';
import type { Advice } from '../contract/advice.js';
import type { ConnectorLacks, SubnetFault } from './connector.reading.js';

export const VIRTUAL_NODE_CODES = {
  CONNECTOR_LACKS_ROLE:
    'The identity of the connector has no role where it works: without one it cannot run container groups there.',
  CONNECTOR_SUBNET_WRONG: 'The subnet of the add-on is none that container groups can be in.',
  VIRTUAL_NODE_IN_LOAD_BALANCER:
    'The virtual node does not say that load balancers leave it out: they count it among the machines, which it is not.',
} as const satisfies Record<string, string>;

/** With it a node is left out of load balancers, whatever its value. */
export const OUT_OF_LOAD_BALANCERS = 'node.kubernetes.io/exclude-from-external-load-balancers';

const FAULTS: Readonly<Record<SubnetFault, string>> = {
  missing: 'The network of the nodes has no subnet of this name.',
  'no-network': 'The nodes are in no network of their own.',
  'delegated-elsewhere': 'It is delegated to another service.',
  'in-use': 'Something else is in it.',
  'route-table': 'It has a route table.',
};

/** The role assignments that the connector lacks, ready to be made. */
export function roleOperations({ principalId, rolesMissing }: ConnectorLacks): RemedyOperation[] {
  if (principalId === undefined) return [];
  return rolesMissing.map(({ scope, of, role }) => ({
    type: 'azure.roleAssignment.create',
    input: {
      ...(of === 'group' ? { resourceGroup: scope.toString() } : { scope: scope.toString() }),
      role,
      principalId,
      principalType: 'ServicePrincipal',
    },
  }));
}

/**
 * What is wrong with the connector of a virtual node that is not ready.
 * @param elsewhere what gives the cluster a virtual node in a subnet that is fit; none where nothing does.
 */
export function connectorAdvice(
  cluster: string,
  lacks: ConnectorLacks,
  elsewhere: { subnetName: string; subnetPrefix?: string } | undefined,
): Advice[] {
  const { principalId, rolesMissing, subnetFault, subnetName } = lacks;
  const advice: Advice[] = [];
  if (subnetFault !== undefined) {
    const code = 'CONNECTOR_SUBNET_WRONG';
    const operations: RemedyOperation[] =
      elsewhere === undefined
        ? []
        : [
            { type: 'virtualNodes.disable', input: { cluster, force: true } },
            { type: 'virtualNodes.enable', input: { cluster, ...elsewhere } },
          ];
    advice.push({
      code,
      severity: 'error',
      cause: `${VIRTUAL_NODE_CODES[code]} ${FAULTS[subnetFault]}`,
      evidence: { subnetName, fault: subnetFault },
      remedies: [
        { description: 'Take the virtual node away, and give the cluster one in a subnet of its own.', operations },
      ],
    });
  }
  if (rolesMissing.length > 0) {
    const code = 'CONNECTOR_LACKS_ROLE';
    const roles = rolesMissing.map(({ scope, role }) => ({ scope: scope.toString(), role }));
    const remedies = [{ description: 'Give the identity the role.', operations: roleOperations(lacks) }];
    const ofSubnet = rolesMissing.every(({ of }) => of === 'subnet');
    if (ofSubnet && subnetFault === undefined && subnetName !== null) {
      remedies.unshift({
        description: 'Switch the virtual nodes on once more: that gives the role, and starts the connector anew.',
        operations: [{ type: 'virtualNodes.enable', input: { cluster, subnetName } }],
      });
    }
    advice.push({
      code,
      severity: 'error',
      cause: VIRTUAL_NODE_CODES[code],
      evidence: { principalId: principalId ?? null, roles },
      remedies,
    });
  }
  return advice;
}

export function loadBalancerAdvice(labels: Readonly<Record<string, string>>): Advice[] {
  if (labels[OUT_OF_LOAD_BALANCERS] !== undefined) return [];
  const code = 'VIRTUAL_NODE_IN_LOAD_BALANCER';
  return [
    {
      code,
      severity: 'info',
      cause: VIRTUAL_NODE_CODES[code],
      evidence: { label: OUT_OF_LOAD_BALANCERS },
      remedies: [{ description: `Give the node the label ${OUT_OF_LOAD_BALANCERS}, with any value.`, operations: [] }],
    },
  ];
}
