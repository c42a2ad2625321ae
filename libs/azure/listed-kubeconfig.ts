import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';

/**
 * The first kubeconfig of what Azure answers to a question for credentials: `{kubeconfigs: [{name, value}]}`, the value in
 * base64.
 * @param whose for the message: `The cluster demo-aks01`.
 * @throws ControlError AZURE_UNEXPECTED_ANSWER when there is none in it.
 */
export function kubeconfigOf(answer: JsonObject | null, whose: string): { kubeconfig: Secret; origin: 'azure' } {
  const listed = answer?.kubeconfigs;
  const [first] = Array.isArray(listed) ? listed : [];
  const value = isJsonObject(first) ? first.value : undefined;
  const text = typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : '';
  if (text.trim() !== '') return { kubeconfig: new Secret(text), origin: 'azure' };
  throw new ControlError('AZURE_UNEXPECTED_ANSWER', `${whose} has credentials, but no kubeconfig is among them.`);
}
