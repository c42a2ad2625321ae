import {
  ControlError,
  type ControlErrorCode,
  type ControlErrorFields,
  type Retry,
} from '#libs/kernel/control-error.js';
import { isJsonObject } from '#libs/kernel/json.js';
import { governanceDiagnosis } from './governance.diagnosis.js';
import { redacted } from './redaction.js';
import { retryAfterSeconds, type ReadableHeaders } from './retry-after.js';

/** An error as Azure words it, whatever the shape on the wire. */
export interface ArmError {
  /** The outermost code that says something: wrappers such as `ResourceOperationFailure` give way to what they wrap. */
  code: string;
  message: string;
}

/** Codes that only say "see inside". */
const WRAPPER_CODES = new Set([
  'badrequest',
  'conflict',
  'deploymentfailed',
  'failed',
  'resourceoperationfailure',
  'resourcedeploymentfailure',
  'operationfailed',
  'unspecified',
]);
const DEEPEST = 8;

/**
 * Reads an error body of any of the shapes that Azure sends: ARM's `{error: {code, message, details}}`, the bare
 * `{code, message}` of AKS, the Pascal case of App Service, the status body of a long-running operation, and OData's.
 * @param body JSON text or a parsed value.
 * @returns undefined where the body is no such error.
 */
export function parseArmError(body: unknown): ArmError | undefined {
  let value: unknown = body;
  if (typeof body === 'string') {
    try {
      value = JSON.parse(body);
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  }
  return readError(value, 0);
}

function readError(value: unknown, depth: number): ArmError | undefined {
  if (!isJsonObject(value) || depth > DEEPEST) return undefined;
  const wrapped = value.error ?? value.Error ?? value['odata.error'];
  if (isJsonObject(wrapped)) return readError(wrapped, depth + 1);
  const code = textOf(value.code) ?? textOf(value.Code);
  const message = messageOf(value.message ?? value.Message);
  const inner = innerErrors(value).find((error) => error !== undefined && error.code.toLowerCase() !== 'unspecified');
  if (code === undefined) return inner ?? (message === undefined ? undefined : { code: 'Unspecified', message });
  if (WRAPPER_CODES.has(code.toLowerCase()) && inner !== undefined) {
    return { code: inner.code, message: inner.message !== '' ? inner.message : (message ?? '') };
  }
  return { code, message: message ?? inner?.message ?? '' };

  function innerErrors(holder: Record<string, unknown>): (ArmError | undefined)[] {
    const details = holder.details ?? holder.Details;
    const candidates: unknown[] = Array.isArray(details) ? details : [];
    return [...candidates, holder.ErrorEntity, holder.innererror, holder.innerError].map((candidate) =>
      readError(candidate, depth + 1),
    );
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** OData wraps the text once more: `{lang, value}`. */
function messageOf(value: unknown): string | undefined {
  return isJsonObject(value) ? textOf(value.value) : textOf(value);
}

interface KnownError {
  code: ControlErrorCode;
  retry?: Retry;
  remedy?: string;
}

const BACKOFF: Retry = { kind: 'backoff' };
const BUSY: KnownError = {
  code: 'TARGET_BUSY',
  retry: BACKOFF,
  remedy: 'Wait until the other operation has ended; the same request can then be made again.',
};
const CHANGED: KnownError = { code: 'PRECONDITION_FAILED', retry: BACKOFF };
const THROTTLED: KnownError = { code: 'AZURE_THROTTLED', retry: BACKOFF };
const SIGN_IN: KnownError = {
  code: 'AZURE_UNAUTHENTICATED',
  remedy: 'Check the credential of Pilothouse, and that it belongs to the tenant of the subscription.',
};
const RIGHTS: KnownError = {
  code: 'AZURE_FORBIDDEN',
  remedy:
    'Give the identity of Pilothouse a role with this action at the scope that the message names; a new role takes up to ten minutes to work.',
};
const QUOTA: KnownError = {
  code: 'AZURE_QUOTA_EXCEEDED',
  remedy: 'Ask for a higher quota in that region, or use another machine size or region.',
};
const REGISTER: KnownError = {
  code: 'AZURE_REJECTED',
  remedy:
    'Register the resource provider that the message names in the subscription (azure.provider.register); it takes some minutes.',
};
const LINKED: KnownError = {
  code: 'AZURE_CONFLICT',
  remedy:
    'A service has left a link on the subnet. That of Container Instances (acisal) goes with the subnet (azure.subnet.delete); others are taken away by their services.',
};
const API_VERSION: KnownError = {
  code: 'AZURE_REJECTED',
  remedy: 'Azure no longer offers the API version that Pilothouse speaks for this type: update Pilothouse.',
};
const PREEMPTED: KnownError = {
  code: 'AZURE_OPERATION_FAILED',
  remedy: 'A newer operation on the same object won: look at its state, and ask again if the change is still wanted.',
};
const VERSION: KnownError = {
  code: 'AZURE_REJECTED',
  remedy: 'Choose a Kubernetes version that AKS supports in this region.',
};

/** Lower-case Azure code -> what it means to us. Codes are checked before HTTP statuses, since providers differ in those. */
const KNOWN_ERRORS: Readonly<Record<string, KnownError>> = {
  resourcenotfound: { code: 'AZURE_NOT_FOUND' },
  resourcegroupnotfound: { code: 'AZURE_NOT_FOUND', remedy: 'Create the resource group first.' },
  parentresourcenotfound: { code: 'AZURE_NOT_FOUND' },
  notfound: { code: 'AZURE_NOT_FOUND' },
  subscriptionnotfound: {
    code: 'AZURE_NOT_FOUND',
    remedy: 'Check the subscription id, and that the identity of Pilothouse has a role in the subscription.',
  },

  operationnotallowed: { code: 'AZURE_CONFLICT' },
  anotheroperationinprogress: BUSY,
  operationinprogress: BUSY,
  resourceoperationinprogress: BUSY,
  resourcebeingdeleted: BUSY,
  referencedresourcenotprovisioned: BUSY,
  notlatestoperation: BUSY,
  etagmismatch: CHANGED,
  preconditionfailed: CHANGED,

  subscriptionrequeststhrottled: THROTTLED,
  tenantrequeststhrottled: THROTTLED,
  toomanyrequests: THROTTLED,
  operationthrottled: THROTTLED,
  ratelimiting: THROTTLED,

  invalidauthenticationtoken: SIGN_IN,
  expiredauthenticationtoken: SIGN_IN,
  authenticationfailed: SIGN_IN,
  invalidauthenticationtokentenant: {
    code: 'AZURE_UNAUTHENTICATED',
    remedy: 'The subscription belongs to another tenant than the credential of Pilothouse.',
  },

  authorizationfailed: RIGHTS,
  linkedauthorizationfailed: RIGHTS,
  denyassignmentauthorizationfailed: {
    code: 'AZURE_FORBIDDEN',
    remedy: 'A service manages this resource and denies changes by others: change the resource that it belongs to.',
  },
  requestdisallowedbypolicy: {
    code: 'AZURE_REJECTED',
    remedy: 'An Azure policy forbids this: change the request to suit it, or ask its owner for an exemption.',
  },
  scopelocked: { code: 'AZURE_CONFLICT', remedy: 'A lock protects the resource: have the lock removed first.' },

  quotaexceeded: QUOTA,
  errcode_insufficientvcpuquota: QUOTA,
  insufficientvcpuquota: QUOTA,
  skunotavailable: { code: 'AZURE_REJECTED', remedy: 'Choose another machine size, zone or region.' },
  akscapacityerror: {
    code: 'AZURE_QUOTA_EXCEEDED',
    remedy: 'The region is short of capacity: try later, or use another machine size, zone or region.',
  },
  akscapacityheavyusage: {
    code: 'AZURE_QUOTA_EXCEEDED',
    remedy: 'The region is short of capacity: try later, or use another region.',
  },
  subnetisfull: {
    code: 'AZURE_QUOTA_EXCEEDED',
    remedy: 'The subnet has no free addresses: use fewer nodes or a larger subnet.',
  },

  inusesubnetcannotbedeleted: {
    code: 'AZURE_CONFLICT',
    remedy: 'Delete what is in the subnet first, or move it to another one.',
  },
  subnetdelegationscannotchangewhensubnetusedbyresource: {
    code: 'AZURE_CONFLICT',
    remedy: 'Use a subnet of its own: one that something is in cannot be given to another service.',
  },

  missingsubscriptionregistration: REGISTER,
  missingregistrationforlocation: REGISTER,
  noregisteredproviderfound: API_VERSION,
  invalidapiversionparameter: API_VERSION,
  invalidresourcetype: API_VERSION,
  locationnotavailableforresourcetype: {
    code: 'AZURE_REJECTED',
    remedy: 'Choose a location that offers this type of resource.',
  },
  invalidresourcelocation: {
    code: 'AZURE_CONFLICT',
    remedy: 'A resource of this name exists in another location: use that location, or another name.',
  },
  agentpoolk8sversionnotsupported: VERSION,
  k8sversionnotsupported: VERSION,
  clusteralreadyjoinedanotherfleet: {
    code: 'AZURE_CONFLICT',
    remedy: 'A cluster can be in one fleet only: let it leave the other fleet first (fleet.member.leave).',
  },
  featurenotavailableincloud: { code: 'AZURE_REJECTED', remedy: 'This cloud does not offer the feature.' },
  principalnotfound: {
    code: 'AZURE_REJECTED',
    retry: BACKOFF,
    remedy: 'A new identity takes some minutes to be known everywhere.',
  },
  roleassignmentexists: { code: 'AZURE_CONFLICT' },

  internalservererror: { code: 'AZURE_UNAVAILABLE', retry: BACKOFF },
  serviceunavailable: { code: 'AZURE_UNAVAILABLE', retry: BACKOFF },
  gatewaytimeout: { code: 'AZURE_TIMEOUT', retry: BACKOFF },
  controlplaneaddonsnotready: BUSY,
  aksoperationpreempted: PREEMPTED,
  operationpreempted: PREEMPTED,
  aksoperationpreemptedbydelete: { code: 'AZURE_OPERATION_FAILED', remedy: 'The object is being deleted.' },
};

/** AKS gives one code for "busy", "quota" and "never": only its text tells them apart. */
function knownError(error: ArmError): KnownError | undefined {
  const code = error.code.toLowerCase();
  if (code === 'operationnotallowed') {
    if (/another (agentpool |\w+ )?operation|operation .* in progress/i.test(error.message)) return BUSY;
    if (/quota|exceeding approved/i.test(error.message)) return QUOTA;
  }
  if (blamesLink(error)) return LINKED;
  return KNOWN_ERRORS[code];
}

/** The refusals of a subnet to go, and to be taken back, while a link of a service may be on it. */
const KEPT_BY_LINK = new Set(['inusesubnetcannotbedeleted', 'subnetmissingrequireddelegation']);

/** Other refusals name a link as well, where they are about a call for the link itself: it is not what stands in the way. */
function blamesLink({ code, message }: ArmError): boolean {
  return KEPT_BY_LINK.has(code.toLowerCase()) && /\/serviceAssociationLinks\//i.test(message);
}

function byStatus(status: number): KnownError {
  switch (status) {
    case 401:
      return SIGN_IN;
    case 403:
      return RIGHTS;
    case 404:
    case 410:
      return { code: 'AZURE_NOT_FOUND' };
    case 408:
    case 504:
      return { code: 'AZURE_TIMEOUT', retry: BACKOFF };
    case 409:
      return { code: 'AZURE_CONFLICT' };
    case 412:
      return CHANGED;
    case 429:
      return THROTTLED;
    default:
      if (status >= 500) return { code: 'AZURE_UNAVAILABLE', retry: BACKOFF };
      if (status >= 400) return { code: 'AZURE_REJECTED' };
      return { code: 'AZURE_UNEXPECTED_ANSWER' };
  }
}

export interface ArmRefusal {
  status: number;
  /** JSON text or a parsed value. */
  body: unknown;
  headers: ReadableHeaders;
  /** What was tried, for the message: `GET fleets/f1`. */
  action: string;
  now: Date;
}

/** An answer that is no success, as the one error type of the house. */
export function classifyArmError(refusal: ArmRefusal): ControlError {
  const error = parseArmError(refusal.body) ?? headerError(refusal.headers);
  let known = error === undefined ? undefined : knownError(error);
  // "Throttled" is what the status says it is, whatever the provider calls it; a busy network resource says 429 as well.
  if (refusal.status === 429 && known?.code !== 'TARGET_BUSY') known = { ...known, ...THROTTLED };
  known ??= byStatus(refusal.status);
  const asked = retryAfterSeconds(refusal.headers, refusal.now);
  const retryable = known.retry ?? { kind: 'never' };
  const retry: Retry =
    retryable.kind === 'backoff' && asked !== undefined
      ? { kind: 'after', seconds: Math.max(1, Math.ceil(asked)) }
      : retryable;
  const said =
    error === undefined
      ? `HTTP ${refusal.status}`
      : [error.code, error.message].filter((part) => part !== '').join(': ');
  return new ControlError(known.code, redacted(`${refusal.action}: ${said}`), {
    ...fieldsOf(known, error, refusal.body),
    retry,
  });
}

/** Whether a link of a service is what keeps a subnet. */
export function saysLinked(error: ControlError): boolean {
  return blamesLink({ code: error.externalCode ?? '', message: error.message });
}

/** Nobody has ever used the resource provider in the subscription: there is nothing of its types, and nothing is missing. */
export function saysUnregistered(error: ControlError): boolean {
  return error.externalCode === 'MissingSubscriptionRegistration';
}

/**
 * Whether the error says that the object is not there. A subscription that cannot be seen says nothing about its objects.
 */
export function saysAbsent(error: ControlError): boolean {
  return error.code === 'AZURE_NOT_FOUND' && !isAboutTheWay(error.externalCode ?? '');
}

/** Codes of a 404 that concern the way to the object, not the object. */
export function isAboutTheWay(code: string): boolean {
  return ['subscriptionnotfound', 'tenantnotfound', 'invalidresourcenamespace', 'invalidresourcetype'].includes(
    code.toLowerCase(),
  );
}

/** The end of a long-running operation that Azure calls failed. It is over: nothing to retry by itself. */
export function failedOperationError(action: string, body: unknown): ControlError {
  const error = parseArmError(errorPartOf(body));
  const known = error === undefined ? undefined : knownError(error);
  const said =
    error === undefined
      ? 'Azure gives no reason.'
      : [error.code, error.message].filter((part) => part !== '').join(': ');
  return new ControlError('AZURE_OPERATION_FAILED', redacted(`${action}: ${said}`), fieldsOf(known ?? {}, error, body));
}

/** The end of a long-running operation that Azure calls canceled: somebody has ended it, or a newer one has taken over. */
export function canceledOperationError(action: string, body: unknown): ControlError {
  if (parseArmError(errorPartOf(body)) !== undefined) return failedOperationError(action, body);
  return new ControlError('AZURE_OPERATION_FAILED', redacted(`${action}: the operation was canceled in Azure.`), {
    externalCode: 'OperationCanceled',
    remedy: 'Somebody has ended it: look at the state of the object, and ask again if the change is still wanted.',
  });
}

/** A status body holds the error beside words like `code`-less status texts; an object holds it in its own status. */
function errorPartOf(body: unknown): unknown {
  if (!isJsonObject(body)) return body;
  if (body.error !== undefined && body.error !== null) return body.error;
  const properties = body.properties;
  if (!isJsonObject(properties)) return body;
  const status = isJsonObject(properties.status) ? properties.status : {};
  return properties.error ?? status.lastOperationError ?? status.provisioningError ?? undefined;
}

function headerError(headers: ReadableHeaders): ArmError | undefined {
  const code = headers.get('x-ms-error-code');
  return code === undefined || code === '' ? undefined : { code, message: '' };
}

function fieldsOf(known: { remedy?: string }, error: ArmError | undefined, body: unknown): ControlErrorFields {
  const diagnosis = error === undefined ? undefined : governanceDiagnosis(error, body);
  return {
    ...(known.remedy === undefined ? {} : { remedy: known.remedy }),
    ...(error === undefined ? {} : { externalCode: error.code }),
    ...(diagnosis === undefined ? {} : { diagnosis }),
  };
}
