import { ControlError, type RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';

const CAUSE =
  'ARM took the request for one about another resource of the same name, since it did not find the extended location of this one in it.';

/** What was asked for, when ARM took it for something else. */
export interface MisplacedRequest {
  /** `Bind the certificate again`. */
  again: string;
  evidence: JsonObject;
  /** None where the request held secrets, which are not told again. */
  operations: RemedyOperation[];
}

/** What ARM says to a request about a resource on a custom location that leaves the custom location out. */
export function isOtherPlace(error: unknown): error is ControlError {
  return (
    Error.isError(error) && error instanceof ControlError && /already exists in extended location/i.test(error.message)
  );
}

/**
 * Somebody has written the resource meanwhile without its extended location, or ARM has lost it out of sight. Another name,
 * which Azure proposes, would make another resource.
 * @param said the words of ARM; null where they may repeat a secret.
 */
export function otherPlaceError(
  error: ControlError,
  { again, evidence, operations }: MisplacedRequest,
  said: string | null = error.message,
): ControlError {
  return new ControlError('AZURE_CONFLICT', said === null ? CAUSE : `${CAUSE} ${said}`, {
    remedy: `${again}: the place of the resource is read anew, and sent along.`,
    diagnosis: {
      code: 'OTHER_EXTENDED_LOCATION',
      cause: CAUSE,
      evidence: { ...evidence, ...(said === null ? {} : { said }) },
      operations,
    },
    ...(error.externalCode === undefined ? {} : { externalCode: error.externalCode }),
    ...(said === null ? {} : { cause: error }),
  });
}

/** Does something about a resource on a custom location. @throws ControlError */
export async function inItsPlace<T>(request: MisplacedRequest, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isOtherPlace(error) ? otherPlaceError(error, request) : error;
  }
}
