import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import { invalid, required, type FieldCause } from '../schema/field.cause.js';
import {
  label1035NameFaults,
  labelCauses,
  labelNameFaults,
  qualifiedNameFaults,
  subdomainNameFaults,
} from '../schema/name.rules.js';
import type { NameRule } from './served.resource.js';

/** Annotations of one object together. */
const ANNOTATIONS_LIMIT = 256 * 1024;

/** The complaints about a name, as the server words them. */
export function nameFaults(rule: NameRule, name: string): string[] {
  switch (rule) {
    case 'dns-label':
      return labelNameFaults(name);
    case 'dns-1035-label':
      return label1035NameFaults(name);
    case 'dns-subdomain':
      return subdomainNameFaults(name);
    case 'path-segment':
      if (name === '.' || name === '..') return [`may not be '${name}'`];
      return ['/', '%'].filter((part) => name.includes(part)).map((part) => `may not contain '${part}'`);
  }
}

/** What is wrong with an object's name, labels and annotations. */
export function metadataCauses(rule: NameRule, { name, labels, annotations }: JsonObject): FieldCause[] {
  const text = typeof name === 'string' ? name : '';
  return [
    ...(text === ''
      ? [required('metadata.name', 'name or generateName is required')]
      : nameFaults(rule, text).map((fault) => invalid('metadata.name', JSON.stringify(text), fault))),
    ...(isJsonObject(labels) ? labelCauses(labels, 'metadata.labels') : []),
    ...(isJsonObject(annotations) ? annotationCauses(annotations) : []),
  ];
}

function annotationCauses(annotations: JsonObject): FieldCause[] {
  let size = 0;
  const causes: FieldCause[] = [];
  for (const [key, value] of Object.entries(annotations)) {
    size += key.length + (typeof value === 'string' ? value.length : 0);
    for (const fault of qualifiedNameFaults(key.toLowerCase()))
      causes.push(invalid('metadata.annotations', JSON.stringify(key), fault));
  }
  if (size > ANNOTATIONS_LIMIT)
    causes.push({
      reason: 'FieldValueTooLong',
      message: `Too long: may not be more than ${ANNOTATIONS_LIMIT} bytes`,
      field: 'metadata.annotations',
    });
  return causes;
}
