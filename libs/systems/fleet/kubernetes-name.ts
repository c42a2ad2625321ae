import { z } from 'zod';

/** A label of DNS: what namespaces and services are called. */
export const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
/** A Kubernetes label: an optional DNS prefix and a name; the value may be empty. */
const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const LABEL_RULE = 'must be up to 63 lower-case letters, digits and hyphens, with no hyphen at either end';

export const dnsLabel = z.string().regex(DNS_LABEL, LABEL_RULE);

export const dnsSubdomain = z
  .string()
  .max(253)
  .regex(DNS_SUBDOMAIN, 'must be lower-case letters, digits, hyphens and dots, with a letter or digit at both ends');

export const labelKey = z.string().max(317).regex(LABEL_KEY, 'must be a Kubernetes label key');
export const labelValue = z.string().regex(LABEL_VALUE, 'must be a Kubernetes label value');
