import type { JsonObject } from '#libs/kernel/json.js';
import { isJsonObject } from '#libs/kernel/json.js';
import type { StatusCause } from './kubernetes-status.error.js';
import type { NameRule } from './served.resource.js';

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const LABEL_MESSAGE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an " +
  `alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${LABEL}')`;
const LABEL_1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const LABEL_1035_MESSAGE =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end " +
  `with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '${LABEL_1035}')`;
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const SUBDOMAIN_MESSAGE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end " +
  `with an alphanumeric character (e.g. 'example.com', regex used for validation is '${SUBDOMAIN}')`;
const QUALIFIED = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const QUALIFIED_MESSAGE =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric " +
  `character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${QUALIFIED}')`;
const VALUE = '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?';
const VALUE_MESSAGE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end " +
  `with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '${VALUE}')`;

/** Annotations of one object together. */
const ANNOTATIONS_LIMIT = 256 * 1024;

const matches = (pattern: string, text: string): boolean => new RegExp(`^${pattern}$`).test(text);

/** The complaints about a name, as the server words them. */
export function nameFaults(rule: NameRule, name: string): string[] {
  switch (rule) {
    case 'dns-label':
      return boundedFaults(name, 63, LABEL, LABEL_MESSAGE);
    case 'dns-1035-label':
      return boundedFaults(name, 63, LABEL_1035, LABEL_1035_MESSAGE);
    case 'dns-subdomain':
      return boundedFaults(name, 253, SUBDOMAIN, SUBDOMAIN_MESSAGE);
    case 'path-segment':
      if (name === '.' || name === '..') return [`may not be '${name}'`];
      return ['/', '%'].filter((part) => name.includes(part)).map((part) => `may not contain '${part}'`);
  }
}

function boundedFaults(text: string, limit: number, pattern: string, message: string): string[] {
  return [
    ...(text.length > limit ? [`must be no more than ${limit} characters`] : []),
    ...(matches(pattern, text) ? [] : [message]),
  ];
}

/** What is wrong with an object's name, labels and annotations. */
export function metadataCauses(rule: NameRule, metadata: JsonObject): StatusCause[] {
  const name = typeof metadata.name === 'string' ? metadata.name : '';
  const causes: StatusCause[] = [];
  if (name === '')
    causes.push({
      reason: 'FieldValueRequired',
      message: 'Required value: name or generateName is required',
      field: 'metadata.name',
    });
  else causes.push(...nameFaults(rule, name).map((fault) => invalid('metadata.name', name, fault)));
  causes.push(...labelCauses(metadata.labels), ...annotationCauses(metadata.annotations));
  return causes;
}

function labelCauses(labels: unknown): StatusCause[] {
  if (!isJsonObject(labels)) return [];
  return Object.entries(labels).flatMap(([key, value]) => [
    ...qualifiedNameFaults(key).map((fault) => invalid('metadata.labels', key, fault)),
    ...(typeof value === 'string'
      ? boundedFaults(value, 63, VALUE, VALUE_MESSAGE).map((fault) => invalid('metadata.labels', value, fault))
      : []),
  ]);
}

function annotationCauses(annotations: unknown): StatusCause[] {
  if (!isJsonObject(annotations)) return [];
  let size = 0;
  const causes: StatusCause[] = [];
  for (const [key, value] of Object.entries(annotations)) {
    size += key.length + (typeof value === 'string' ? value.length : 0);
    for (const fault of qualifiedNameFaults(key.toLowerCase()))
      causes.push(invalid('metadata.annotations', key, fault));
  }
  if (size > ANNOTATIONS_LIMIT)
    causes.push({
      reason: 'FieldValueTooLong',
      message: `Too long: may not be more than ${ANNOTATIONS_LIMIT} bytes`,
      field: 'metadata.annotations',
    });
  return causes;
}

/** `name` or `prefix/name`: the keys of labels and annotations. */
export function qualifiedNameFaults(key: string): string[] {
  const parts = key.split('/');
  if (parts.length > 2)
    return [
      `a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${QUALIFIED}') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  const name = parts.at(-1)!;
  const prefix = parts.length === 2 ? parts[0]! : undefined;
  const faults: string[] = [];
  if (prefix === '') faults.push('prefix part must be non-empty');
  else if (prefix !== undefined)
    faults.push(...boundedFaults(prefix, 253, SUBDOMAIN, SUBDOMAIN_MESSAGE).map((fault) => `prefix part ${fault}`));
  if (name === '') faults.push('name part must be non-empty');
  else if (name.length > 63) faults.push('name part must be no more than 63 characters');
  if (!matches(QUALIFIED, name)) faults.push(QUALIFIED_MESSAGE);
  return faults;
}

/** @returns the complaint about a label's value; undefined when it can be one */
export function labelValueFault(value: string): string | undefined {
  return boundedFaults(value, 63, VALUE, VALUE_MESSAGE)[0];
}

function invalid(field: string, value: string, fault: string): StatusCause {
  return { reason: 'FieldValueInvalid', message: `Invalid value: ${JSON.stringify(value)}: ${fault}`, field };
}
