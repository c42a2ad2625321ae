import { z } from 'zod';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import { askPermission } from './cluster-permission.js';
import { referencedCluster } from './cluster-reference.js';
import { fleetKind } from './fleet.kinds.js';
import type { FleetParts } from './fleet-parts.js';
import { dnsLabel } from './kubernetes-name.js';
import {
  applicationFindings,
  applyObject,
  judgeApplication,
  readObject,
  tryObject,
  type WantedObject,
} from './object-application.js';
import { waitFor, type ProgressVerdict } from './patience.js';
import {
  SERVICE_EXPORT,
  WEIGHT_ANNOTATION,
  describeServiceExport,
  observeServiceExport,
  serviceExportKind,
} from './service-export.kind.js';

const SERVICE = { group: '', kind: 'Service' };
const CLUSTERS = [fleetKind.name, 'ManagedCluster', 'ConnectedCluster', 'AttachedCluster'];

const exportInput = z.strictObject({
  cluster: resourceReference(
    'The member that offers the service, or the fleet, whose hub holds the export for its members',
  ),
  namespace: dnsLabel.describe('The namespace of the service.'),
  service: dnsLabel.describe('The service to export.'),
  weight: z
    .int()
    .min(0)
    .max(1000)
    .optional()
    .describe('The share of traffic that the service of this cluster gets, where a load balancer goes by it.'),
});
type ExportInput = z.output<typeof exportInput>;

const exportFindings = {
  EXPORTS_NOT_SERVED:
    'The cluster does not know service exports: it is no member of a fleet with a hub, or its agents are not there yet.',
  CLUSTER_ACCESS_DENIED: 'The identity of Pilothouse may not export services in the cluster.',
  CLUSTER_UNREACHABLE: 'The API server of the cluster does not answer.',
  SERVICE_NOT_FOUND: 'There is no service of this name in the namespace.',
  SERVICE_HEADLESS: 'The service has no address of its own (clusterIP None): such a service cannot be exported.',
  SERVICE_EXTERNAL_NAME: 'The service is only a name for something outside (ExternalName): it cannot be exported.',
  EXPORT_HELD_ON_HUB:
    'The hub holds the export: it takes effect on the members that a placement brings the namespace to.',
  EXPORT_EXISTS: 'The service is exported already.',
  ...applicationFindings,
} as const satisfies Record<string, string>;

export function exportService(parts: FleetParts): OperationDefinition<typeof exportInput> {
  return {
    type: 'fleet.service.export',
    title: 'Export a service',
    description:
      'Offers a service of a member to the other members of its fleet; or has the hub hold the export for the members that the namespace is placed on.',
    permission: 'fleets/services/write',
    input: exportInput,
    references: { cluster: CLUSTERS },
    timeoutSeconds: 900,
    findings: exportFindings,
    target({ namespace, service }, references) {
      const { uid } = referencedCluster(references, 'cluster', CLUSTERS);
      const id = KubernetesId.of({ clusterUid: uid, ...SERVICE_EXPORT, namespace, name: service });
      return { id: id.toString(), kind: serviceExportKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightExport(parts, context),
    plan: (context) => tryObject(wantedOf(parts, context), context),
    steps: [
      {
        name: 'export',
        description: 'Gives the export to the cluster.',
        async run(context) {
          await applyObject(wantedOf(parts, context), context);
          return { outcome: 'done', message: `The service ${context.input.service} is to be exported.` };
        },
      },
      {
        name: 'wait-for-validity',
        description:
          'Waits until Fleet has taken the service and found no contradiction; on a hub there is nothing to wait for.',
        run: (context) => runWait(parts, context),
      },
    ],
    verify: (context) => verifyExport(parts, context),
  };
}

function clusterOf(parts: FleetParts, context: Pick<OperationContext<ExportInput>, 'references'>): ClusterClient {
  return parts.kube.cluster(referencedCluster(context.references, 'cluster', CLUSTERS));
}

function isHub(context: Pick<OperationContext<ExportInput>, 'references'>): boolean {
  return referencedCluster(context.references, 'cluster', CLUSTERS).kind === fleetKind.name;
}

function wantedOf(parts: FleetParts, context: OperationContext<ExportInput>): WantedObject {
  const { namespace, service, weight } = context.input;
  return wantedExport(clusterOf(parts, context), namespace, service, weight);
}

export function wantedExport(
  cluster: ClusterClient,
  namespace: string,
  service: string,
  weight?: number,
): WantedObject {
  return {
    cluster,
    type: SERVICE_EXPORT,
    namespace,
    name: service,
    ...(weight === undefined ? {} : { annotations: { [WEIGHT_ANNOTATION]: String(weight) } }),
    // Nothing of an export is anybody's but whoever exports.
    force: true,
  };
}

/** Why a service cannot be exported; undefined for one that can. */
export function unexportable(service: JsonObject): 'SERVICE_HEADLESS' | 'SERVICE_EXTERNAL_NAME' | undefined {
  if (rawText(service, 'spec', 'type') === 'ExternalName') return 'SERVICE_EXTERNAL_NAME';
  return rawText(service, 'spec', 'clusterIP') === 'None' ? 'SERVICE_HEADLESS' : undefined;
}

async function preflightExport(parts: FleetParts, context: OperationContext<ExportInput>): Promise<Finding[]> {
  const { namespace, service, weight } = context.input;
  const findings: Finding[] = [];
  const say = findingReporter(exportFindings, findings);
  const cluster = clusterOf(parts, context);
  const question = { group: SERVICE_EXPORT.group, resource: 'serviceexports', namespace, name: service };
  const permission = await askPermission(
    cluster,
    [
      { verb: 'create', ...question },
      { verb: 'patch', ...question },
    ],
    context,
  );
  if (permission.verdict === 'unreachable') {
    say('CLUSTER_UNREACHABLE', 'error', permission.evidence);
    return findings;
  }
  if (permission.verdict === 'denied') {
    const remedy = isHub(context)
      ? 'Give it a role on the hub with fleet.roleAssignment.create; it takes some minutes to work.'
      : 'Give it a role on the cluster, such as Azure Kubernetes Service RBAC Writer for the namespace.';
    say('CLUSTER_ACCESS_DENIED', 'error', permission.evidence, remedy);
    return findings;
  }
  if ((await cluster.findResource(SERVICE_EXPORT, context)) === undefined) {
    say('EXPORTS_NOT_SERVED', 'error', SERVICE_EXPORT, 'Let the cluster join a fleet with a hub (fleet.member.join).');
    return findings;
  }
  const object = await readObject(cluster, SERVICE, namespace, service, context);
  if (object === undefined) {
    const remedy = 'An export has the name and namespace of its service: create the service first.';
    say('SERVICE_NOT_FOUND', 'error', { namespace, service }, remedy);
    return findings;
  }
  const fault = unexportable(object);
  if (fault !== undefined) {
    const evidence = { type: rawText(object, 'spec', 'type'), clusterIP: rawText(object, 'spec', 'clusterIP') };
    say(fault, 'error', evidence, 'Export a service of type ClusterIP or LoadBalancer.');
    return findings;
  }
  if (isHub(context)) say('EXPORT_HELD_ON_HUB', 'info', { namespace }, 'Place the namespace: fleet.placement.apply.');
  const existing = await readObject(cluster, SERVICE_EXPORT, namespace, service, context);
  if (existing !== undefined && describeServiceExport(existing).weight === (weight ?? null)) {
    say('EXPORT_EXISTS', 'info', { namespace, service });
  }
  await judgeApplication(wantedOf(parts, context), context, say);
  return findings;
}

/** How an export on a member is doing. */
export function judgeExport(object: KubernetesObject): ProgressVerdict {
  const { name } = object.metadata;
  const { valid, validReason, conflict, conflictReason } = describeServiceExport(object);
  const output = { service: name, valid, validReason, conflict, conflictReason };
  const failing = (message: string, remedy: string): ProgressVerdict => ({
    progress: 'failing',
    error: new ControlError('VERIFICATION_FAILED', message, { remedy }),
    output,
  });
  if (valid === false) {
    return failing(
      `The service ${name} cannot be exported (${validReason}).`,
      'Mend the service; the export is looked at again.',
    );
  }
  if (conflict === true) {
    return failing(
      `Another member exports ${name} otherwise (${conflictReason}).`,
      'Let the services of all members have the same ports, or export this one under another name.',
    );
  }
  if (valid === null) return { progress: 'moving', message: `Fleet looks at the service ${name}.` };
  if (conflict === null) return { progress: 'moving', message: `${name} is compared with what other members export.` };
  return { progress: 'reached', message: `The service ${name} is exported.`, output };
}

async function runWait(parts: FleetParts, context: StepContext<ExportInput>): Promise<StepOutcome> {
  if (isHub(context))
    return { outcome: 'done', message: 'The hub holds the export; the members export their services.' };
  const { namespace, service } = context.input;
  const object = await readObject(clusterOf(parts, context), SERVICE_EXPORT, namespace, service, context);
  if (object === undefined) {
    throw new ControlError('KUBERNETES_NOT_FOUND', `The export of ${service} is not there any more.`);
  }
  return waitFor(judgeExport(object), context, parts.clock, parts.client.arm.pollIntervalSeconds);
}

async function verifyExport(parts: FleetParts, context: OperationContext<ExportInput>): Promise<Verification> {
  const { namespace, service } = context.input;
  const client = clusterOf(parts, context);
  const observedAt = parts.clock.now();
  const object = await readObject(client, SERVICE_EXPORT, namespace, service, context);
  if (object === undefined) return { verdict: 'missed', message: `The export of ${service} is not there.` };
  const judged = isHub(context) ? undefined : judgeExport(object);
  if (judged?.progress === 'failing') return { verdict: 'missed', message: judged.error.message };
  if (judged?.progress === 'moving') {
    const retryAfterSeconds = parts.client.arm.pollIntervalSeconds;
    return { verdict: 'pending', message: judged.message, retryAfterSeconds };
  }
  const cluster = await parts.clusters.find(client.clusterUid);
  return {
    verdict: 'reached',
    result: { serviceExport: context.target.id, uid: context.target.uid, heldOnHub: isHub(context) },
    observations:
      cluster === undefined ? [] : [observeServiceExport(object, { cluster, observedAt, source: 'OPERATION' })],
    absent: [],
  };
}
