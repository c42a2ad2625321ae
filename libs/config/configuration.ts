import { type z } from 'zod';
import type { Setting } from './setting.js';
import { settings } from './settings.js';

type Settings = typeof settings;

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/i;

/** Keys with a default or `required` always have a value. */
type AlwaysThere = Exclude<keyof Settings, 'adminToken' | 'viewerToken' | 'armToken' | 'auditSigningKey'>;

export type Configuration = { [Key in AlwaysThere]: z.output<Settings[Key]['schema']> } & {
  [Key in Exclude<keyof Settings, AlwaysThere>]: z.output<Settings[Key]['schema']> | undefined;
};

/** Every fault of the configuration at once: a process that cannot run says all that is wrong in one go. */
export class ConfigurationError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(`The configuration is not valid:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.name = 'ConfigurationError';
  }
}

/**
 * @param environment the process' environment.
 * @throws ConfigurationError listing every fault; values of secrets are not in it.
 */
export function readConfiguration(environment: Readonly<Record<string, string | undefined>>): Configuration {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, each] of Object.entries<Setting>(settings)) {
    const given = environment[each.variable];
    const text = given === undefined || given.trim() === '' ? each.default : given;
    if (text === undefined) {
      if (each.required) faults.push(`${each.variable} is missing. ${each.description}`);
      continue;
    }
    const parsed = each.schema.safeParse(text);
    if (parsed.success) {
      values[key] = parsed.data;
      continue;
    }
    const shown = each.secret ? '' : ` (it is "${text}")`;
    for (const issue of parsed.error.issues) faults.push(`${each.variable}${shown}: ${issue.message}`);
  }
  if (faults.length === 0) faults.push(...contradictions(values as Configuration));
  if (faults.length > 0) throw new ConfigurationError(faults);
  return values as Configuration;
}

/** What is wrong between keys that are each valid. */
function contradictions({ adminToken, viewerToken, tokens, armToken, armEndpoint }: Configuration): string[] {
  const faults: string[] = [];
  if (adminToken !== undefined && adminToken.reveal() === viewerToken?.reveal()) {
    faults.push('PILOTHOUSE_TOKEN and PILOTHOUSE_VIEWER_TOKEN are the same: a token can have one role only.');
  }
  const bootstrap = new Set([adminToken, viewerToken].flatMap((token) => token?.reveal() ?? []));
  for (const { name, token } of tokens) {
    if (bootstrap.has(token.reveal()))
      faults.push(`PILOTHOUSE_TOKENS: the token of ${name} has another principal already.`);
  }
  if (armToken !== undefined && !LOOPBACK.test(new URL(armEndpoint).hostname)) {
    faults.push('ARM_TOKEN is allowed only where ARM_ENDPOINT is on loopback.');
  }
  return faults;
}
