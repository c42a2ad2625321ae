import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';

/** One entry of `details.causes`; the server makes the sentence `<field>: <message>` of it. */
export interface FieldCause {
  reason:
    | 'FieldValueInvalid'
    | 'FieldValueRequired'
    | 'FieldValueNotSupported'
    | 'FieldValueNotFound'
    | 'FieldValueForbidden'
    | 'FieldValueDuplicate'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany'
    | 'FieldValueTypeInvalid';
  message: string;
  field: string;
}

/** @param value as it is printed: see `goValue` */
export function invalid(field: string, value: string, detail: string): FieldCause {
  return { reason: 'FieldValueInvalid', message: `Invalid value: ${value}: ${detail}`, field };
}

export function required(field: string, detail = ''): FieldCause {
  return {
    reason: 'FieldValueRequired',
    message: detail === '' ? 'Required value' : `Required value: ${detail}`,
    field,
  };
}

export function forbidden(field: string, detail: string): FieldCause {
  return { reason: 'FieldValueForbidden', message: `Forbidden: ${detail}`, field };
}

export function duplicate(field: string, value: string): FieldCause {
  return { reason: 'FieldValueDuplicate', message: `Duplicate value: ${value}`, field };
}

export function notFound(field: string, value: string): FieldCause {
  return { reason: 'FieldValueNotFound', message: `Not found: ${value}`, field };
}

export function notSupported(field: string, value: Json, supported: readonly Json[]): FieldCause {
  const words = supported.map((word) => goValue(word)).join(', ');
  return {
    reason: 'FieldValueNotSupported',
    message: `Unsupported value: ${goValue(value)}: supported values: ${words}`,
    field,
  };
}

/** A value as Go prints it (`%#v`) when its type is not known: as unstructured data. */
export function goValue(value: Json | undefined): string {
  if (value === undefined || value === null) return 'null';
  if (Array.isArray(value)) return `[]interface {}{${value.map((item) => goValue(item)).join(', ')}}`;
  if (isJsonObject(value)) return `map[string]interface {}{${goMembers(value)}}`;
  return JSON.stringify(value);
}

/** `map[string]string{"a":"b"}` */
export function goTextMap(value: JsonObject): string {
  return `map[string]string{${goMembers(value)}}`;
}

function goMembers(value: JsonObject): string {
  return Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${goValue(value[key])}`)
    .join(', ');
}
