import type { Json, JsonObject } from '#libs/kernel/json.js';

/**
 * How an error is written on the wire: `standard` is ARM's own `{"error":{…}}`; `unwrapped` is the shape of the AKS
 * resource provider, whose members stand at the top level and carry a `subcode`; `pascal` is the shape of App Service,
 * in Pascal case, which says everything once more inside of `Details`.
 */
export type ErrorShape = 'standard' | 'unwrapped' | 'pascal';

/** The parts of an ARM error, and of the `error` in the status of a long-running operation. */
export interface ArmErrorBody {
  code: string;
  message: string;
  target?: string;
  details?: ArmErrorBody[];
}

export interface ArmErrorOptions {
  shape?: ErrorShape;
  target?: string;
  details?: ArmErrorBody[];
  /** Only the unwrapped shape has one. */
  subcode?: string;
  /** Lower-case names. */
  headers?: Record<string, string>;
  /** Answered by the ARM gateway, not by a resource provider: `x-ms-failure-cause: gateway`, no rate-limit headers. */
  gateway?: boolean;
}

/** What App Service writes where an error has no number of its own. */
const EXTENDED_CODE = '51021';

/** A refusal as Azure would word it. Handlers throw it; the server writes it. */
export class ArmError extends Error {
  readonly status: number;
  readonly code: string;
  readonly shape: ErrorShape;
  readonly headers: Record<string, string>;
  readonly gateway: boolean;
  private readonly options: ArmErrorOptions;

  constructor(status: number, code: string, message: string, options: ArmErrorOptions = {}) {
    super(message);
    this.name = 'ArmError';
    this.status = status;
    this.code = code;
    this.shape = options.shape ?? 'standard';
    this.headers = options.headers ?? {};
    this.gateway = options.gateway ?? false;
    this.options = options;
  }

  get body(): JsonObject {
    const { target, details, subcode } = this.options;
    switch (this.shape) {
      case 'standard':
        return {
          error: {
            code: this.code,
            message: this.message,
            ...(target === undefined ? {} : { target }),
            ...(details === undefined ? {} : { details: details as unknown as Json[] }),
          },
        };
      case 'unwrapped':
        return {
          code: this.code,
          details: (details as unknown as Json[] | undefined) ?? null,
          message: this.message,
          subcode: subcode ?? '',
          ...(target === undefined ? {} : { target }),
        };
      case 'pascal':
        return {
          Code: this.code,
          Message: this.message,
          Target: target ?? null,
          Details: [
            { Message: this.message },
            { Code: this.code },
            {
              ErrorEntity: {
                Code: this.code,
                Message: this.message,
                ExtendedCode: EXTENDED_CODE,
                MessageTemplate: '{0}',
                Parameters: [this.message],
              },
            },
          ],
          Innererror: null,
        };
    }
  }
}

/** Refused by the ARM gateway because the resource does not exist. */
export function resourceNotFound(type: string, names: readonly string[], resourceGroup: string | undefined): ArmError {
  const [namespace, ...types] = type.split('/');
  const path = [namespace, ...types.flatMap((segment, index) => [segment, names[index] ?? ''])].join('/');
  return new ArmError(
    404,
    'ResourceNotFound',
    `The Resource '${path}' under resource group '${resourceGroup ?? '<null>'}' was not found. ` +
      'For more details please go to https://aka.ms/ARMResourceNotFoundFix',
    { gateway: true },
  );
}

export function resourceGroupNotFound(name: string): ArmError {
  return new ArmError(404, 'ResourceGroupNotFound', `Resource group '${name}' could not be found.`, { gateway: true });
}

export function subscriptionNotFound(subscriptionId: string): ArmError {
  return new ArmError(404, 'SubscriptionNotFound', `The subscription '${subscriptionId}' could not be found.`, {
    gateway: true,
  });
}

export function invalidRequestContent(why: string): ArmError {
  return new ArmError(
    400,
    'InvalidRequestContent',
    `The request content was invalid and could not be deserialized: '${why}'.`,
    { gateway: true },
  );
}
