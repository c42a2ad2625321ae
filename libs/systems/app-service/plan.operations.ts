import { z } from 'zod';
import { type ArmId } from '#libs/kernel/arm-id.js';
import { customLocationOf, extendedLocation } from '#libs/azure/custom-location.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type { OperationContext, OperationDefinition } from '../contract/operation-definition.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import { hostLabel, resourceGroupName, siblingOf, tagsInput } from './app-service.inputs.js';
import {
  KUBE_ENVIRONMENT_TYPE,
  PLAN_TYPE,
  appServicePlanKind,
  kubeEnvironmentKind,
  observePlan,
} from './app-service.kinds.js';
import type { AppServiceParts } from './app-service.parts.js';
import { RETIRED_ON, RETIREMENT_FINDING, RETIREMENT_REMEDY, SUCCESSOR } from './lifecycle.js';
import { PlaceReader } from './place.reader.js';
import { locationOf, present, runWanted, verifyWanted, type WantedObject } from './wanted-object.js';

const LONGEST_NAME = 40;
const MOST_INSTANCES = 30;

const createInput = z.strictObject({
  environment: resourceReference('The environment on Kubernetes'),
  name: hostLabel(LONGEST_NAME).describe('The name of the plan: 1 to 40 letters, digits and hyphens.'),
  resourceGroup: resourceGroupName.optional().describe('The resource group; that of the environment where absent.'),
  capacity: z.int().min(1).max(MOST_INSTANCES).default(1).describe('The number of instances that the plan asks for.'),
  tags: tagsInput.describe('The Azure tags of the plan.'),
});
type CreateInput = z.output<typeof createInput>;

const createFindings = {
  ENVIRONMENT_NOT_FOUND: 'Azure does not know the environment.',
  ENVIRONMENT_NOT_READY: 'The environment is not set up: it takes no plan yet.',
  ENVIRONMENT_NOT_PLACED: 'The environment does not lie on a custom location.',
  PLAN_EXISTS: 'The plan is there already.',
  SERVICE_RETIRED: RETIREMENT_FINDING,
} as const satisfies Record<string, string>;

export function createPlan(parts: AppServiceParts): OperationDefinition<typeof createInput> {
  const { client } = parts;
  return {
    type: 'appService.plan.create',
    title: 'Create an App Service plan on Kubernetes',
    description: 'Creates a plan of the size K1 in an environment on Kubernetes; its web apps scale one by one.',
    permission: 'appService/plans/write',
    input: createInput,
    references: { environment: [kubeEnvironmentKind.name] },
    timeoutSeconds: 1800,
    findings: createFindings,
    target(input, references) {
      const id = planId(input, environmentOf({ references }));
      return { id: id.toString(), kind: appServicePlanKind.name, lock: id.canonical };
    },
    async preflight(context) {
      const environment = environmentOf(context);
      const findings: Finding[] = [];
      const say = findingReporter(createFindings, findings);
      say('SERVICE_RETIRED', 'warning', { retiredOn: RETIRED_ON, successor: SUCCESSOR }, RETIREMENT_REMEDY);
      const reading = await client.get(environment, context);
      if (reading.state === 'missing') {
        say('ENVIRONMENT_NOT_FOUND', 'error', { environment: environment.toString() });
        return findings;
      }
      const state = rawText(reading.body, 'properties', 'provisioningState');
      if (provisioningPhase(state) !== 'succeeded') {
        say('ENVIRONMENT_NOT_READY', 'error', { provisioningState: state }, 'Wait until the environment is set up.');
      }
      if (customLocationOf(reading.body) === undefined) {
        say('ENVIRONMENT_NOT_PLACED', 'error', { environment: environment.toString() });
      }
      const id = planId(context.input, environment);
      if ((await client.get(id, context)).state === 'found') say('PLAN_EXISTS', 'info', { plan: id.toString() });
      return findings;
    },
    steps: [
      {
        name: 'create',
        description: 'Asks App Service for the plan and waits until it is there.',
        run: (context) => runWanted(client, wantedOf(parts, context), context),
      },
    ],
    verify: (context) =>
      verifyWanted(client, wantedOf(parts, context), context, async (body, observedAt) => {
        const customLocation = customLocationOf(body);
        const places = new PlaceReader(client, parts.kube, context);
        const place = customLocation === undefined ? undefined : await places.find(customLocation);
        return [observePlan(body, place, { observedAt, source: 'OPERATION' })];
      }),
  };
}

function wantedOf({ client }: AppServiceParts, context: OperationContext<CreateInput>): WantedObject {
  const { input } = context;
  const environment = environmentOf(context);
  const id = planId(input, environment);
  return {
    what: `The plan ${id.name}`,
    id,
    async body() {
      const { body } = present(await client.get(environment, context), `The environment ${environment.name}`);
      const customLocation = customLocationOf(body);
      return {
        kind: 'linux,kubernetes',
        location: locationOf(body, `The environment ${environment.name}`),
        ...(customLocation === undefined ? {} : { extendedLocation: extendedLocation(customLocation) }),
        // The one size on Kubernetes.
        sku: { name: 'K1', tier: 'Kubernetes', capacity: input.capacity },
        ...(input.tags === undefined ? {} : { tags: { ...input.tags } }),
        properties: {
          reserved: true,
          perSiteScaling: true,
          kubeEnvironmentProfile: { id: environment.toString() },
        },
      };
    },
    difference(body) {
      const other = rawText(body, 'properties', 'kubeEnvironmentProfile', 'id');
      return other?.toLowerCase() === environment.canonical ? undefined : { environment: other };
    },
  };
}

function environmentOf({ references }: Pick<OperationContext<CreateInput>, 'references'>): ArmId {
  return referencedArmId(references, 'environment', KUBE_ENVIRONMENT_TYPE);
}

function planId(input: CreateInput, environment: ArmId): ArmId {
  return siblingOf(environment, PLAN_TYPE, input.name, input.resourceGroup);
}
