import type { JsonObject } from '#libs/kernel/json.js';

/** How the API server names a kind of object in a message: `deployments.apps`, `pods`. */
export interface ResourceName {
  group: string;
  /** The plural, or the kind in the answers about invalid objects. */
  resource: string;
}

/** One wrong field of an object, as in `details.causes`. */
export interface StatusCause {
  reason: string;
  message: string;
  field: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

/** A refusal of the API server: `body` is the `Status` object that it answers, byte for byte what a real server says. */
export class KubernetesStatusError extends Error {
  override readonly name = 'KubernetesStatusError';

  constructor(
    /** The HTTP status. */
    readonly code: number,
    /** `NotFound`, `Conflict` …; empty where the server gives none. */
    readonly reason: string,
    message: string,
    readonly details?: StatusDetails,
    /** Set on an expired list, which can be continued without consistency. */
    readonly continueToken?: string,
  ) {
    super(message);
  }

  get body(): JsonObject {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.continueToken === undefined ? {} : { continue: this.continueToken },
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: { ...this.details } as unknown as JsonObject }),
      code: this.code,
    };
  }

  static notFound(resource: ResourceName, name: string): KubernetesStatusError {
    const message = `${qualified(resource)} "${name}" not found`;
    return new KubernetesStatusError(404, 'NotFound', message, aboutObject(resource, name));
  }

  /** The path is of no resource that is served here, for a verb that would need one. */
  static pathNotFound(): KubernetesStatusError {
    return new KubernetesStatusError(404, 'NotFound', 'the server could not find the requested resource', {});
  }

  static alreadyExists(resource: ResourceName, name: string): KubernetesStatusError {
    const message = `${qualified(resource)} "${name}" already exists`;
    return new KubernetesStatusError(409, 'AlreadyExists', message, aboutObject(resource, name));
  }

  static conflict(resource: ResourceName, name: string, why: string): KubernetesStatusError {
    const message = `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`;
    return new KubernetesStatusError(409, 'Conflict', message, aboutObject(resource, name));
  }

  /** The resourceVersion that the writer started from is not the newest. */
  static modified(resource: ResourceName, name: string): KubernetesStatusError {
    return KubernetesStatusError.conflict(
      resource,
      name,
      'the object has been modified; please apply your changes to the latest version and try again',
    );
  }

  /** A server-side apply that would take fields from other managers. */
  static applyConflict(conflicts: readonly { manager: string; field: string }[]): KubernetesStatusError {
    const count = conflicts.length === 1 ? '1 conflict' : `${conflicts.length} conflicts`;
    const managers = [...new Set(conflicts.map((conflict) => conflict.manager))].sort();
    const parts = managers.map((manager) => {
      const fields = conflicts.filter((conflict) => conflict.manager === manager).map((conflict) => conflict.field);
      return fields.length === 1
        ? `conflict with ${manager}: ${fields[0]!}`
        : `conflicts with ${manager}:\n${fields.map((field) => `- ${field}`).join('\n')}`;
    });
    const causes = conflicts.map(({ manager, field }) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${manager}`,
      field,
    }));
    const separator = managers.length === 1 ? ' ' : '\n';
    const message = `Apply failed with ${count}:${separator}${parts.join('\n')}`;
    return new KubernetesStatusError(409, 'Conflict', message, { causes });
  }

  /** @param kind group and kind of the object, not the plural */
  static invalid(kind: ResourceName, name: string, causes: readonly StatusCause[]): KubernetesStatusError {
    const texts = [...new Set(causes.map((cause) => `${cause.field}: ${cause.message}`))];
    const message = `${qualified(kind)} "${name}" is invalid: ${texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`}`;
    return new KubernetesStatusError(422, 'Invalid', message, { ...aboutObject(kind, name), causes: [...causes] });
  }

  /** A JSON patch whose test failed or whose path leads nowhere. */
  static unprocessable(): KubernetesStatusError {
    return new KubernetesStatusError(
      422,
      'Invalid',
      'the server rejected our request due to an error in our request',
      {},
    );
  }

  static forbidden(resource: ResourceName, name: string, why: string): KubernetesStatusError {
    const subject = name === '' ? qualified(resource) : `${qualified(resource)} "${name}"`;
    const message = resource.resource === '' ? `forbidden: ${why}` : `${subject} is forbidden: ${why}`;
    return new KubernetesStatusError(403, 'Forbidden', message, aboutObject(resource, name));
  }

  static unauthorized(): KubernetesStatusError {
    return new KubernetesStatusError(401, 'Unauthorized', 'Unauthorized');
  }

  static badRequest(message: string): KubernetesStatusError {
    return new KubernetesStatusError(400, 'BadRequest', message);
  }

  /** A history that has been forgotten: a watch or a page from too long ago. */
  static expired(message: string, continueToken?: string): KubernetesStatusError {
    return new KubernetesStatusError(410, 'Expired', message, undefined, continueToken);
  }

  static methodNotAllowed(): KubernetesStatusError {
    return new KubernetesStatusError(
      405,
      'MethodNotAllowed',
      'the server does not allow this method on the requested resource',
      {},
    );
  }

  static notAcceptable(accepted: readonly string[]): KubernetesStatusError {
    return new KubernetesStatusError(
      406,
      'NotAcceptable',
      `only the following media types are accepted: ${accepted.join(', ')}`,
    );
  }

  static unsupportedMediaType(accepted: readonly string[]): KubernetesStatusError {
    return new KubernetesStatusError(
      415,
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
    );
  }

  static tooLarge(limitBytes: number): KubernetesStatusError {
    return new KubernetesStatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${limitBytes}`);
  }

  static tooManyRequests(message: string, retryAfterSeconds: number, causes: StatusCause[]): KubernetesStatusError {
    return new KubernetesStatusError(429, 'TooManyRequests', message, {
      ...(causes.length === 0 ? {} : { causes }),
      ...(retryAfterSeconds === 0 ? {} : { retryAfterSeconds }),
    });
  }

  /** The caller asks for a state that lies in the future of this server. */
  static tooLargeResourceVersion(asked: number, current: number): KubernetesStatusError {
    return new KubernetesStatusError(504, 'Timeout', `Too large resource version: ${asked}, current: ${current}`, {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version', field: '' }],
      retryAfterSeconds: 1,
    });
  }

  /** What the server answers when its own machinery refuses; `reason` is empty for errors it cannot classify. */
  static internal(message: string, reason: '' | 'InternalError' = ''): KubernetesStatusError {
    return new KubernetesStatusError(500, reason, message);
  }
}

function qualified({ group, resource }: ResourceName): string {
  return group === '' ? resource : `${resource}.${group}`;
}

function aboutObject({ group, resource }: ResourceName, name: string): StatusDetails {
  return {
    ...(name === '' ? {} : { name }),
    ...(group === '' ? {} : { group }),
    ...(resource === '' ? {} : { kind: resource }),
  };
}
