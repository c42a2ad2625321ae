import { ArmId } from '#libs/kernel/arm-id.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';

export const CUSTOM_LOCATION_TYPE = 'Microsoft.ExtendedLocation/customLocations';

/**
 * What every request to a resource on a custom location carries beside its `location`. Without it ARM takes the request for
 * one about another resource of the same name, and refuses it; some clients leave the type out.
 */
export function extendedLocation(customLocation: ArmId): JsonObject {
  return { name: customLocation.toString(), type: 'CustomLocation' };
}

/** The custom location that a resource lies on: in ARM's shape, or in the one that environments had at first. */
export function customLocationOf(body: JsonObject): ArmId | undefined {
  const { extendedLocation: extended, properties } = body;
  const text = isJsonObject(extended) ? extended.name : undefined;
  const older = text ?? (isJsonObject(extended) ? extended.customLocation : undefined);
  const oldest = older ?? (isJsonObject(properties) ? properties.customLocation : undefined);
  const id = typeof oldest === 'string' ? ArmId.tryParse(oldest) : undefined;
  return id?.canonicalType === CUSTOM_LOCATION_TYPE.toLowerCase() ? id : undefined;
}
