import {
  ControlError,
  type ControlErrorCode,
  type ControlErrorFields,
  type Retry,
  type Violation,
} from '#libs/kernel/control-error.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import { LONGEST_RETRY_AFTER, retryAfterSeconds, type AnswerHeaders } from './retry-after.js';

const LONGEST = 2000;
/** Patterns are sought in what a server says, and some take time that grows with the square of it. */
const LONGEST_MESSAGE = 16_384;
/** Words, names and paths go into what is stored. */
const LONGEST_NAME = 512;
const MOST_VIOLATIONS = 100;
const BACKOFF: Retry = { kind: 'backoff' };
const NEVER: Retry = { kind: 'never' };

/** What a server says about a failure, `kind: Status`. */
export interface KubernetesStatus {
  code: number;
  reason: string | undefined;
  message: string;
  /** The name of the object in question. */
  name: string | undefined;
  /** Its type, in the plural or not, as the server likes. */
  kind: string | undefined;
  causes: { reason: string; message: string; field: string }[];
  retryAfterSeconds: number | undefined;
}

/** @param body JSON text or a parsed value. @returns undefined where it is no Status. */
export function parseStatus(body: unknown): KubernetesStatus | undefined {
  const value = typeof body === 'string' ? parsedJson(body) : body;
  if (!isJsonObject(value) || value.kind !== 'Status') return undefined;
  const details: JsonObject = isJsonObject(value.details) ? value.details : {};
  const causes = Array.isArray(details.causes) ? details.causes.filter(isJsonObject) : [];
  return {
    code: typeof value.code === 'number' ? value.code : 0,
    reason: textOf(value.reason),
    message: textOf(value.message, LONGEST_MESSAGE) ?? '',
    name: textOf(details.name),
    kind: textOf(details.kind),
    causes: causes.slice(0, MOST_VIOLATIONS).map((cause) => ({
      reason: textOf(cause.reason) ?? '',
      message: textOf(cause.message, LONGEST_MESSAGE) ?? '',
      // A fault of the whole is said to be at `<nil>`.
      field: cause.field === '<nil>' ? '' : (textOf(cause.field) ?? ''),
    })),
    retryAfterSeconds:
      typeof details.retryAfterSeconds === 'number' && details.retryAfterSeconds > 0
        ? Math.min(LONGEST_RETRY_AFTER, details.retryAfterSeconds)
        : undefined,
  };
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (Error.isError(error) && error.name === 'SyntaxError') return undefined;
    throw error;
  }
}

/** At most so many characters of it. */
function textOf(value: unknown, longest = LONGEST_NAME): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, longest) : undefined;
}

export interface KubernetesRefusal {
  status: number;
  /** Text, or a parsed Status. */
  body: unknown;
  headers: AnswerHeaders;
  /** What was tried, for the message: `get deployments.apps demo/web`. */
  action: string;
  now: Date;
}

interface Verdict {
  code: ControlErrorCode;
  retry?: Retry;
  remedy?: string;
  violations?: Violation[];
}

const NEW_CREDENTIAL =
  'The credential has expired or was taken back, or belongs to another cluster: attach a new one (PUT /v1/clusters/{uid}/access).';
const AZURE_ROLE =
  'Give the identity of Pilothouse an Azure role for the data plane of the cluster; on the hub of a fleet with the operation `fleet.roleAssignment.create` ("Azure Kubernetes Fleet Manager RBAC Cluster Admin"), on a managed cluster "Azure Kubernetes Service RBAC Cluster Admin" or a narrower one. A new role takes up to ten minutes to work.';
const RBAC_ROLE =
  'Give the identity of Pilothouse a role with this verb in the cluster (a RoleBinding or ClusterRoleBinding), or Azure RBAC where the cluster uses it.';
const TYPE_NOT_SERVED =
  'The cluster does not serve this type: it may lack the custom resource definition, or serve another version.';

/** An answer that is no success, as the one error type of the house. */
export function classifyKubernetesError(refusal: KubernetesRefusal): ControlError {
  const status = parseStatus(refusal.body);
  const verdict = status === undefined ? withoutStatus(refusal) : judge(refusal.status, status);
  const asked = retryAfterSeconds(refusal.headers, refusal.now) ?? status?.retryAfterSeconds;
  const retryable = verdict.retry ?? NEVER;
  const retry: Retry =
    retryable.kind === 'backoff' && asked !== undefined
      ? { kind: 'after', seconds: Math.max(1, Math.ceil(asked)) }
      : retryable;
  const said = status === undefined ? `HTTP ${refusal.status}, not in the words of Kubernetes` : status.message;
  const fields: ControlErrorFields = {
    retry,
    ...(verdict.remedy === undefined ? {} : { remedy: verdict.remedy }),
    ...(verdict.violations === undefined || verdict.violations.length === 0 ? {} : { violations: verdict.violations }),
    ...(status?.reason === undefined ? {} : { externalCode: status.reason }),
  };
  return new ControlError(
    verdict.code,
    shown(`${refusal.action}: ${said === '' ? `HTTP ${refusal.status}` : said}`),
    fields,
  );
}

/** Whether it was not even looked who we are: a fresh credential may change that. */
export function isUnauthenticated(httpStatus: number, body: string): boolean {
  if (httpStatus === 401) return true;
  const status = httpStatus === 403 ? parseStatus(body) : undefined;
  return status !== undefined && saysAnonymous(status);
}

/** Whether it is this very object that is not there; a type or a path that is not served is another matter. */
export function saysAbsent(httpStatus: number, body: string, name: string): boolean {
  if (httpStatus !== 404) return false;
  const status = parseStatus(body);
  return status?.reason === 'NotFound' && status.name === name;
}

/** Whether a disruption budget forbids an eviction: that passes when other pods are ready, not within seconds. */
export function saysBudget(httpStatus: number, body: string): boolean {
  const status = httpStatus === 429 ? parseStatus(body) : undefined;
  return status !== undefined && isBudgets(status);
}

function isBudgets({ causes }: KubernetesStatus): boolean {
  return causes.some(({ reason }) => reason === 'DisruptionBudget');
}

/** Whether the watch or the continue token is older than what the server remembers. */
export function saysExpired(error: ControlError): boolean {
  return error.externalCode === 'Expired' || error.externalCode === 'Gone';
}

function judge(httpStatus: number, status: KubernetesStatus): Verdict {
  const violations = violationsOf(status);
  switch (httpStatus) {
    case 401:
      return { code: 'KUBERNETES_UNAUTHENTICATED', remedy: NEW_CREDENTIAL };
    case 403:
      return { ...forbidden(status), violations };
    case 404:
      return { ...notFound(status), violations };
    case 409:
      return { ...conflict(status), violations };
    case 410:
      return { code: 'KUBERNETES_CONFLICT', retry: BACKOFF };
    case 415:
      return {
        code: 'KUBERNETES_REJECTED',
        remedy: 'The type does not take this kind of patch: use a merge patch, or apply.',
        violations,
      };
    case 429: {
      return { code: isBudgets(status) ? 'KUBERNETES_CONFLICT' : 'KUBERNETES_THROTTLED', retry: BACKOFF, violations };
    }
    case 500:
      return { ...serverError(status), violations };
    case 408:
    case 504:
      return { code: 'KUBERNETES_TIMEOUT', retry: BACKOFF };
    default:
      if (httpStatus >= 500) return { code: 'KUBERNETES_UNAVAILABLE', retry: BACKOFF };
      if (httpStatus >= 400) return { code: 'KUBERNETES_REJECTED', violations };
      return { code: 'KUBERNETES_UNEXPECTED_ANSWER' };
  }
}

function saysAnonymous(status: KubernetesStatus): boolean {
  return status.message.includes('User "system:anonymous" cannot');
}

/** Admission says "forbidden" too, where it is not a matter of rights. */
const ADMISSION =
  /exceeded quota|violates PodSecurity|denied the request|denied request|denied by|must be specified by: |maximum .* usage per|minimum .* usage per/i;

function forbidden(status: KubernetesStatus): Verdict {
  if (saysAnonymous(status)) return { code: 'KUBERNETES_UNAUTHENTICATED', remedy: NEW_CREDENTIAL };
  if (
    status.causes.some(({ reason }) => reason === 'NamespaceTerminating') ||
    /being terminated/i.test(status.message)
  ) {
    return {
      code: 'KUBERNETES_CONFLICT',
      retry: BACKOFF,
      remedy: 'The namespace is being deleted: wait until it is gone, and create it anew.',
    };
  }
  if (ADMISSION.test(status.message)) return { code: 'KUBERNETES_REJECTED' };
  const remedy = /does not have access to the resource in Azure/i.test(status.message) ? AZURE_ROLE : RBAC_ROLE;
  return { code: 'KUBERNETES_FORBIDDEN', remedy };
}

function notFound(status: KubernetesStatus): Verdict {
  if (status.name === undefined) return { code: 'KUBERNETES_NOT_FOUND', remedy: TYPE_NOT_SERVED };
  if (status.kind === 'namespaces') {
    return { code: 'KUBERNETES_NOT_FOUND', remedy: `Create the namespace "${status.name}" first.` };
  }
  return { code: 'KUBERNETES_NOT_FOUND' };
}

function conflict(status: KubernetesStatus): Verdict {
  if (status.causes.some(({ reason }) => reason === 'FieldManagerConflict')) {
    return {
      code: 'KUBERNETES_CONFLICT',
      remedy:
        'Another manager owns these fields: leave them out, or apply with force to take them over, which undoes what the other one set.',
    };
  }
  if (status.reason === 'AlreadyExists') return { code: 'KUBERNETES_CONFLICT' };
  return { code: 'KUBERNETES_CONFLICT', retry: BACKOFF };
}

function serverError(status: KubernetesStatus): Verdict {
  // A manifest that does not fit the schema is answered to an apply as if the server were at fault.
  if (/failed to create typed patch object|failed to create typed live object/.test(status.message)) {
    return { code: 'KUBERNETES_REJECTED' };
  }
  const webhook = /failed calling webhook "([^"]{1,253})"/.exec(status.message)?.[1];
  return {
    code: 'KUBERNETES_UNAVAILABLE',
    retry: BACKOFF,
    ...(webhook === undefined
      ? {}
      : { remedy: `The admission webhook "${webhook}" does not answer: look at the service behind it.` }),
  };
}

/** What a proxy, a gateway or a wrong address answers. */
function withoutStatus({ status, body }: KubernetesRefusal): Verdict {
  if (status === 401) return { code: 'KUBERNETES_UNAUTHENTICATED', remedy: NEW_CREDENTIAL };
  if (status === 429) return { code: 'KUBERNETES_THROTTLED', retry: BACKOFF };
  if (status === 404 && typeof body === 'string' && /^404 page not found\s*$/.test(body)) {
    return { code: 'KUBERNETES_NOT_FOUND', remedy: TYPE_NOT_SERVED };
  }
  if (status === 408 || status === 504) return { code: 'KUBERNETES_TIMEOUT', retry: BACKOFF };
  if (status >= 500) return { code: 'KUBERNETES_UNAVAILABLE', retry: BACKOFF };
  return {
    code: 'KUBERNETES_UNEXPECTED_ANSWER',
    remedy: 'Something else than a Kubernetes API server answers at this address: check the server and the proxy.',
  };
}

function violationsOf(status: KubernetesStatus): Violation[] {
  const causes = status.causes.map(({ reason, message, field }) => ({
    path: field,
    message: shown(message),
    ...(reason === '' ? {} : { code: reason }),
  }));
  return causes.length > 0 ? causes : [...strictFaults(status.message), ...typedFaults(status.message)];
}

/** `strict decoding error: unknown field "spec.a", duplicate field "spec.b"` has its fields in the text only. */
function strictFaults(message: string): Violation[] {
  if (!message.includes('strict decoding error')) return [];
  return [...message.matchAll(/(unknown|duplicate) field "([^"]+)"/g)]
    .slice(0, MOST_VIOLATIONS)
    .map(([, what, path]) => ({
      path: path ?? '',
      message: what === 'unknown' ? 'The type has no such field.' : 'The field is there twice.',
      code: what === 'unknown' ? 'UnknownField' : 'DuplicateField',
    }));
}

/** `failed to create typed patch object (…): .spec.replica: field not declared in schema`, or several by lines. */
function typedFaults(message: string): Violation[] {
  if (!/failed to create typed (patch|live) object/.test(message)) return [];
  return [...message.matchAll(/(?:\): |\n\s*)(\.[^\n]*?): ([^\n:]+)(?=\n|$)/g)]
    .slice(0, MOST_VIOLATIONS)
    .map(([, path, said]) => ({
      path: path ?? '',
      message: shown(said ?? ''),
      code: said?.includes('field not declared in schema') === true ? 'UnknownField' : 'FieldTypeInvalid',
    }));
}

/** Codes of the system, of TLS, of the HTTP client and its parser, and of decompression; not of calls that we made wrongly. */
const NETWORK_CODE =
  /^(E[A-Z0-9]{3,}|EAI_[A-Z]+|UND_ERR_(?!INVALID_ARG|INVALID_RETURN)[A-Z0-9_]+|ERR_SSL_[A-Z0-9_]+|ERR_TLS_[A-Z_]+|ERR_STREAM_PREMATURE_CLOSE|HPE_[A-Z_]+|Z_[A-Z_]+|(CERT|CRL|UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|HOSTNAME)_[A-Z_]+)$/;

/** A connection that failed, as the one error type of the house. */
export interface ConnectionFault {
  error: ControlError;
  /** Nothing has reached the server: sending it again cannot do it twice. */
  nothingSent: boolean;
}

const PRIVATE =
  'Check that Pilothouse can reach the address (name resolution, routes, firewalls, the authorised address ranges of the cluster). A private API server answers inside its own virtual network only.';
const NO_TRUST = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_UNTRUSTED',
  'CERT_SIGNATURE_FAILURE',
]);

/**
 * @param error what the HTTP client threw.
 * @returns undefined where it is no failure of the connection: a fault of our own, to be thrown on.
 */
export function classifyConnectionError(error: unknown, action: string, host: string): ConnectionFault | undefined {
  const code = networkCode(error);
  if (code === undefined) return undefined;
  const fault = (
    errorCode: ControlErrorCode,
    message: string,
    fields: ControlErrorFields,
    nothingSent = false,
  ): ConnectionFault => ({
    error: new ControlError(errorCode, shown(`${action}: ${message}`), { ...fields, externalCode: code }),
    nothingSent,
  });
  if (NO_TRUST.has(code)) {
    return fault(
      'KUBERNETES_UNAVAILABLE',
      `The certificate of ${host} is not signed by an authority that is trusted.`,
      {
        remedy: 'Embed the authority of the cluster in the kubeconfig (certificate-authority-data).',
      },
    );
  }
  switch (code) {
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return fault('KUBERNETES_UNAVAILABLE', `The certificate of ${host} has expired or is not valid yet.`, {
        remedy: 'Have the certificate of the API server renewed, and check the clock of this machine.',
      });
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return fault('KUBERNETES_UNAVAILABLE', `The certificate of ${host} was made for another host name.`, {
        remedy: 'Use the name that the certificate has, in the server address or as tls-server-name.',
      });
    case 'ECONNREFUSED':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return fault(
        'KUBERNETES_UNAVAILABLE',
        `${host} takes no connections (${code}).`,
        { retry: BACKOFF, remedy: `Check that the cluster runs. ${PRIVATE}` },
        true,
      );
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return fault(
        'KUBERNETES_UNAVAILABLE',
        `The name of ${host} cannot be resolved (${code}).`,
        { retry: BACKOFF, remedy: PRIVATE },
        true,
      );
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return fault(
        'KUBERNETES_TIMEOUT',
        `No connection to ${host} came about in time.`,
        { retry: BACKOFF, remedy: PRIVATE },
        true,
      );
    case 'UND_ERR_CLOSED':
      return fault('KUBERNETES_UNAVAILABLE', `The connections to ${host} are being closed.`, { retry: BACKOFF }, true);
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return fault('KUBERNETES_TIMEOUT', `${host} did not answer in time.`, { retry: BACKOFF, remedy: PRIVATE });
    case 'UND_ERR_ABORTED':
    case 'UND_ERR_PRX_TLS':
      return fault('KUBERNETES_UNAVAILABLE', `The proxy before ${host} does not let us through.`, {
        retry: BACKOFF,
        remedy: 'Check the proxy-url of the kubeconfig, and what the proxy allows.',
      });
    default:
      if (/^ERR_SSL_.*(CERTIFICATE|UNKNOWN_CA)/.test(code)) {
        return fault('KUBERNETES_UNAUTHENTICATED', `${host} does not take the client certificate (${code}).`, {
          remedy: NEW_CREDENTIAL,
        });
      }
      if (/^(ERR_SSL|ERR_TLS|EPROTO)/.test(code)) {
        return fault('KUBERNETES_UNAVAILABLE', `No TLS connection to ${host} came about (${code}).`, {
          retry: BACKOFF,
          remedy: 'Check that an API server listens there with https, and the proxy in between.',
        });
      }
      return fault('KUBERNETES_UNAVAILABLE', `The connection to ${host} failed (${code}).`, { retry: BACKOFF });
  }
}

/** The code of a failed connection: the innermost error has the one that says something. */
function networkCode(error: unknown, depth = 0): string | undefined {
  if (typeof error !== 'object' || error === null || depth > 5) return undefined;
  const { code, cause, errors } = error as { code?: unknown; cause?: unknown; errors?: unknown };
  const inner =
    networkCode(cause, depth + 1) ?? (Array.isArray(errors) ? networkCode(errors[0], depth + 1) : undefined);
  if (inner !== undefined) return inner;
  if (typeof code !== 'string') return undefined;
  return NETWORK_CODE.test(code) ? code : undefined;
}

/** Text from outside, bounded and without tokens. */
function shown(text: string): string {
  return text
    .slice(0, LONGEST * 4)
    .replaceAll(/\bBearer\s+[A-Za-z0-9._~+/=-]{8,}/gi, 'Bearer [redacted]')
    .replaceAll(/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?/g, '[redacted]')
    .slice(0, LONGEST);
}
