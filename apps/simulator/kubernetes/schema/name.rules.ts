import type { JsonObject } from '#libs/kernel/json.js';
import { invalid, type FieldCause } from './field.cause.js';

/** The forms of names, as k8s.io/apimachinery/pkg/util/validation words its complaints. */

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const LABEL_1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const QUALIFIED = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const CONFIG_KEY = '[-._a-zA-Z0-9]+';

interface Form {
  pattern: RegExp;
  limit: number;
  message: string;
}

function form(expression: string, limit: number, sentence: string, examples: readonly string[]): Form {
  const quoted = examples.map((example) => `'${example}'`).join(',  or ');
  return {
    pattern: new RegExp(`^${expression}$`),
    limit,
    message: `${sentence} (e.g. ${quoted}, regex used for validation is '${expression}')`,
  };
}

const LABEL_FORM = form(
  LABEL,
  63,
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  ['my-name', '123-abc'],
);
const LABEL_1035_FORM = form(
  LABEL_1035,
  63,
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  ['my-name', 'abc-123'],
);
const SUBDOMAIN_FORM = form(
  SUBDOMAIN,
  253,
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  ['example.com'],
);
const NAME_PART_FORM = form(
  QUALIFIED,
  63,
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  ['MyName', 'my.name', '123-abc'],
);
const LABEL_VALUE_FORM = form(
  `(${QUALIFIED})?`,
  63,
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  ['MyValue', 'my_value', '12345'],
);
const CONFIG_KEY_FORM = form(
  CONFIG_KEY,
  253,
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  ['key.name', 'KEY_NAME', 'key-name'],
);

function faults({ pattern, limit, message }: Form, text: string): string[] {
  return [
    ...(text.length > limit ? [`must be no more than ${limit} characters`] : []),
    ...(pattern.test(text) ? [] : [message]),
  ];
}

export function labelNameFaults(text: string): string[] {
  return faults(LABEL_FORM, text);
}

/** A label that begins with a letter, as RFC 1035 wants it. */
export function label1035NameFaults(text: string): string[] {
  return faults(LABEL_1035_FORM, text);
}

export function subdomainNameFaults(text: string): string[] {
  return faults(SUBDOMAIN_FORM, text);
}

/** @returns the complaint about a label's value; undefined when it can be one */
export function labelValueFault(value: string): string | undefined {
  return faults(LABEL_VALUE_FORM, value)[0];
}

export function configKeyFaults(text: string): string[] {
  return faults(CONFIG_KEY_FORM, text);
}

/** `name` or `prefix/name`, as keys of labels and annotations are. */
export function qualifiedNameFaults(text: string): string[] {
  const parts = text.split('/');
  const name = parts.at(-1)!;
  if (parts.length > 2) {
    return [
      `${NAME_PART_FORM.message.replace('name part', 'a qualified name')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const found: string[] = [];
  if (parts.length === 2) {
    const prefix = parts[0]!;
    if (prefix === '') found.push('prefix part must be non-empty');
    else found.push(...faults(SUBDOMAIN_FORM, prefix).map((fault) => `prefix part ${fault}`));
  }
  if (name === '') found.push('name part must be non-empty');
  else if (name.length > NAME_PART_FORM.limit)
    found.push(`name part must be no more than ${NAME_PART_FORM.limit} characters`);
  return NAME_PART_FORM.pattern.test(name) ? found : [...found, NAME_PART_FORM.message];
}

/** What is wrong with the keys and values of a map of labels. */
export function labelCauses(labels: JsonObject, field: string): FieldCause[] {
  return Object.entries(labels).flatMap(([key, value]) => [
    ...qualifiedNameFaults(key).map((fault) => invalid(field, JSON.stringify(key), fault)),
    ...(typeof value === 'string'
      ? faults(LABEL_VALUE_FORM, value).map((fault) => invalid(field, JSON.stringify(value), fault))
      : []),
  ]);
}

/** The names of ports: short, and with a letter. */
export function portNameFaults(text: string): string[] {
  return [
    ...(text.length > 15 ? ['must be no more than 15 characters'] : []),
    ...(/^[-a-z0-9]*$/.test(text) ? [] : ['must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)']),
    ...(/[a-z]/.test(text) ? [] : ['must contain at least one letter (a-z)']),
    ...(text.includes('--') ? ['must not contain consecutive hyphens'] : []),
    ...(/^-|-$/.test(text) ? ['must not begin or end with a hyphen'] : []),
  ];
}
