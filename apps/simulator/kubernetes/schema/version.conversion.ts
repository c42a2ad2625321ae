import type { JsonObject } from '#libs/kernel/json.js';

/** The object in another version of its group: all conversions here are of the strategy None, only `apiVersion` changes. */
export function convertVersion(object: JsonObject, toApiVersion: string): JsonObject {
  return object.apiVersion === toApiVersion ? object : { ...object, apiVersion: toApiVersion };
}
