import { ArmError } from './arm-error.js';
import { deterministicUuid } from './deterministic-id.js';

/**
 * The caller behind an `Authorization` header, as an object id that depends on the token alone.
 * @param accepted without them any token will do
 * @throws ArmError 401
 */
export function principalOf(
  header: string | undefined,
  accepted: ReadonlySet<string> | undefined,
  tenantId: string,
): string {
  if (header === undefined || header === '') {
    throw unauthorized(
      'AuthenticationFailed',
      "Authentication failed. The 'Authorization' header is missing.",
      tenantId,
    );
  }
  const token = /^Bearer +(\S+)$/i.exec(header)?.[1];
  if (token === undefined) {
    const message = "Authentication failed. The 'Authorization' header is provided in an invalid format.";
    throw unauthorized('AuthenticationFailedInvalidHeader', message, tenantId);
  }
  if (accepted !== undefined && !accepted.has(token)) {
    throw unauthorized('InvalidAuthenticationToken', 'The access token is invalid.', tenantId);
  }
  return deterministicUuid(`principal|${token}`);
}

function unauthorized(code: string, message: string, tenantId: string): ArmError {
  return new ArmError(401, code, message, {
    gateway: true,
    headers: {
      'www-authenticate':
        `Bearer authorization_uri="https://login.microsoftonline.com/${tenantId}", error="invalid_token", ` +
        `error_description="${message.replaceAll('"', "'")}"`,
    },
  });
}
