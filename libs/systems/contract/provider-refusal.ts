import type { JsonObject } from '#libs/kernel/json.js';
import { rawText } from './raw-reader.js';

/** What a connector writes as the reason of a pod that its provider has refused; it does not try again. */
const REFUSED = 'ProviderFailed';
const LONGEST_WORDS = 2000;

/** Why the provider of a virtual node refuses a pod, with what each means. */
export const PROVIDER_REFUSALS = {
  PROVIDER_IMAGE_INACCESSIBLE:
    'Container Instances do not get at the image: the pod brings no credential that its registry accepts, or the image is not there.',
  PROVIDER_SECRET_UNUSABLE: 'A secret that the pod names is not there, or does not hold what it has to.',
  PROVIDER_LIMITS_EXCEED_REQUESTS:
    'The limit of a container is higher than what all containers of the pod request together, which Container Instances do not take.',
  PROVIDER_NO_CAPACITY: 'The region has no room for a container group of this size, at the moment or ever.',
  PROVIDER_QUOTA_EXCEEDED:
    'The quota of the region for container instances is used up: the virtual node got none for the pod.',
  PROVIDER_SUBNET_FULL: 'The subnet of the virtual node has no free address left.',
  PROVIDER_POD_UNSUPPORTED:
    'The pod asks for what Container Instances cannot do: another pod of the same template is refused in the same way.',
  PROVIDER_RIGHTS_MISSING: 'The identity of the connector has not the rights in Azure that it needs.',
  PROVIDER_TIMEOUT: 'Azure did not answer in time, or asked for patience: nothing is wrong with the pod.',
  PROVIDER_FAILED: 'The provider behind the virtual node has refused the pod, and does not try again.',
} as const satisfies Record<string, string>;
export type ProviderRefusalCode = keyof typeof PROVIDER_REFUSALS;

/** A refusal, as the connector has written it into the status of the pod. */
export interface ProviderRefusal {
  code: ProviderRefusalCode;
  /** What Azure calls it; null for what the connector refuses by itself. */
  azureCode: string | null;
  /** The sentence that says it, without the request that it answers. */
  said: string;
  /** What the sentence names: sizes, places, limits. */
  facts: JsonObject;
}

interface Recognition {
  code: ProviderRefusalCode;
  /** Any of these codes of Azure. */
  azureCodes?: readonly string[];
  /** Looked for in what is said, in any casing; has to fit as well where there are codes. */
  words?: RegExp;
  facts?: (said: string) => JsonObject;
}

/** The first that fits counts. */
const RECOGNITIONS: readonly Recognition[] = [
  {
    code: 'PROVIDER_IMAGE_INACCESSIBLE',
    azureCodes: ['InaccessibleImage'],
    facts: (said) => ({ image: found(/image '([^']+)'/i, said) }),
  },
  {
    code: 'PROVIDER_LIMITS_EXCEED_REQUESTS',
    azureCodes: ['ContainerLimitGreaterThanContainerGroupTotalRequest'],
    facts: limitFacts,
  },
  { code: 'PROVIDER_QUOTA_EXCEEDED', azureCodes: ['ContainerGroupQuotaReached', 'QuotaExceeded'], facts: quotaFacts },
  { code: 'PROVIDER_SUBNET_FULL', azureCodes: ['SubnetIsFull'], facts: subnetFacts },
  {
    code: 'PROVIDER_NO_CAPACITY',
    azureCodes: ['ServiceUnavailable'],
    words: /not available in the location/i,
    facts: capacityFacts,
  },
  {
    code: 'PROVIDER_RIGHTS_MISSING',
    azureCodes: ['AuthorizationFailed', 'LinkedAuthorizationFailed'],
    facts: rightsFacts,
  },
  {
    code: 'PROVIDER_TIMEOUT',
    azureCodes: [
      'ServerTimeout',
      'GatewayTimeout',
      'ServiceUnavailable',
      'ServerBusy',
      'InternalServerError',
      'TooManyRequests',
      'SubscriptionRequestsThrottled',
      'ContainerGroupTransitioning',
      'RegistryErrorResponse',
    ],
  },
  // What follows the connector says by itself, before it asks Azure.
  { code: 'PROVIDER_TIMEOUT', words: /context deadline exceeded|i\/o timeout|connection (refused|reset)/i },
  {
    code: 'PROVIDER_SECRET_UNUSABLE',
    words:
      /error getting image pull secret|image pull secret type is not|in auth config for server|no docker(cfg|configjson) present|malformed (auth|dockerconfigjson)/i,
  },
  {
    code: 'PROVIDER_SECRET_UNUSABLE',
    words: /secrets? "?[^" ]+"? (for .+ )?(is )?not found/i,
    facts: (said) => ({ secret: found(/secrets? "?([^" ]+)"? (?:for .+ )?(?:is )?not found/i, said) }),
  },
  {
    code: 'PROVIDER_POD_UNSUPPORTED',
    words:
      /ACI does not support|azure container instances initContainers do not support|which is of an unsupported type|AzureFile CSI driver .+ cannot be empty|probe (must|may not) specify|requires GPU|GPU must be/i,
  },
];

/** Whether the provider of its virtual node has refused the pod, and what it has said then. */
export function providerRefusal(pod: JsonObject): ProviderRefusal | undefined {
  if (rawText(pod, 'status', 'reason') !== REFUSED) return undefined;
  const message = rawText(pod, 'status', 'message') ?? '';
  const { azureCode, said } = spoken(message);
  const known = RECOGNITIONS.find(
    ({ azureCodes, words }) =>
      (azureCodes === undefined ? azureCode === null : azureCodes.includes(azureCode ?? '')) &&
      (words === undefined || words.test(said)),
  );
  const code = known?.code ?? (isPassing(message) ? 'PROVIDER_TIMEOUT' : 'PROVIDER_FAILED');
  return { code, azureCode, said, facts: known?.facts?.(said) ?? {} };
}

/** Whether Azure has answered with a status that stands for itself: it is asked too often, or in trouble. */
function isPassing(message: string): boolean {
  const status = Number(/(?:status code |StatusCode=|^RESPONSE )(\d{3})\b/m.exec(message)?.[1]);
  return status === 429 || status >= 500;
}

/**
 * Takes the words of Azure out of those of the connector. Its generations write them in three ways, which are those of the
 * libraries that each was made with:
 *
 * - `api call to https://…: got HTTP response status code 400 error code "InaccessibleImage": The image …` of the first ones;
 * - `…#CreateOrUpdate: Failure sending request: StatusCode=400 -- Original Error: Code="…" Message="The image …"` after them;
 * - a request, `RESPONSE 400: 400 Bad Request`, `ERROR CODE: InaccessibleImage` and the body of the answer, on lines of
 *   their own, of those that are made now.
 */
function spoken(message: string): { azureCode: string | null; said: string } {
  const first = /error code "([^"]*)"(?: with body)?: ([\s\S]*)$/.exec(message);
  if (first !== null) return azureSaid(first[1], first[2]);
  const second = /Code="([^"]*)" Message="([\s\S]*?)"(?: |$)/.exec(message);
  if (second !== null) return azureSaid(second[1], second[2]);
  const present = /^ERROR CODE(?:: (.*)| UNAVAILABLE)$/m.exec(message);
  if (present !== null) return azureSaid(present[1], sentenceOf(message));
  return { azureCode: null, said: message.trim().slice(0, LONGEST_WORDS) };
}

function azureSaid(code: string | undefined, said: string | undefined): { azureCode: string; said: string } {
  return { azureCode: code?.trim() ?? '', said: (said ?? '').trim().slice(0, LONGEST_WORDS) };
}

/** The first `message` of the body that is shown; all of it where it has none. */
function sentenceOf(message: string): string {
  const quoted = /"message":\s*("(?:[^"\\]|\\.)*")/.exec(message)?.[1];
  return quoted === undefined ? message : unquoted(quoted);
}

/** What was cut off in the middle of an escape stays as it is. */
function unquoted(literal: string): string {
  try {
    return String(JSON.parse(literal));
  } catch (error) {
    if (error instanceof SyntaxError) return literal;
    throw error;
  }
}

/** `The 'Cpu' limit '2' in container 'web' is greater than the total request '0.5' of container group '…'.` */
function limitFacts(said: string): JsonObject {
  return {
    resource: found(/The '([^']+)' limit/i, said),
    container: found(/in container '([^']+)'/i, said),
    limit: numberIn(/limit '([^']+)'/i, said),
    totalRequest: numberIn(/total request '([^']+)'/i, said),
  };
}

/** `… container group quota 'StandardCores' exceeded in region 'eastus'. Limit: '10', Usage: '10' Requested: '1'.` */
function quotaFacts(said: string): JsonObject {
  return {
    quota: found(/quota '([^']+)'/i, said),
    region: found(/region '([^']+)'/i, said),
    limit: numberIn(/Limit: '([^']+)'/i, said),
    used: numberIn(/Usage: '([^']+)'/i, said),
    requested: numberIn(/Requested: '([^']+)'/i, said),
  };
}

/** `… not available in the location 'westus' at this moment. … Resource requested: '4' CPU '16' GB memory 'Linux' OS …` */
function capacityFacts(said: string): JsonObject {
  return {
    region: found(/in the location '([^']+)'/i, said),
    cpuCores: numberIn(/requested: '([^']+)' CPU/i, said),
    memoryGb: numberIn(/CPU '([^']+)' GB/i, said),
  };
}

/** `Subnet aci with address prefix 10.0.2.0/24 does not have enough capacity for 1 IP addresses.` */
function subnetFacts(said: string): JsonObject {
  return {
    subnet: found(/Subnet '?([^\s']+)'? with/i, said),
    addressPrefix: found(/address prefix '?([\d./, ]+\d)'?/i, said),
  };
}

/** Of a right that is missing on something linked, the linked one is told of last, and is the one that is missing. */
function rightsFacts(said: string): JsonObject {
  const asked = [
    ...said.matchAll(/perform action(?:\(s\))? '([^']+)' (?:over|on the linked) scope(?:\(s\))? '([^']+)'/gi),
  ];
  const [, action = null, scope = null] = asked.at(-1) ?? [];
  return { objectId: found(/object id '([^']+)'/i, said), action, scope };
}

function found(pattern: RegExp, said: string): string | null {
  return pattern.exec(said)?.[1] ?? null;
}

function numberIn(pattern: RegExp, said: string): number | null {
  const value = Number(found(pattern, said) ?? Number.NaN);
  return Number.isFinite(value) ? value : null;
}
