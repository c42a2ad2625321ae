import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { rawText } from '../contract/raw-reader.js';
import { providerPath, type AzureClient } from './azure.client.js';
import { SUBSCRIPTION_KIND, subscriptionInput } from './subscription.input.js';

const registerInput = z.strictObject({
  subscriptionId: subscriptionInput.describe('The subscription to register the resource provider in.'),
  namespace: z
    .string()
    .max(200)
    .regex(/^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9]+)+$/, 'must be the namespace of a resource provider')
    .describe('The namespace of the resource provider, such as `Microsoft.ContainerInstance`.'),
});
type RegisterInput = z.output<typeof registerInput>;

const registerFindings = {
  SUBSCRIPTION_NOT_FOUND: 'The subscription does not exist, or the identity of Pilothouse cannot see it.',
  PROVIDER_UNKNOWN: 'Azure has no resource provider of this name.',
  PROVIDER_REGISTERED: 'The resource provider is registered already.',
  PROVIDER_UNREGISTERING: 'Somebody is taking the registration back; the new one waits until that has ended.',
} as const satisfies Record<string, string>;

export function registerProvider(client: AzureClient): OperationDefinition<typeof registerInput> {
  return {
    type: 'azure.provider.register',
    title: 'Register a resource provider',
    description:
      'Registers a resource provider in a subscription, without which nothing of its types can be made there, and waits for it.',
    permission: 'azure/providers/write',
    input: registerInput,
    references: {},
    timeoutSeconds: 3600,
    findings: registerFindings,
    target({ subscriptionId, namespace }) {
      const id = ArmId.subscription(subscriptionId).toString();
      return { id, kind: SUBSCRIPTION_KIND, lock: providerPath(subscriptionId, namespace).toLowerCase() };
    },
    preflight: (context) => preflightRegister(client, context),
    async plan(context) {
      const state = stateOf(await read(client, context));
      return { action: isRegistered(state) ? 'none' : 'register', state: state ?? null };
    },
    steps: [
      {
        name: 'register',
        description: 'Asks Azure for the registration and waits until it is there.',
        run: (context) => runRegister(client, context),
      },
    ],
    verify: (context) => verifyRegister(client, context),
  };
}

function read(client: AzureClient, { input, ...context }: OperationContext<RegisterInput>): Promise<ArmReading> {
  return client.getProvider(input.subscriptionId, input.namespace, context);
}

/** undefined where Azure has no such provider. */
function stateOf(reading: ArmReading): string | undefined {
  return reading.state === 'missing' ? undefined : (rawText(reading.body, 'registrationState') ?? 'NotRegistered');
}

function isRegistered(state: string | undefined): boolean {
  return state?.toLowerCase() === 'registered';
}

async function preflightRegister(client: AzureClient, context: OperationContext<RegisterInput>): Promise<Finding[]> {
  const { subscriptionId, namespace } = context.input;
  const findings: Finding[] = [];
  const say = findingReporter(registerFindings, findings);
  let state: string | undefined;
  try {
    state = stateOf(await read(client, context));
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    switch (error.externalCode) {
      case 'SubscriptionNotFound':
        say('SUBSCRIPTION_NOT_FOUND', 'error', { subscriptionId }, error.remedy);
        return findings;
      case 'InvalidResourceNamespace':
        break;
      default:
        throw error;
    }
  }
  switch (state?.toLowerCase()) {
    case undefined:
      say('PROVIDER_UNKNOWN', 'error', { namespace }, 'Check the name of the resource provider.');
      break;
    case 'registered':
      say('PROVIDER_REGISTERED', 'info', { state });
      break;
    case 'unregistering':
      say('PROVIDER_UNREGISTERING', 'warning', { state });
      break;
    default:
      break;
  }
  return findings;
}

async function runRegister(client: AzureClient, context: StepContext<RegisterInput>): Promise<StepOutcome> {
  const { subscriptionId, namespace } = context.input;
  const state = stateOf(await read(client, context));
  const retryAfterSeconds = client.arm.pollIntervalSeconds;
  switch (state?.toLowerCase()) {
    case undefined:
      throw new ControlError('AZURE_NOT_FOUND', `Azure has no resource provider ${namespace}.`);
    case 'registered':
      return { outcome: 'done', message: `${namespace} is registered.`, output: { state } };
    case 'registering':
      return { outcome: 'wait', message: `${namespace} is ${state}.`, retryAfterSeconds };
    case 'unregistering':
      return { outcome: 'blocked', message: `${namespace} is being unregistered.`, retryAfterSeconds };
    default:
      await client.registerProvider(subscriptionId, namespace, context);
      return { outcome: 'wait', message: `Azure registers ${namespace}.`, retryAfterSeconds };
  }
}

async function verifyRegister(client: AzureClient, context: OperationContext<RegisterInput>): Promise<Verification> {
  const { subscriptionId, namespace } = context.input;
  const state = stateOf(await read(client, context));
  if (!isRegistered(state)) {
    return { verdict: 'missed', message: `${namespace} is ${state ?? 'not known to Azure'}.` };
  }
  return {
    verdict: 'reached',
    result: { subscriptionId, namespace, state: state ?? null },
    observations: [],
    absent: [],
  };
}
