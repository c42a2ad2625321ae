import { isJsonObject } from '#libs/kernel/json.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { isUuid } from '#libs/kernel/resource-uid.js';
import { ArmError } from './arm-error.js';
import { deterministicUuid } from './deterministic-id.js';
import { textAt } from './json-merge.js';

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
  return principalOfToken(token);
}

/** A JSON web token names its holder; of any other token an object id is made. */
export function principalOfToken(token: string): string {
  const holder = textAt(claimsOf(token), 'oid');
  return holder !== undefined && isUuid(holder) ? holder.toLowerCase() : deterministicUuid(`principal|${token}`);
}

/** The claims of a JSON web token, unverified: here nobody signs any. undefined for a token of another kind. */
export function claimsOf(token: string): JsonObject | undefined {
  const parts = token.split('.');
  if (parts.length !== 3) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString('utf8'));
    return isJsonObject(claims) ? claims : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
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
