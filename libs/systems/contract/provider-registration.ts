import type { RemedyOperation } from '#libs/kernel/control-error.js';

/** What to do about a resource provider that a subscription does not have yet. */
export function registrationRemedy(namespace: string): string {
  return `Register it (azure.provider.register, or \`az provider register --namespace ${namespace}\`); it takes some minutes.`;
}

export function registerProvider(subscriptionId: string, namespace: string): RemedyOperation {
  return { type: 'azure.provider.register', input: { subscriptionId, namespace } };
}
