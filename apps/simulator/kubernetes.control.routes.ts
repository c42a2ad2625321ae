import type { FastifyInstance, FastifyReply } from 'fastify';
import * as z from 'zod';
import { principalOfToken } from './authentication.js';
import type { AzureState } from './azure.state.js';
import type { CertificateAuthority } from './certificate.authority.js';
import { answerControl, bodyOf, parse } from './control.exchange.js';
import { ControlRequestError } from './control.request-error.js';
import { KubernetesStatusError } from './kubernetes/api/kubernetes-status.error.js';
import type { ObjectDraft, ObjectWriter } from './kubernetes/cluster.objects.js';
import type { KubernetesEstate, LiveCluster } from './kubernetes/kubernetes.estate.js';
import { resourceNameOf } from './kubernetes/resource-name.js';
import { objectAt } from './json-merge.js';
import { baseUrlOf } from './request-base.js';
import { customLocationsPrincipal } from './types/custom-location.type.js';
import { clusterToken, isManagedByEntra } from './types/cluster.credentials.js';
import { kubeconfigText, kubernetesUrl } from './types/kubeconfig.js';

export interface KubernetesControlParts {
  state: AzureState;
  estate: KubernetesEstate;
  authority: CertificateAuthority;
  tokens: ReadonlySet<string> | undefined;
  publicUrl: string | undefined;
}

/** Who changes things in a cluster from the outside. */
const WRITER: ObjectWriter = { manager: 'someone-else', user: 'masterclient' };
/** What a kubeconfig proves the caller with where any token will do. */
const DEFAULT_TOKEN = 'simulator';

const availabilitySchema = z.discriminatedUnion('state', [
  z.strictObject({ state: z.literal('up') }),
  z.strictObject({ state: z.literal('slow'), delayMs: z.number().min(0).max(600_000) }),
  z.strictObject({ state: z.literal('down') }),
]);

const objectSchema = z.looseObject({
  apiVersion: z.string().min(1),
  kind: z.string().min(1),
  metadata: z.looseObject({ name: z.string().optional(), namespace: z.string().optional() }),
});

const objectsSchema = z.strictObject({
  /** `put` makes what is missing and replaces what is there; `delete` needs the names alone. */
  operation: z.enum(['put', 'delete']).default('put'),
  objects: z.array(objectSchema).min(1).max(20_000),
});

const podsSchema = z.strictObject({
  namespace: z.string().min(1).default('default'),
  /** Pods are named `{prefix}-{number}`. */
  prefix: z.string().min(1).default('load'),
  create: z.int().min(0).max(20_000).default(0),
  /** The last ones that were made go first. */
  delete: z.int().min(0).max(20_000).default(0),
  image: z.string().min(1).default('mcr.microsoft.com/azuredocs/aks-helloworld:v1'),
});

const imageFaultsSchema = z.strictObject({
  faults: z.array(
    z.strictObject({
      imageContains: z.string().min(1),
      fault: z.enum(['ErrImagePull', 'ImagePullBackOff', 'CrashLoopBackOff', 'Restarts']),
      healedBy: z.literal('pull-secret').optional(),
    }),
  ),
});

const agentsSchema = z.strictObject({
  installed: z.boolean().default(true),
  /** The ones that are on afterwards. */
  features: z.array(z.enum(['cluster-connect', 'custom-locations', 'azure-rbac'])).default([]),
  customLocationsObjectId: z.string().min(1).optional(),
  /** Where they do not, they get no certificates. */
  reachesAzure: z.boolean().default(true),
  /** The default namespace of the kubeconfig context: Helm keeps its record there, and fails where it is not. */
  contextNamespace: z.string().min(1).optional(),
});

const kubeconfigSchema = z.object({ cluster: z.string().min(1), user: z.string().min(1).optional() });
const principalSchema = z.object({ token: z.string().min(1) });

interface ClusterRoute {
  Params: { cluster: string };
}

/** `/_simulator/kubernetes…` and `/_simulator/kubeconfig`: what a test does to the simulated clusters from the outside. */
export function registerKubernetesControlRoutes(app: FastifyInstance, parts: KubernetesControlParts): void {
  const { estate, state } = parts;

  app.get('/_simulator/kubernetes', (request, reply) => {
    const baseUrl = baseUrlOf(request, parts.publicUrl);
    const clusters = estate.list().map((cluster) => ({
      ...cluster,
      url: kubernetesUrl(baseUrl, cluster.id.toLowerCase()),
    }));
    return answerControl(reply, { clusters });
  });

  app.post<ClusterRoute>('/_simulator/kubernetes/:cluster/availability', (request, reply) => {
    const availability = parse(availabilitySchema, bodyOf(request));
    estate.setAvailability(required(estate, request.params.cluster), availability);
    return answerControl(reply, availability);
  });
  app.post<ClusterRoute>('/_simulator/kubernetes/:cluster/drop-watches', (request, reply) => {
    required(estate, request.params.cluster).cluster.dropWatches();
    return answerControl(reply, { status: 'ok' });
  });
  app.post<ClusterRoute>('/_simulator/kubernetes/:cluster/compact', (request, reply) => {
    required(estate, request.params.cluster).cluster.compact();
    return answerControl(reply, { status: 'ok' });
  });
  app.post<ClusterRoute>('/_simulator/kubernetes/:cluster/image-faults', (request, reply) => {
    const { faults } = parse(imageFaultsSchema, bodyOf(request));
    estate.setImageFaults(
      required(estate, request.params.cluster),
      faults.map(({ healedBy, ...fault }) => ({ ...fault, ...(healedBy === undefined ? {} : { healedBy }) })),
    );
    return answerControl(reply, { faults });
  });

  app.post<ClusterRoute>('/_simulator/kubernetes/:cluster/objects', (request, reply) => {
    const { operation, objects } = parse(objectsSchema, bodyOf(request));
    const live = required(estate, request.params.cluster);
    for (const object of objects) changeObject(live, operation, object as ObjectDraft);
    return answerControl(reply, { [operation === 'put' ? 'written' : 'deleted']: objects.length });
  });
  app.post<ClusterRoute>('/_simulator/kubernetes/:cluster/pods', (request, reply) => {
    const wanted = parse(podsSchema, bodyOf(request));
    return answerControl(reply, changePods(required(estate, request.params.cluster), wanted));
  });

  app.post<ClusterRoute>('/_simulator/kubernetes/:cluster/arc-agents', (request, reply) => {
    const { installed, contextNamespace, customLocationsObjectId, ...values } = parse(agentsSchema, bodyOf(request));
    const { features } = values;
    const live = required(estate, request.params.cluster);
    const { objects } = live.cluster;
    if (contextNamespace !== undefined && objects.get('namespaces', undefined, contextNamespace) === undefined) {
      const message = `Error: create: failed to create: namespaces "${contextNamespace}" not found`;
      throw new ControlRequestError(409, message);
    }
    try {
      estate.setAgents(live, installed ? { ...values, customLocationsObjectId } : undefined);
    } catch (error) {
      if (!(error instanceof KubernetesStatusError)) throw error;
      throw new ControlRequestError(409, `The chart cannot be installed: ${error.message}`);
    }
    return answerControl(reply, { installed, features });
  });

  app.get('/_simulator/custom-locations-principal', (_request, reply) =>
    answerControl(reply, { principalId: customLocationsPrincipal(state.tenantId) }),
  );

  app.get('/_simulator/principal', (request, reply) => {
    const { token } = parse(principalSchema, request.query);
    return answerControl(reply, { principalId: principalOfToken(token) });
  });

  app.get('/_simulator/kubeconfig', async (request, reply): Promise<FastifyReply> => {
    const { cluster: name, user } = parse(kubeconfigSchema, request.query);
    const key = estate.keyOf(name);
    const record = key === undefined ? undefined : state.resources.get(key);
    if (record === undefined) throw noSuchCluster(estate, name);
    await parts.authority.ready();
    const isAdmin = user === 'admin';
    if (isAdmin && objectAt(record.body, 'properties').disableLocalAccounts === true) {
      throw new ControlRequestError(409, `${name} has no local accounts: give a token instead of "admin".`);
    }
    const local = clusterToken(record, isAdmin ? 'admin' : 'user');
    const entra = parts.tokens?.values().next().value ?? DEFAULT_TOKEN;
    const token = isAdmin ? local : (user ?? (isManagedByEntra(record) ? entra : local));
    const text = kubeconfigText({
      cluster: name.split('/').at(-1) ?? name,
      server: kubernetesUrl(baseUrlOf(request, parts.publicUrl), record.key),
      authority: state.world.certificateAuthority(),
      userName: isAdmin ? 'admin' : 'user',
      user: { kind: 'token', token },
    });
    return reply.type('application/yaml; charset=utf-8').send(text);
  });
}

function required(estate: KubernetesEstate, name: string): LiveCluster {
  const found = estate.find(decodeURIComponent(name));
  switch (found.state) {
    case 'live':
      return found.live;
    case 'unreachable':
      throw new ControlRequestError(409, `The cluster ${name} is stopped or not made yet.`);
    case 'unknown':
      throw noSuchCluster(estate, name);
  }
}

function noSuchCluster(estate: KubernetesEstate, name: string): ControlRequestError {
  const names = estate
    .list()
    .slice(0, 20)
    .map((cluster) => (cluster.kind === 'hub' ? cluster.fleet?.split('/').at(-1) : cluster.name));
  return new ControlRequestError(404, `There is no single cluster "${name}". There are: ${names.join(', ')}.`);
}

function changeObject(live: LiveCluster, operation: 'put' | 'delete', draft: ObjectDraft): void {
  const { objects } = live.cluster;
  const { namespace, name } = draft.metadata;
  const resource = resourceNameOf(objects, draft.apiVersion, draft.kind);
  if (resource === undefined) {
    throw new ControlRequestError(400, `The cluster has no kind ${draft.kind} in ${draft.apiVersion}.`);
  }
  try {
    if (operation === 'delete') {
      objects.delete(resource, namespace, name ?? '', WRITER);
      return;
    }
    const present = name === undefined ? undefined : objects.get(resource, namespace, name);
    if (present === undefined) {
      objects.create(draft, WRITER);
      return;
    }
    objects.update(resource, namespace, name ?? '', WRITER, ({ metadata }) => ({
      ...draft,
      metadata: { ...metadata, ...draft.metadata, name: metadata.name },
    }));
  } catch (error) {
    if (!(error instanceof KubernetesStatusError)) throw error;
    throw new ControlRequestError(400, `${draft.kind} ${name ?? ''}: ${error.message}`);
  }
}

/** Pods without an owner, by the thousand: what watches and caches are measured with. */
function changePods(
  live: LiveCluster,
  { namespace, prefix, create, delete: remove, image }: z.infer<typeof podsSchema>,
): { pods: number } {
  const { objects } = live.cluster;
  const numbers = objects
    .list('pods', namespace)
    .map(({ metadata }) =>
      metadata.name.startsWith(`${prefix}-`) ? Number(metadata.name.slice(prefix.length + 1)) : NaN,
    )
    .filter((number) => Number.isInteger(number))
    .sort((left, right) => left - right);
  const gone = remove === 0 ? [] : numbers.splice(-remove);
  for (const number of gone) objects.delete('pods', namespace, `${prefix}-${number}`, WRITER);
  const first = (numbers.at(-1) ?? gone.at(-1) ?? 0) + 1;
  for (let number = first; number < first + create; number++) {
    changeObject(live, 'put', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `${prefix}-${number}`, namespace, labels: { load: prefix } },
      spec: { containers: [{ name: 'load', image }] },
    });
  }
  return { pods: numbers.length + create };
}
