import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import type { ArmPage } from '#libs/azure/arm.client.js';
import { saysAbsent } from '#libs/azure/arm-error.classifier.js';
import { customLocationOf } from '#libs/azure/custom-location.js';
import { discover } from '#libs/azure/discovery.js';
import type { Kube } from '#libs/kube/kube.js';
import { armIdOf, type Reading } from '../contract/arm-observation.js';
import type {
  CollectContext,
  CollectionOutcome,
  CollectionScope,
  Collector,
  ObservationResult,
} from '../contract/collector.js';
import type { Observation } from '../contract/observation.js';
import { collectionOutcome, lookIntoPage, observePages } from '../contract/observed-pages.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { subscriptionOf, subscriptionScopes } from '../contract/subscription-scope.js';
import type { AppServiceClient } from './app-service.client.js';
import {
  CERTIFICATE_TYPE,
  HOST_NAME_BINDING_TYPE,
  KUBE_ENVIRONMENT_TYPE,
  PLAN_TYPE,
  WEB_APP_TYPE,
  appServiceKinds,
  isOnKubernetes,
  observeCertificate,
  observeHostNameBinding,
  observeKubeEnvironment,
  observePlan,
  observeWebApp,
} from './app-service.kinds.js';
import {
  CONNECTED_ENVIRONMENT_TYPE,
  CONTAINER_APP_TYPE,
  containerAppsKinds,
  observeConnectedEnvironment,
  observeContainerApp,
} from './container-apps.kinds.js';
import { PlaceReader } from './place.reader.js';

/** What has no parts of its own: one object, one observation. */
const PLAIN: ReadonlyMap<string, typeof observePlan> = new Map([
  [KUBE_ENVIRONMENT_TYPE.toLowerCase(), observeKubeEnvironment],
  [PLAN_TYPE.toLowerCase(), observePlan],
  [CERTIFICATE_TYPE.toLowerCase(), observeCertificate],
  [CONNECTED_ENVIRONMENT_TYPE.toLowerCase(), observeConnectedEnvironment],
  [CONTAINER_APP_TYPE.toLowerCase(), observeContainerApp],
]);
const LISTED = [
  KUBE_ENVIRONMENT_TYPE,
  PLAN_TYPE,
  CERTIFICATE_TYPE,
  WEB_APP_TYPE,
  CONNECTED_ENVIRONMENT_TYPE,
  CONTAINER_APP_TYPE,
];
/** How many web apps are looked into at the same time: the throttle budget is for everybody. */
const AT_ONCE = 8;

/** App Service and Container Apps; of a web app on Kubernetes its configuration and host names too. */
export class AppServiceCollector implements Collector {
  readonly name = 'app-service';
  readonly kinds: readonly string[] = [...appServiceKinds, ...containerAppsKinds].map((kind) => kind.name);

  constructor(
    private readonly client: AppServiceClient,
    private readonly kube: Kube,
  ) {}

  scopes(subscriptionIds: readonly string[]): CollectionScope[] {
    return subscriptionScopes(this, subscriptionIds);
  }

  async *collect(
    scope: CollectionScope,
    context: CollectContext,
  ): AsyncGenerator<Observation[], CollectionOutcome, void> {
    const subscriptionId = subscriptionOf(scope);
    const places = new PlaceReader(this.client, this.kube, context);
    const unseen: string[] = [];
    const pages = discover({
      graph: () => this.client.discover(LISTED, subscriptionId, context),
      arm: () => this.#listAll(subscriptionId, unseen, context),
    });
    const shortfall = yield* observePages(
      pages,
      (items, reading) => lookIntoPage(items, AT_ONCE, (item) => this.#observeListed(item, reading, places, context)),
      `Some objects of App Service and Container Apps of the subscription ${subscriptionId}.`,
    );
    if (shortfall === undefined || unseen.length === 0) return collectionOutcome(shortfall);
    const missing = `Some ${unseen.join(', ')} of the subscription ${subscriptionId}.`;
    return collectionOutcome({ ...shortfall, missing });
  }

  /** One list per type; a type whose list fails is noted and the others are still read. */
  async *#listAll(
    subscriptionId: string,
    unseen: string[],
    context: CollectContext,
  ): AsyncGenerator<ArmPage, ControlError | undefined, void> {
    let problem: ControlError | undefined;
    for (const type of LISTED) {
      try {
        yield* this.client.list(type, subscriptionId, context);
      } catch (error) {
        if (!(error instanceof ControlError)) throw error;
        problem ??= error;
        unseen.push(type);
      }
    }
    // Nothing at all could be asked for: that is a failure, not a part.
    if (problem !== undefined && unseen.length === LISTED.length) throw problem;
    return problem;
  }

  async #observeListed(
    item: JsonObject,
    reading: Reading,
    places: PlaceReader,
    context: CollectContext,
  ): Promise<Observation[]> {
    try {
      return await this.#observeBody(item, reading, places, context);
    } catch (error) {
      // Deleted since it was listed: nothing is missing.
      if (error instanceof ControlError && saysAbsent(error)) return [];
      throw error;
    }
  }

  async #observeBody(
    body: JsonObject,
    reading: Reading,
    places: PlaceReader,
    context: CollectContext,
  ): Promise<Observation[]> {
    const id = armIdOf(body);
    const customLocation = customLocationOf(body);
    const place = customLocation === undefined ? undefined : await places.find(customLocation);
    const observe = PLAIN.get(id.canonicalType);
    if (observe !== undefined) return [observe(body, place, reading)];
    if (!isOnKubernetes(body)) return [observeWebApp(body, { config: null, place, pods: [] }, reading)];
    const [config, pods] = await Promise.all([
      this.client.getConfig(id, context),
      place === undefined ? [] : places.podsOf(id, place),
    ]);
    const properties = config.state === 'found' ? config.body.properties : null;
    const parts = { config: isJsonObject(properties) ? properties : null, place, pods };
    const webApp = observeWebApp(body, parts, reading);
    const bindings: Observation[] = [];
    for await (const page of this.client.listHostNameBindings(id, context)) {
      const own = { observedAt: page.observedAt, source: 'ARM' } as const;
      bindings.push(...page.items.map((item) => observeHostNameBinding(item, webApp, own)));
    }
    return [webApp, ...bindings];
  }

  async observe(target: ResourceTarget, context: CollectContext): Promise<ObservationResult> {
    const id = ArmId.parse(target.id);
    const holder = id.canonicalType === HOST_NAME_BINDING_TYPE.toLowerCase() ? id.parent : id;
    if (holder === undefined || !isOurs(holder)) {
      throw new ControlError('INVALID_REQUEST', `This is nothing of App Service or Container Apps: ${id.toString()}`);
    }
    const reading = await this.client.get(holder, context);
    if (reading.state === 'missing') return { state: 'absent', observedAt: reading.observedAt };
    const places = new PlaceReader(this.client, this.kube, context);
    const observations = await this.#observeBody(
      reading.body,
      { observedAt: reading.observedAt, source: 'ARM' },
      places,
      context,
    );
    // A host name that its web app does not list is gone, although the web app is there.
    if (!observations.some((observation) => observation.canonicalId === id.canonical)) {
      return { state: 'absent', observedAt: reading.observedAt };
    }
    return { state: 'present', observations };
  }
}

function isOurs(id: ArmId): boolean {
  return PLAIN.has(id.canonicalType) || id.canonicalType === WEB_APP_TYPE.toLowerCase();
}
