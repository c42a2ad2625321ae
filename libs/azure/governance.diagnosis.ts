import type { Diagnosis } from '#libs/kernel/control-error.js';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';

const DEEPEST = 8;
const MOST_NAMED = 10;
/** What a refusal by policy names, and what we call it. */
const POLICY_MEMBERS = {
  policyAssignmentId: 'assignment',
  policyDefinitionId: 'definition',
  policySetDefinitionId: 'initiative',
  policyDefinitionDisplayName: 'name',
} as const;

/**
 * Who of the owner's rules has refused a request: the policies, or the locked scopes; undefined for any other refusal.
 * @param error as Azure worded it.
 * @param body of the answer: the policies are named beside the message, in `additionalInfo`.
 */
export function governanceDiagnosis(
  { code, message }: { code: string; message: string },
  body: unknown,
): Diagnosis | undefined {
  switch (code.toLowerCase()) {
    case 'requestdisallowedbypolicy':
      return {
        code: 'POLICY_FORBIDS',
        cause: 'An Azure policy forbids the request.',
        evidence: { policies: policiesIn(parsed(body), 0).slice(0, MOST_NAMED) },
        operations: [],
      };
    case 'scopelocked':
      return {
        code: 'SCOPE_LOCKED',
        cause: 'A lock protects the object, or something that it is in.',
        evidence: { lockedScopes: lockedScopes(message) },
        operations: [],
      };
    default:
      return undefined;
  }
}

function parsed(body: unknown): unknown {
  if (typeof body !== 'string') return body;
  try {
    return JSON.parse(body);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function policiesIn(value: unknown, depth: number): JsonObject[] {
  if (depth > DEEPEST) return [];
  if (Array.isArray(value)) return value.flatMap((item: unknown) => policiesIn(item, depth + 1));
  if (!isJsonObject(value)) return [];
  if (value.type === 'PolicyViolation' && isJsonObject(value.info)) return [policyOf(value.info)];
  return Object.values(value).flatMap((member) => policiesIn(member, depth + 1));
}

function policyOf(info: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(POLICY_MEMBERS).flatMap(([member, name]): [string, Json][] => {
      const value = info[member];
      return typeof value === 'string' && value !== '' ? [[name, value]] : [];
    }),
  );
}

/** `… cannot perform delete operation because following scope(s) are locked: '/subscriptions/…'. Please remove …` */
function lockedScopes(message: string): string[] {
  const [, list = ''] = /scope\(s\) are locked:\s*(.*)/is.exec(message) ?? [];
  return [...list.matchAll(/\/subscriptions\/[^'",;]+/gi)].map(([scope]) => scope.trim()).slice(0, MOST_NAMED);
}
