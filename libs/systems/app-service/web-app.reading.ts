import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import { customLocationOf, extendedLocation } from '#libs/azure/custom-location.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { Observation } from '../contract/observation.js';
import type { OperationContext } from '../contract/operation-definition.js';
import { WEB_APP_TYPE, describeWebApp, observeWebApp, type WebAppProperties } from './app-service.kinds.js';
import type { AppServiceParts } from './app-service.parts.js';
import { PlaceReader } from './place.reader.js';
import type { PlaceInCluster } from './placement.js';
import { locationOf } from './wanted-object.js';

type Call = Pick<OperationContext<unknown>, 'correlationId' | 'signal'>;

/** A web app as it was read, with its configuration. */
export interface WebAppReading {
  id: ArmId;
  body: JsonObject;
  config: JsonObject;
  properties: WebAppProperties;
  observedAt: Date;
}

export function webAppIdOf({ references }: Pick<OperationContext<unknown>, 'references'>): ArmId {
  return referencedArmId(references, 'webApp', WEB_APP_TYPE);
}

/** undefined where Azure does not know the web app. */
export async function readWebApp(
  { client }: Pick<AppServiceParts, 'client'>,
  id: ArmId,
  context: Call,
): Promise<WebAppReading | undefined> {
  const reading = await client.get(id, context);
  if (reading.state === 'missing') return undefined;
  const config = await client.getConfig(id, context);
  const properties = config.state === 'found' && isJsonObject(config.body.properties) ? config.body.properties : {};
  const { body, observedAt } = reading;
  const bag = isJsonObject(body.properties) ? body.properties : {};
  const { id: _id, properties: _properties, ...beside } = body;
  return {
    id,
    body,
    config: properties,
    properties: describeWebApp({ ...beside, ...bag, siteConfig: properties }),
    observedAt,
  };
}

/** @throws ControlError AZURE_NOT_FOUND */
export async function theWebApp(
  parts: Pick<AppServiceParts, 'client'>,
  id: ArmId,
  context: Call,
): Promise<WebAppReading> {
  const reading = await readWebApp(parts, id, context);
  if (reading !== undefined) return reading;
  throw new ControlError('AZURE_NOT_FOUND', `The web app ${id.name} is not there.`);
}

/** Where its custom location is; undefined for a web app in an Azure region. */
export async function placeOf(
  parts: AppServiceParts,
  body: JsonObject,
  context: Call,
): Promise<PlaceInCluster | undefined> {
  const customLocation = customLocationOf(body);
  if (customLocation === undefined) return undefined;
  return new PlaceReader(parts.client, parts.kube, context).find(customLocation);
}

/** For the cache, with the pods that there are now. */
export async function observeReading(
  parts: AppServiceParts,
  { id, body, config, observedAt }: WebAppReading,
  context: Call,
): Promise<Observation> {
  const customLocation = customLocationOf(body);
  const places = new PlaceReader(parts.client, parts.kube, context);
  const place = customLocation === undefined ? undefined : await places.find(customLocation);
  const pods = place === undefined ? [] : await places.podsOf(id, place);
  return observeWebApp(body, { config, place, pods }, { observedAt, source: 'OPERATION' });
}

/**
 * What every request about the app itself says of its place. Without the extended location, or with the region by the name
 * that people see, ARM takes it for another resource of the same name.
 */
export function placeMembers(body: JsonObject, what: string): JsonObject {
  const customLocation = customLocationOf(body);
  return {
    location: locationOf(body, what),
    ...(customLocation === undefined ? {} : { extendedLocation: extendedLocation(customLocation) }),
  };
}
