import { z } from 'zod';
import { ControlError } from '#libs/kernel/control-error.js';
import { OBJECT_ID_COMMAND } from '../contract/cluster-work.failures.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type { OperationContext, OperationDefinition, Verification } from '../contract/operation-definition.js';
import { rawObjects, rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import {
  CLUSTER_ROLE,
  CLUSTER_ROLE_BINDING,
  GRANT_ROLES,
  belongsElsewhere,
  bindingName,
  lookAtAgents,
} from './arc-agents.js';
import { objectIdInput } from './arc-names.js';
import type { ArcParts } from './arc-parts.js';
import { clusterIdOf } from './arc-preflight.js';
import { connectedClusterKind, observeConnectedCluster } from './connected-cluster.kind.js';
import { LEAST_RULES, applyGrant, roleName } from './custom-location-grant.js';
import { clientOf, lookInto, reachFindings, readObject, seenOr } from './reached-cluster.js';

const grantInput = z.strictObject({
  cluster: resourceReference('The connected cluster'),
  objectId: objectIdInput.describe(
    `The object id of the provider of custom locations in your tenant: \`${OBJECT_ID_COMMAND}\`.`,
  ),
  role: z
    .enum(GRANT_ROLES)
    .default('least-privilege')
    .describe(
      'What it may do: make namespaces and bind roles in them (`least-privilege`), or everything (`cluster-admin`), for extensions that need more.',
    ),
});
type GrantInput = z.output<typeof grantInput>;

const grantFindings = {
  CLUSTER_NOT_FOUND: 'Azure does not know the cluster.',
  ...reachFindings,
  AGENTS_OF_OTHER_CLUSTER:
    'The attached kubeconfig leads to a cluster whose agents belong to another connected cluster.',
  GRANT_NOT_ALLOWED: 'The attached credential may not give these rights: nobody can give more than they have.',
  WIDE_ROLE: 'The provider could do everything in the cluster.',
  GRANT_EXISTS: 'The provider has these rights already.',
  OTHER_OBJECT_BOUND: 'Another object id is bound: it loses what Pilothouse gave it.',
} as const satisfies Record<string, string>;

export function grantCustomLocations(parts: ArcParts): OperationDefinition<typeof grantInput> {
  return {
    type: 'arc.customLocation.grant',
    title: 'Give custom locations their rights',
    description:
      'Lets the provider of custom locations do its work in a cluster, by a ClusterRoleBinding for its object id: with the least rights unless more is asked for.',
    permission: 'arc/customLocations/grant',
    input: grantInput,
    references: { cluster: [connectedClusterKind.name] },
    timeoutSeconds: 900,
    findings: grantFindings,
    target(_input, references) {
      const id = clusterIdOf({ references });
      return { id: id.toString(), kind: connectedClusterKind.name, lock: `${id.canonical}/features` };
    },
    preflight: (context) => preflightGrant(parts, context),
    steps: [
      {
        name: 'grant',
        description: 'Applies the role and its binding in the cluster.',
        async run(context) {
          const { role, objectId } = context.input;
          await applyGrant(clientOf(parts, clusterIdOf(context)), role, objectId, context);
          return { outcome: 'done', message: `${objectId} is bound to the role ${roleName(role)}.` };
        },
      },
    ],
    verify: (context) => verifyGrant(parts, context),
  };
}

async function preflightGrant(parts: ArcParts, context: OperationContext<GrantInput>): Promise<Finding[]> {
  const { role, objectId } = context.input;
  const id = clusterIdOf(context);
  const findings: Finding[] = [];
  const say = findingReporter(grantFindings, findings);
  const reading = await parts.client.get(id, context);
  if (reading.state === 'missing') {
    say('CLUSTER_NOT_FOUND', 'error', { cluster: id.toString() });
    return findings;
  }
  const cluster = clientOf(parts, id);
  const rbac = CLUSTER_ROLE_BINDING.group;
  const look = await lookInto(async () => ({
    agents: await lookAtAgents(cluster, context),
    binding: await readObject(cluster, CLUSTER_ROLE_BINDING, undefined, bindingName(role), context),
    bind: await cluster.mayI({ verb: 'create', group: rbac, resource: 'clusterrolebindings' }, context),
    all: await cluster.mayI({ verb: '*', group: '*', resource: '*' }, context),
    escalate: await cluster.mayI({ verb: 'escalate', group: rbac, resource: 'clusterroles' }, context),
  }));
  const seen = seenOr(look, 'error', say);
  if (seen === undefined) return findings;
  if (belongsElsewhere(seen.agents, id)) {
    const remedy = 'Attach the kubeconfig of this cluster (PUT /v1/clusters/{uid}/access).';
    say('AGENTS_OF_OTHER_CLUSTER', 'error', { speaksFor: seen.agents.speaksFor }, remedy);
  }
  if (!seen.bind.allowed || !(seen.all.allowed || seen.escalate.allowed)) {
    const remedy = 'Attach the kubeconfig of an administrator of the cluster.';
    say('GRANT_NOT_ALLOWED', 'error', { createBindings: seen.bind.allowed, everything: seen.all.allowed }, remedy);
  }
  if (role === 'cluster-admin') {
    say('WIDE_ROLE', 'warning', { role: roleName(role) }, 'Try least-privilege first.');
  }
  const bound = rawObjects(seen.binding, 'subjects').flatMap((subject) => rawText(subject, 'name') ?? []);
  if (bound.includes(objectId)) say('GRANT_EXISTS', 'info', { binding: bindingName(role) });
  else if (bound.length > 0) say('OTHER_OBJECT_BOUND', 'warning', { bound });
  return findings;
}

async function verifyGrant(parts: ArcParts, context: OperationContext<GrantInput>): Promise<Verification> {
  const { role, objectId } = context.input;
  const id = clusterIdOf(context);
  const cluster = clientOf(parts, id);
  const binding = await readObject(cluster, CLUSTER_ROLE_BINDING, undefined, bindingName(role), context);
  const isBound = rawObjects(binding, 'subjects').some((subject) => rawText(subject, 'name') === objectId);
  if (!isBound || rawText(binding, 'roleRef', 'name') !== roleName(role)) {
    return { verdict: 'missed', message: `${objectId} is not bound to the role ${roleName(role)}.` };
  }
  const held = await readObject(cluster, CLUSTER_ROLE, undefined, roleName(role), context);
  if (role === 'least-privilege' && rawObjects(held, 'rules').length < LEAST_RULES.length) {
    return { verdict: 'missed', message: `The role ${roleName(role)} does not hold what it should.` };
  }
  const reading = await parts.client.get(id, context);
  if (reading.state === 'missing') {
    throw new ControlError('AZURE_NOT_FOUND', `The cluster ${id.name} is not in Azure any more.`);
  }
  return {
    verdict: 'reached',
    result: { cluster: id.toString(), objectId, role: roleName(role), binding: bindingName(role) },
    observations: [observeConnectedCluster(reading.body, { observedAt: reading.observedAt, source: 'OPERATION' })],
    absent: [],
  };
}
