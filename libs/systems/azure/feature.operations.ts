import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { Secret } from '#libs/kernel/secret.js';
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
import { featurePath, type AzureClient } from './azure.client.js';
import { SUBSCRIPTION_KIND, subscriptionInput } from './subscription.input.js';

/** Features that were previews once and are offered to everybody today. Lower case. */
const GENERALLY_AVAILABLE: ReadonlySet<string> = new Set(['microsoft.containerservice/fleetresourcepreview']);

const registerInput = z.strictObject({
  subscriptionId: subscriptionInput.describe('The subscription to register the feature in.'),
  feature: z
    .string()
    .max(200)
    .regex(/^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9]+)+\/[A-Za-z][A-Za-z0-9._-]*$/, 'must be `{provider}/{feature}`')
    .describe('The feature with its resource provider, such as `Microsoft.ContainerService/FleetResourcePreview`.'),
});
type RegisterInput = z.output<typeof registerInput>;

const registerFindings = {
  SUBSCRIPTION_NOT_FOUND: 'The subscription does not exist, or the identity of Pilothouse cannot see it.',
  PROVIDER_UNKNOWN: 'Azure has no resource provider of this name.',
  FEATURE_UNKNOWN: 'The resource provider has no feature of this name.',
  FEATURE_NOT_NEEDED:
    'What the feature was a preview of is offered to everybody today: nothing depends on it any more.',
  FEATURE_NEEDS_APPROVAL: 'Azure has to approve the registration, which can take days.',
  FEATURE_REGISTERED: 'The feature is registered already.',
} as const satisfies Record<string, string>;

export function registerFeature(client: AzureClient): OperationDefinition<typeof registerInput> {
  return {
    type: 'azure.feature.register',
    title: 'Register a preview feature',
    description:
      'Registers a preview feature in a subscription, waits for it, and registers the resource provider anew, without which the feature has no effect. A feature that has become generally available, and that Azure knows no longer, counts as registered.',
    permission: 'azure/features/write',
    input: registerInput,
    references: {},
    timeoutSeconds: 7200,
    findings: registerFindings,
    target(input) {
      const id = ArmId.subscription(input.subscriptionId).toString();
      return { id, kind: SUBSCRIPTION_KIND, lock: featureOf(input).toLowerCase() };
    },
    preflight: (context) => preflightRegister(client, context),
    async plan(context) {
      const state = stateOf(await client.getFeature(featureOf(context.input), context));
      return {
        feature: { action: isRegistered(state) || state === undefined ? 'none' : 'register', state: state ?? null },
        provider: { action: 'register', namespace: partsOf(context.input).namespace },
      };
    },
    steps: [
      {
        name: 'register-feature',
        description: 'Asks Azure for the feature and waits until it is registered.',
        run: (context) => runFeature(client, context),
      },
      {
        name: 'register-provider',
        description: 'Registers the resource provider anew, which carries the feature to it, and waits for it.',
        run: (context) => runProvider(client, context),
      },
    ],
    verify: (context) => verifyRegister(client, context),
  };
}

function partsOf({ feature }: RegisterInput): { namespace: string; name: string } {
  const [namespace = '', name = ''] = feature.split('/');
  return { namespace, name };
}

function featureOf(input: RegisterInput): string {
  const { namespace, name } = partsOf(input);
  return featurePath(input.subscriptionId, namespace, name);
}

function isGenerallyAvailable({ feature }: RegisterInput): boolean {
  return GENERALLY_AVAILABLE.has(feature.toLowerCase());
}

/** undefined where Azure does not know the feature. */
function stateOf(reading: ArmReading): string | undefined {
  return reading.state === 'missing' ? undefined : (rawText(reading.body, 'properties', 'state') ?? 'NotSpecified');
}

function isRegistered(state: string | undefined): boolean {
  return state?.toLowerCase() === 'registered';
}

async function preflightRegister(client: AzureClient, context: OperationContext<RegisterInput>): Promise<Finding[]> {
  const { input } = context;
  const { namespace } = partsOf(input);
  const findings: Finding[] = [];
  const say = findingReporter(registerFindings, findings);
  if (isGenerallyAvailable(input)) say('FEATURE_NOT_NEEDED', 'info', { feature: input.feature });
  let reading: ArmReading;
  try {
    const provider = await client.getProvider(input.subscriptionId, namespace, context);
    if (provider.state === 'missing') {
      say('PROVIDER_UNKNOWN', 'error', { namespace });
      return findings;
    }
    reading = await client.getFeature(featureOf(input), context);
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    switch (error.externalCode) {
      case 'SubscriptionNotFound':
        say('SUBSCRIPTION_NOT_FOUND', 'error', { subscriptionId: input.subscriptionId }, error.remedy);
        return findings;
      case 'InvalidResourceNamespace':
        say('PROVIDER_UNKNOWN', 'error', { namespace }, 'Check the name of the resource provider.');
        return findings;
      default:
        throw error;
    }
  }
  const state = stateOf(reading);
  if (state === undefined) {
    if (!isGenerallyAvailable(input)) {
      say('FEATURE_UNKNOWN', 'error', { feature: input.feature }, 'Check the name; features go when previews end.');
    }
  } else if (isRegistered(state)) {
    say('FEATURE_REGISTERED', 'info', { state });
  } else if (state === 'Pending' || approvalOf(reading) === 'ApprovalRequired') {
    say('FEATURE_NEEDS_APPROVAL', 'warning', { state });
  }
  return findings;
}

function approvalOf(reading: ArmReading): string | null {
  return reading.state === 'missing' ? null : rawText(reading.body, 'properties', 'approvalType');
}

async function runFeature(client: AzureClient, context: StepContext<RegisterInput>): Promise<StepOutcome> {
  const { input } = context;
  const feature = featureOf(input);
  const state = stateOf(await client.getFeature(feature, context));
  const retryAfterSeconds = client.arm.pollIntervalSeconds;
  switch (state?.toLowerCase()) {
    case undefined:
      if (isGenerallyAvailable(input)) {
        const message = `${input.feature} is generally available; there is nothing to register any more.`;
        return { outcome: 'done', message, output: { state: null, needed: false } };
      }
      throw new ControlError('AZURE_NOT_FOUND', `Azure has no feature ${input.feature}.`);
    case 'registered':
      return {
        outcome: 'done',
        message: `${input.feature} is registered.`,
        output: { state, needed: !isGenerallyAvailable(input) },
      };
    case 'registering':
    case 'pending':
      return { outcome: 'wait', message: `${input.feature} is ${state}.`, retryAfterSeconds };
    case 'unregistering':
      return { outcome: 'blocked', message: `${input.feature} is being unregistered.`, retryAfterSeconds };
    default:
      await client.registerFeature(feature, context);
      return { outcome: 'wait', message: `Azure registers ${input.feature}.`, retryAfterSeconds };
  }
}

/**
 * The provider says Registered before and after: that it was asked anew is known by the resume token alone. Asking it
 * again after a crash does no harm.
 */
async function runProvider(client: AzureClient, context: StepContext<RegisterInput>): Promise<StepOutcome> {
  const { subscriptionId } = context.input;
  const { namespace } = partsOf(context.input);
  const retryAfterSeconds = client.arm.pollIntervalSeconds;
  if (context.resumeToken === undefined) {
    await client.registerProvider(subscriptionId, namespace, context);
    const resumeToken = new Secret('asked');
    return { outcome: 'wait', message: `Azure registers ${namespace} anew.`, retryAfterSeconds, resumeToken };
  }
  const state = await registrationOf(client, context);
  return isRegistered(state)
    ? { outcome: 'done', message: `${namespace} is registered.` }
    : {
        outcome: 'wait',
        message: `${namespace} is ${state ?? 'in no known state'}.`,
        retryAfterSeconds,
        resumeToken: context.resumeToken,
      };
}

async function registrationOf(
  client: AzureClient,
  context: OperationContext<RegisterInput>,
): Promise<string | undefined> {
  const { namespace } = partsOf(context.input);
  const provider = await client.getProvider(context.input.subscriptionId, namespace, context);
  return provider.state === 'missing' ? undefined : (rawText(provider.body, 'registrationState') ?? undefined);
}

async function verifyRegister(client: AzureClient, context: OperationContext<RegisterInput>): Promise<Verification> {
  const { input } = context;
  const state = stateOf(await client.getFeature(featureOf(input), context));
  const provider = await registrationOf(client, context);
  const needed = !isGenerallyAvailable(input);
  if (!isRegistered(state) && (needed || state !== undefined)) {
    return { verdict: 'missed', message: `${input.feature} is ${state ?? 'not known to Azure'}.` };
  }
  if (!isRegistered(provider)) {
    const message = `${partsOf(input).namespace} is ${provider ?? 'in no known state'}.`;
    return { verdict: 'pending', message, retryAfterSeconds: client.arm.pollIntervalSeconds };
  }
  return {
    verdict: 'reached',
    result: { feature: input.feature, state: state ?? null, needed, provider: provider ?? null },
    observations: [],
    absent: [],
  };
}
