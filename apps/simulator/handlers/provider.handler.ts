import type { JsonObject } from '#libs/kernel/json.js';
import { ArmError } from '../arm-error.js';
import type { ArmAnswer, ArmRequest } from '../arm-request.js';
import { FEATURES } from '../arm.platform.js';
import type { AzureState } from '../azure.state.js';
import type { ResourceTypeDescriptor } from '../resource-type.descriptor.js';
import { CONTAINER_GROUP_TYPE } from '../types/container-group.type.js';
import { LOCATIONS } from '../resource-type.registry.js';

/** Always there, in every subscription. */
const BUILT_IN = new Set([
  'microsoft.resources',
  'microsoft.features',
  'microsoft.resourcegraph',
  'microsoft.authorization',
]);

/** Resource providers and preview features, and their registration in a subscription. */
export class ProviderHandler {
  constructor(private readonly state: AzureState) {}

  isRegistered(subscriptionId: string, namespace: string): boolean {
    return this.#registrationState(subscriptionId, namespace) === 'Registered';
  }

  list(subscriptionId: string | undefined): ArmAnswer {
    const value = this.state.registry.namespaces().map((namespace) => this.#render(subscriptionId, namespace));
    return { status: 200, body: { value } };
  }

  provider(
    request: ArmRequest,
    subscriptionId: string | undefined,
    name: string,
    action: string | undefined,
  ): ArmAnswer {
    const namespace = this.state.registry.namespace(name);
    if (namespace === undefined) throw invalidNamespace(name);
    if (action === undefined || subscriptionId === undefined) {
      if (request.method !== 'GET') throw methodNotAllowed(request);
      return { status: 200, body: this.#render(subscriptionId, namespace) };
    }
    if (request.method !== 'POST') throw methodNotAllowed(request);
    const { now, settings, providers } = this.state;
    const settlesAt = now + settings.lroSeconds * 1000;
    const registrationState =
      action === 'register'
        ? providers.register(subscriptionId, namespace, now, settlesAt)
        : providers.unregister(subscriptionId, namespace, now, settlesAt);
    return { status: 200, body: { ...this.#render(subscriptionId, namespace), registrationState } };
  }

  /** What the provider's types allow, as role definitions name it. */
  operations(name: string): ArmAnswer {
    const namespace = this.state.registry.namespace(name);
    if (namespace === undefined) throw invalidNamespace(name);
    const value = this.state.registry
      .ofNamespace(namespace)
      .flatMap((descriptor) => [
        ...['read', 'write', 'delete'].map((verb) => operationOf(namespace, descriptor.type, verb)),
        ...[...descriptor.actions.keys()].map((action) => operationOf(namespace, descriptor.type, `${action}/action`)),
      ]);
    return { status: 200, body: { value } };
  }

  features(subscriptionId: string, name: string | undefined): ArmAnswer {
    const namespaces = name === undefined ? this.state.registry.namespaces() : [this.state.registry.namespace(name)];
    if (namespaces.includes(undefined)) throw invalidNamespace(name ?? '');
    const value = namespaces.flatMap((namespace) =>
      featuresOf(namespace ?? '').map((feature) => this.#renderFeature(subscriptionId, namespace ?? '', feature)),
    );
    return { status: 200, body: { value } };
  }

  feature(
    request: ArmRequest,
    route: { subscriptionId: string; namespace: string; feature: string; action?: string },
  ): ArmAnswer {
    const { subscriptionId, action } = route;
    const namespace = this.state.registry.namespace(route.namespace);
    if (namespace === undefined) throw invalidNamespace(route.namespace);
    const feature = featuresOf(namespace).find((known) => known.toLowerCase() === route.feature.toLowerCase());
    if (feature === undefined) {
      throw new ArmError(404, 'FeatureNotFound', `The feature '${route.feature}' could not be found.`);
    }
    if (request.method !== (action === undefined ? 'GET' : 'POST')) throw methodNotAllowed(request);
    const { now, settings, features } = this.state;
    const name = `${namespace}/${feature}`;
    const settlesAt = now + (settings.featureRegistrationSeconds ?? settings.lroSeconds) * 1000;
    switch (action) {
      case undefined:
        return { status: 200, body: this.#renderFeature(subscriptionId, namespace, feature) };
      case 'register': {
        const state = features.register(subscriptionId, name, now, settlesAt);
        return { status: 200, body: this.#renderFeature(subscriptionId, namespace, feature, state) };
      }
      case 'unregister': {
        const state = features.unregister(subscriptionId, name, now, settlesAt);
        return { status: 200, body: this.#renderFeature(subscriptionId, namespace, feature, state) };
      }
      default:
        throw new ArmError(404, 'NotFound', `There is no action '${action}' on a feature.`);
    }
  }

  #registrationState(subscriptionId: string, namespace: string): string {
    if (BUILT_IN.has(namespace.toLowerCase())) return 'Registered';
    return this.state.providers.state(subscriptionId, namespace, this.state.now);
  }

  #locationsOf({ type }: ResourceTypeDescriptor): string[] {
    const { world } = this.state;
    return [...LOCATIONS]
      .filter(([name]) => type !== CONTAINER_GROUP_TYPE || world.offersContainerInstances(name))
      .map(([, shown]) => shown);
  }

  #render(subscriptionId: string | undefined, namespace: string): JsonObject {
    const resourceTypes = this.state.registry.ofNamespace(namespace).map((descriptor) => {
      const apiVersions = descriptor.apiVersions.toReversed();
      return {
        resourceType: descriptor.type.slice(namespace.length + 1),
        locations: this.#locationsOf(descriptor),
        apiVersions,
        defaultApiVersion: apiVersions.find((version) => !version.endsWith('-preview')) ?? null,
        capabilities: descriptor.tracked ? 'CrossResourceGroupResourceMove, SupportsTags, SupportsLocation' : 'None',
      };
    });
    return {
      ...(subscriptionId === undefined ? {} : { id: `/subscriptions/${subscriptionId}/providers/${namespace}` }),
      namespace,
      ...(subscriptionId === undefined
        ? {}
        : {
            registrationPolicy: BUILT_IN.has(namespace.toLowerCase()) ? 'RegistrationFree' : 'RegistrationRequired',
            registrationState: this.#registrationState(subscriptionId, namespace),
          }),
      resourceTypes,
    };
  }

  #renderFeature(subscriptionId: string, namespace: string, feature: string, known?: string): JsonObject {
    const name = `${namespace}/${feature}`;
    const state = known ?? this.state.features.state(subscriptionId, name, this.state.now);
    return {
      id: `/subscriptions/${subscriptionId}/providers/Microsoft.Features/providers/${namespace}/features/${feature}`,
      name,
      type: 'Microsoft.Features/providers/features',
      properties: { state },
    };
  }
}

export function invalidNamespace(namespace: string): ArmError {
  return new ArmError(404, 'InvalidResourceNamespace', `The resource namespace '${namespace}' is invalid.`, {
    gateway: true,
  });
}

export function methodNotAllowed(request: ArmRequest): ArmError {
  return new ArmError(
    405,
    'HttpMethodNotAllowed',
    `The HTTP method '${request.method}' is not supported at this URL.`,
    {
      gateway: true,
    },
  );
}

function featuresOf(namespace: string): readonly string[] {
  return FEATURES.get(namespace.toLowerCase()) ?? [];
}

function operationOf(namespace: string, type: string, operation: string): JsonObject {
  const resource = type.slice(namespace.length + 1);
  return {
    name: `${type}/${operation}`,
    display: { provider: namespace, resource, operation, description: `${operation} ${resource}` },
    isDataAction: false,
  };
}
