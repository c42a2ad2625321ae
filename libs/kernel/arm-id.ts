import { ControlError } from './control-error.js';
import { resourceUid } from './resource-uid.js';

const SUBSCRIPTION_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** Letters, digits, `-`, `_`, `.`, `(`, `)`, at most 90, not ending in a full stop (Azure naming rules). */
const RESOURCE_GROUP_PATTERN = /^[\p{L}\p{N}\-_.()]{0,89}[\p{L}\p{N}\-_()]$/u;
const PROVIDER_PATTERN = /^[a-z][a-z0-9]*(\.[a-z0-9]+)+$/i;
const TYPE_PATTERN = /^[a-z][a-z0-9-]*$/i;
/** What no ARM name may hold: they would change the meaning of the path. */
const FORBIDDEN_IN_NAME = /[\p{Cc}<>%&\\?/#]/u;

/** One `providers/{namespace}/{type}/{name}[/{type}/{name}…]` part of an ARM id. */
export interface ProviderPart {
  namespace: string;
  /** At least one. */
  segments: { type: string; name: string }[];
}

/**
 * An ARM resource id: a base scope (tenant, subscription or resource group) and provider parts; more than one part
 * makes an extension resource. Ids are case-insensitive on the wire and really vary there: compare `canonical`, show
 * `toString()`, which keeps what was seen.
 */
export class ArmId {
  private constructor(
    readonly subscriptionId: string | undefined,
    readonly resourceGroup: string | undefined,
    readonly parts: readonly ProviderPart[],
    private readonly display: string,
  ) {}

  /** @throws ControlError INVALID_REQUEST saying what is wrong with the id. */
  static parse(text: string): ArmId {
    const reject = (why: string): never => {
      throw new ControlError('INVALID_REQUEST', `Not an ARM resource id (${why}): "${text.slice(0, 200)}"`);
    };
    if (text.length > 2048) reject('longer than 2,048 characters');
    if (!text.startsWith('/')) reject('it must start with a slash');
    const display = text.endsWith('/') ? text.slice(0, -1) : text;
    const segments = display.slice(1).split('/');
    if (segments.some((segment) => segment === '')) reject('an empty segment');
    if (segments.some((segment) => segment !== segment.trim())) reject('a segment with white space around it');
    // Such a segment would change the path of the request it is put into.
    if (segments.some((segment) => segment === '.' || segment === '..')) reject('a relative segment');

    let index = 0;
    const take = (what: string): string => segments[index++] ?? reject(`${what} is missing`);
    const isNext = (word: string): boolean => segments[index]?.toLowerCase() === word;

    let subscriptionId: string | undefined;
    let resourceGroup: string | undefined;
    if (isNext('subscriptions')) {
      index++;
      subscriptionId = take('the subscription id');
      if (!SUBSCRIPTION_PATTERN.test(subscriptionId)) reject('the subscription id is not a uuid');
      if (isNext('resourcegroups')) {
        index++;
        resourceGroup = take('the resource group');
        if (!RESOURCE_GROUP_PATTERN.test(resourceGroup)) reject('the resource group name is not allowed');
      }
    }

    const parts: ProviderPart[] = [];
    while (index < segments.length) {
      if (!isNext('providers')) reject(`"providers" was expected in place of "${segments[index]}"`);
      index++;
      const namespace = take('the provider namespace');
      if (!PROVIDER_PATTERN.test(namespace)) reject('the provider namespace is not allowed');
      const part: ProviderPart = { namespace, segments: [] };
      while (index < segments.length && !isNext('providers')) {
        const type = take('a type');
        if (!TYPE_PATTERN.test(type)) reject(`the type "${type}" is not allowed`);
        const name = take(`the name after "${type}"`);
        if (FORBIDDEN_IN_NAME.test(name)) reject(`the name after "${type}" has a forbidden character`);
        part.segments.push({ type, name });
      }
      if (part.segments.length === 0) reject('a type and a name must follow the provider namespace');
      parts.push(part);
    }
    if (subscriptionId === undefined && parts.length === 0) reject('it names nothing');
    return new ArmId(subscriptionId, resourceGroup, parts, display);
  }

  static tryParse(text: string): ArmId | undefined {
    try {
      return ArmId.parse(text);
    } catch (error) {
      if (error instanceof ControlError) return undefined;
      throw error;
    }
  }

  static subscription(subscriptionId: string): ArmId {
    return ArmId.parse(`/subscriptions/${subscriptionId}`);
  }

  static resourceGroup(subscriptionId: string, resourceGroup: string): ArmId {
    return ArmId.parse(`/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}`);
  }

  /** A resource below this scope: `resource('Microsoft.X/fleets/members', 'f1', 'm1')`; on a resource, an extension. */
  resource(type: string, ...names: string[]): ArmId {
    const [namespace, ...types] = type.split('/');
    if (types.length !== names.length) throw new TypeError(`${type} needs ${types.length} names, got ${names.length}`);
    const path = types.map((segment, position) => `${segment}/${names[position]}`).join('/');
    return ArmId.parse(`${this.display}/providers/${namespace}/${path}`);
  }

  /** A child of this resource: `fleet.child('members', 'm1')`. */
  child(type: string, name: string): ArmId {
    return ArmId.parse(`${this.display}/${type}/${name}`);
  }

  /** Lower case throughout: the key. */
  get canonical(): string {
    return this.display.toLowerCase();
  }

  get uid(): string {
    return resourceUid(this.canonical);
  }

  /** As seen, `Microsoft.ContainerService/fleets/members`; for a scope, ARM's own types of scopes. */
  get type(): string {
    const last = this.parts.at(-1);
    if (last !== undefined) return [last.namespace, ...last.segments.map((segment) => segment.type)].join('/');
    return this.resourceGroup === undefined
      ? 'Microsoft.Resources/subscriptions'
      : 'Microsoft.Resources/resourceGroups';
  }

  get canonicalType(): string {
    return this.type.toLowerCase();
  }

  get name(): string {
    return this.parts.at(-1)?.segments.at(-1)?.name ?? this.resourceGroup ?? this.subscriptionId ?? '';
  }

  /** The names of the last provider part, outermost first. */
  get names(): string[] {
    return this.parts.at(-1)?.segments.map((segment) => segment.name) ?? [this.name];
  }

  /** The parent resource, the extended resource, or the scope; undefined for a subscription or a tenant's own resource. */
  get parent(): ArmId | undefined {
    const last = this.parts.at(-1);
    if (last === undefined) {
      return this.resourceGroup === undefined || this.subscriptionId === undefined
        ? undefined
        : ArmId.subscription(this.subscriptionId);
    }
    const cut = last.segments.length > 1 ? 2 : 4;
    const segments = this.display.split('/').slice(0, -cut);
    return segments.length <= 1 ? undefined : ArmId.parse(segments.join('/'));
  }

  get isExtension(): boolean {
    return this.parts.length > 1;
  }

  equals(other: ArmId): boolean {
    return this.canonical === other.canonical;
  }

  toString(): string {
    return this.display;
  }

  toJSON(): string {
    return this.display;
  }
}

/** Azure writes a region as `eastus`, `East US` or `EastUS`; we compare and store the first. */
export function canonicalLocation(location: string): string {
  return location.toLowerCase().replaceAll(' ', '');
}
