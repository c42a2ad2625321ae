import { isUuid } from '#libs/kernel/resource-uid.js';
import { ArmError, resourceGroupNotFound, subscriptionNotFound } from './arm-error.js';
import type { ArmAnswer, ArmRequest } from './arm-request.js';
import { routeOf } from './arm-route.js';
import type { ArmRoute } from './arm-route.js';
import { PLATFORM_VERSIONS } from './arm.platform.js';
import type { AzureState } from './azure.state.js';
import { ResourceGraphQuery } from './graph/resource-graph.query.js';
import { OperationHandler } from './handlers/operation.handler.js';
import { PermissionHandler } from './handlers/permission.handler.js';
import { ProviderHandler, invalidNamespace, methodNotAllowed } from './handlers/provider.handler.js';
import { ResourceGroupHandler } from './handlers/resource-group.handler.js';
import { ResourceHandler } from './handlers/resource.handler.js';
import { ServiceAssociationLinkHandler } from './handlers/service-association-link.handler.js';
import { SubscriptionHandler } from './handlers/subscription.handler.js';
import { extensionVersions } from './handlers/extension-versions.handler.js';
import { kubernetesVersions } from './handlers/kubernetes-versions.handler.js';
import { machineSizes } from './handlers/machine-size.handler.js';
import { UsageHandler } from './handlers/usage.handler.js';
import type { ResourceEngine } from './resource.engine.js';
import type { StoredResource } from './resource.store.js';
import type { ResourceTypeDescriptor } from './resource-type.descriptor.js';
import { LOCATIONS } from './resource-type.registry.js';
import { classOf } from './throttle.js';
import type { Remaining, RequestClass, Throttle } from './throttle.js';

/** An answer, with what the rate limits say about it; errors of the gateway carry no limits. */
export interface LimitedAnswer extends ArmAnswer {
  rate?: { kind: RequestClass; scope: 'subscription' | 'tenant'; remaining: Remaining; poll: boolean };
}

/** The front door: checks in ARM's order, then hands over to the part that the path belongs to. */
export class AzureResourceManager {
  private readonly subscriptions: SubscriptionHandler;
  private readonly groups: ResourceGroupHandler;
  private readonly providers: ProviderHandler;
  private readonly operations: OperationHandler;
  private readonly resources: ResourceHandler;
  private readonly usages: UsageHandler;
  private readonly permissions: PermissionHandler;
  private readonly links: ServiceAssociationLinkHandler;
  private readonly graph: ResourceGraphQuery;

  constructor(
    private readonly state: AzureState,
    private readonly engine: ResourceEngine,
    private readonly throttle: Throttle,
  ) {
    this.subscriptions = new SubscriptionHandler(state);
    this.groups = new ResourceGroupHandler(state, engine);
    this.providers = new ProviderHandler(state);
    this.operations = new OperationHandler(state, this.groups);
    this.resources = new ResourceHandler(state, engine, this.operations);
    this.usages = new UsageHandler(state);
    this.permissions = new PermissionHandler(state);
    this.links = new ServiceAssociationLinkHandler(state, engine);
    this.graph = new ResourceGraphQuery(state);
  }

  /** @throws ArmError for every refusal by the gateway. */
  handle(request: ArmRequest, correlationId: string): LimitedAnswer {
    this.engine.advance();
    this.state.clusters?.catchUp();
    const route = routeOf(request.segments, request.method);
    if (route.kind === 'unknown') throw unknownPath(request);
    const apiVersion = apiVersionOf(request);
    const subscription = 'subscriptionId' in route ? this.#subscription(route.subscriptionId) : undefined;
    if (route.kind === 'graph') return this.#query(request, correlationId, apiVersion);
    const kind = classOf(request.method);
    const remaining = this.throttle.take(kind, { subscriptionId: subscription?.subscriptionId }, request.principal);
    const poll = route.kind === 'operation' || route.kind === 'group-operation';
    const scope = subscription === undefined ? 'tenant' : 'subscription';
    const rate: NonNullable<LimitedAnswer['rate']> = { kind, scope, remaining, poll };
    try {
      return { ...this.#dispatch(request, route, apiVersion, subscription), rate };
    } catch (error) {
      // A provider's refusal has passed the gateway, which counts it.
      if (!(error instanceof ArmError) || error.gateway) throw error;
      return { status: error.status, body: error.body, headers: error.headers, rate };
    }
  }

  #dispatch(
    request: ArmRequest,
    route: ArmRoute,
    apiVersion: string,
    subscription: StoredResource | undefined,
  ): ArmAnswer {
    this.#checkPlatform(request, route, apiVersion);
    switch (route.kind) {
      case 'tenants':
        return this.subscriptions.tenants();
      case 'subscriptions':
        return this.subscriptions.subscriptions(request);
      case 'subscription':
        return this.subscriptions.subscription(subscription!);
      case 'locations':
        return this.subscriptions.locations(subscription!);
      case 'resources':
        if (route.group !== undefined) this.#group(route.subscriptionId, route.group);
        return this.subscriptions.resources(request, route.subscriptionId, route.group);
      case 'groups':
        return this.groups.list(request, route.subscriptionId);
      case 'group':
        return this.groups.handle(request, route.subscriptionId, route.group);
      case 'providers':
        return this.providers.list(route.subscriptionId);
      case 'provider':
        return this.providers.provider(request, route.subscriptionId, route.namespace, route.action);
      case 'provider-operations':
        return this.providers.operations(route.namespace);
      case 'features':
        return this.providers.features(route.subscriptionId, route.namespace);
      case 'feature':
        return this.providers.feature(request, route);
      case 'usages':
        this.#registered(route.subscriptionId, route.namespace);
        return this.usages.usages(route);
      case 'capabilities':
        this.#registered(route.subscriptionId, 'Microsoft.ContainerInstance');
        return this.usages.capabilities(route);
      case 'machine-sizes':
        this.#registered(route.subscriptionId, 'Microsoft.Compute');
        return machineSizes(request, this.state.settings.restrictedMachineSizes);
      case 'kubernetes-versions':
        this.#registered(route.subscriptionId, 'Microsoft.ContainerService');
        return kubernetesVersions(route.location);
      case 'extension-versions': {
        const namespace = 'Microsoft.KubernetesConfiguration';
        this.#registered(route.subscriptionId, namespace);
        const scope = `/subscriptions/${route.subscriptionId}/providers/${namespace}`;
        return extensionVersions(scope, route.location, route.extensionType);
      }
      case 'permissions':
        if (route.group !== undefined) this.#group(route.subscriptionId, route.group);
        return this.permissions.at(route.scope, request.principal);
      case 'service-association-link':
        this.#registered(route.subscriptionId, 'Microsoft.ContainerInstance');
        return this.links.handle(request, route.subnet);
      case 'operation':
        return this.operations.poll(request, route.operationId, route.answer);
      case 'group-operation':
        return this.operations.pollGroup(request, route.token);
      case 'list': {
        if (request.method !== 'GET') throw methodNotAllowed(request);
        const descriptor = this.#descriptor(route.subscriptionId, route.type, apiVersion);
        if (route.group !== undefined) this.#group(route.subscriptionId, route.group);
        return this.resources.list(request, route, descriptor, apiVersion);
      }
      case 'resource':
      case 'action': {
        const descriptor = this.#descriptor(route.subscriptionId, route.id.type, apiVersion);
        if (route.group !== undefined) this.#group(route.subscriptionId, route.group);
        const target = { id: route.id, descriptor, apiVersion };
        return route.kind === 'resource'
          ? this.resources.handle(request, target)
          : this.resources.action(request, target, route.action);
      }
      case 'graph':
      case 'unknown':
        throw unknownPath(request);
    }
  }

  #query(request: ArmRequest, correlationId: string, apiVersion: string): LimitedAnswer {
    if (request.method !== 'POST') throw methodNotAllowed(request);
    this.#checkPlatform(request, { kind: 'graph' }, apiVersion);
    const { allowed, headers, retryAfterSeconds } = this.throttle.takeGraphQuery(request.principal);
    if (!allowed) throw graphThrottled(this.state, correlationId, headers, retryAfterSeconds);
    return { ...this.graph.run(request, correlationId), headers };
  }

  /** ARM's own paths have versions of their own, and mostly nothing but GET. */
  #checkPlatform(request: ArmRequest, route: ArmRoute, apiVersion: string): void {
    const versions: readonly string[] | undefined =
      route.kind in PLATFORM_VERSIONS ? PLATFORM_VERSIONS[route.kind as keyof typeof PLATFORM_VERSIONS] : undefined;
    if (versions !== undefined && !versions.includes(apiVersion)) {
      throw new ArmError(
        400,
        'InvalidApiVersionParameter',
        `The api-version '${apiVersion}' is invalid. The supported versions are '${versions.toReversed().join(',')}'.`,
        { gateway: true },
      );
    }
    const free = ['group', 'provider', 'feature', 'graph', 'list', 'resource', 'action', 'service-association-link'];
    if (request.method !== 'GET' && !free.includes(route.kind)) throw methodNotAllowed(request);
  }

  #subscription(subscriptionId: string): StoredResource {
    if (!isUuid(subscriptionId)) {
      throw new ArmError(
        400,
        'InvalidSubscriptionId',
        `The provided subscription identifier '${subscriptionId}' is malformed or invalid.`,
        { gateway: true },
      );
    }
    const subscription = this.state.subscription(subscriptionId);
    if (subscription === undefined) throw subscriptionNotFound(subscriptionId);
    return subscription;
  }

  #group(subscriptionId: string, name: string): void {
    if (this.state.group(subscriptionId, name) === undefined) throw resourceGroupNotFound(name);
  }

  #registered(subscriptionId: string, namespace: string): void {
    if (!this.providers.isRegistered(subscriptionId, namespace)) {
      throw new ArmError(
        409,
        'MissingSubscriptionRegistration',
        `The subscription is not registered to use namespace '${namespace}'. See https://aka.ms/rps-not-found for how to ` +
          'register subscriptions.',
        { gateway: true, target: namespace },
      );
    }
  }

  #descriptor(subscriptionId: string, type: string, apiVersion: string): ResourceTypeDescriptor {
    const [namespaceSent = '', ...typeSent] = type.split('/');
    const namespace = this.state.registry.namespace(namespaceSent);
    if (namespace === undefined) throw invalidNamespace(namespaceSent);
    this.#registered(subscriptionId, namespace);
    const descriptor = this.state.registry.find(type);
    if (descriptor === undefined) {
      throw new ArmError(
        404,
        'InvalidResourceType',
        `The resource type '${typeSent.join('/')}' could not be found in the namespace '${namespace}' for api version '${apiVersion}'.`,
        { gateway: true },
      );
    }
    if (!descriptor.apiVersions.includes(apiVersion)) throw unknownVersion(descriptor, apiVersion);
    return descriptor;
  }
}

function apiVersionOf(request: ArmRequest): string {
  const version = request.query.get('api-version');
  if (version === undefined || version === '') {
    throw new ArmError(
      400,
      'MissingApiVersionParameter',
      'The api-version query parameter (?api-version=) is required for all requests.',
      { gateway: true },
    );
  }
  return version;
}

function unknownVersion(descriptor: ResourceTypeDescriptor, apiVersion: string): ArmError {
  const [namespace, ...type] = descriptor.type.split('/');
  return new ArmError(
    400,
    'NoRegisteredProviderFound',
    `No registered resource provider found for namespace '${namespace}' and API version '${apiVersion}' for type ` +
      `'${type.join('/')}'. The supported api-versions are '${descriptor.apiVersions.join(', ')}'. ` +
      `The supported locations are '${[...LOCATIONS.keys()].join(', ')}'.`,
    { gateway: true },
  );
}

function unknownPath(request: ArmRequest): ArmError {
  return new ArmError(
    404,
    'MissingSubscription',
    `The request did not have a subscription or a valid tenant level resource provider: ${request.path.slice(0, 500)}`,
    { gateway: true },
  );
}

function graphThrottled(
  state: AzureState,
  correlationId: string,
  headers: Record<string, string>,
  retryAfterSeconds: number,
): ArmError {
  return new ArmError(
    429,
    'RateLimiting',
    `Please provide below info when asking for support: timestamp = ${state.clock.now().toISOString()}, ` +
      `correlationId = ${correlationId}.`,
    {
      headers: { ...headers, 'retry-after': String(retryAfterSeconds) },
      details: [
        {
          code: 'RateLimiting',
          message:
            'Client application has been throttled and should not attempt to repeat the request until an amount of ' +
            'time has elapsed. Please see https://aka.ms/resourcegraph-throttling for help.',
        },
      ],
    },
  );
}
