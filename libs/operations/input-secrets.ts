import { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import type { SecretVault } from '#libs/kernel/secret-vault.js';

/** What an input shows in place of a secret. */
const REDACTED = '[redacted]';
const sealedInput = z.record(z.string(), z.string());

/** An input, and apart from it what it must not show. */
export interface DividedInput {
  shown: JsonObject;
  /** By field; empty where the input has no secret. */
  secrets: Readonly<Record<string, string>>;
}

export function divideInput(input: JsonObject, secretFields: readonly string[]): DividedInput {
  const shown = { ...input };
  const secrets: Record<string, string> = {};
  for (const field of secretFields) {
    const value = input[field];
    if (typeof value !== 'string') continue;
    secrets[field] = value;
    shown[field] = REDACTED;
  }
  return { shown, secrets };
}

/** @throws ControlError UNAVAILABLE without a key. */
export function sealInputSecrets(
  vault: SecretVault,
  operationId: string,
  secrets: Readonly<Record<string, string>>,
): string | null {
  if (Object.keys(secrets).length === 0) return null;
  return vault.seal(purposeOf(operationId), new Secret(JSON.stringify(secrets)));
}

/** @throws ControlError UNAVAILABLE when the key is not there any more. */
export function openInputSecrets(vault: SecretVault, operationId: string, sealed: string): Record<string, Secret> {
  const opened = sealedInput.parse(JSON.parse(vault.open(purposeOf(operationId), sealed).reveal()));
  return Object.fromEntries(Object.entries(opened).map(([field, value]) => [field, new Secret(value)]));
}

/** The same, sealed with the present key. @throws ControlError UNAVAILABLE when the key is not there any more. */
export function resealInputSecrets(vault: SecretVault, operationId: string, sealed: string): string {
  return vault.seal(purposeOf(operationId), vault.open(purposeOf(operationId), sealed));
}

function purposeOf(operationId: string): string {
  return `operation-secret:${operationId}`;
}
