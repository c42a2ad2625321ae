import { z } from 'zod';
import { type ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { customLocationOf, extendedLocation } from '#libs/azure/custom-location.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type { OperationContext, OperationDefinition, Verification } from '../contract/operation-definition.js';
import { rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import { hostLabel, resourceGroupName, siblingOf, tagsInput } from './app-service.inputs.js';
import { PLAN_TYPE, WEB_APP_TYPE, appServicePlanKind, isOnKubernetes, webAppKind } from './app-service.kinds.js';
import type { AppServiceParts } from './app-service.parts.js';
import { RETIRED_ON, RETIREMENT_FINDING, RETIREMENT_REMEDY, SUCCESSOR } from './lifecycle.js';
import { locationOf, present, runWanted, type WantedObject } from './wanted-object.js';
import { observeReading, readWebApp } from './web-app.reading.js';

const LONGEST_NAME = 60;
export const MOST_INSTANCES = 30;
/** `{RUNTIME}|{version}`, or `DOCKER|{image}`. */
export const runtimeInput = z
  .string()
  .max(500)
  .regex(/^[A-Za-z]+\|[^\s|]+$/, 'must be a runtime such as `NODE|22-lts` or an image such as `DOCKER|nginx:1`')
  .describe('What runs it: a runtime such as `NODE|22-lts`, or an image such as `DOCKER|nginx:1`.');
export const settingName = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[A-Za-z_][A-Za-z0-9_.:-]*$/, 'must begin with a letter and hold letters, digits and _ . : - only');

const createInput = z.strictObject({
  plan: resourceReference('The plan on Kubernetes'),
  name: hostLabel(LONGEST_NAME).describe(
    'The name of the web app: the first part of its host name, and the name of what runs in the cluster.',
  ),
  resourceGroup: resourceGroupName.optional().describe('The resource group; that of the plan where absent.'),
  runtime: runtimeInput,
  instances: z.int().min(1).max(MOST_INSTANCES).default(1).describe('The least number of instances; one pod each.'),
  alwaysOn: z.boolean().default(true).describe('Whether it is kept running without requests.'),
  startupCommand: z
    .string()
    .max(2000)
    .optional()
    .describe('The command that starts it, where it is not that of the runtime.'),
  httpsOnly: z.boolean().default(false).describe('Whether plain HTTP is sent on to HTTPS.'),
  settings: z
    .record(settingName, z.string().max(10_000))
    .optional()
    .describe(
      'Settings of the app, which it sees as environment variables. They stay in the record of the operation: secrets go by appService.webApp.configure.',
    ),
  tags: tagsInput.describe('The Azure tags of the web app.'),
});
type CreateInput = z.output<typeof createInput>;

const createFindings = {
  PLAN_NOT_FOUND: 'Azure does not know the plan.',
  PLAN_NOT_READY: 'The plan is not ready: it takes no web app yet.',
  PLAN_NOT_ON_KUBERNETES: 'The plan is none on Kubernetes.',
  WEB_APP_EXISTS: 'The web app is there already.',
  WEB_APP_ELSEWHERE: 'There is a web app of this name on another plan or in another place.',
  RUNTIME_OUTDATED: 'The version of the runtime gets no security updates any more.',
  RUNTIME_UNKNOWN: 'App Service is not known to have such a runtime; Azure takes any name, and nothing would run.',
  SERVICE_RETIRED: RETIREMENT_FINDING,
} as const satisfies Record<string, string>;

/** Runtimes and versions whose support by those who make them had ended by November 2026. */
const OUTDATED_RUNTIMES =
  /^(node\|(8|9|1[0-9]|20)\b|python\|(2|3\.([0-9]|10)\b)|php\|([5-7]|8\.[01]\b)|dotnetcore\|[1-9]\b|ruby\|(2|3\.[0-2]\b))/i;
const KNOWN_RUNTIMES = /^(node|python|php|dotnetcore|dotnet|java|tomcat|jbosseap|ruby|go|docker|compose)\|/i;

export function createWebApp(parts: AppServiceParts): OperationDefinition<typeof createInput> {
  const { client } = parts;
  return {
    type: 'appService.webApp.create',
    title: 'Create a web app on Kubernetes',
    description: 'Creates a web app on a plan on Kubernetes: it runs as pods in the namespace of the custom location.',
    permission: 'appService/webApps/write',
    input: createInput,
    references: { plan: [appServicePlanKind.name] },
    timeoutSeconds: 1800,
    findings: createFindings,
    target(input, references) {
      const id = webAppId(input, planOf({ references }));
      return { id: id.toString(), kind: webAppKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightCreate(parts, context),
    steps: [
      {
        name: 'create',
        description: 'Asks App Service for the web app and waits until it is there.',
        run: (context) => runWanted(client, wantedOf(parts, context), context),
      },
    ],
    verify: (context) => verifyCreate(parts, context),
  };
}

async function preflightCreate(parts: AppServiceParts, context: OperationContext<CreateInput>): Promise<Finding[]> {
  const { client } = parts;
  const { input } = context;
  const planId = planOf(context);
  const findings: Finding[] = [];
  const say = findingReporter(createFindings, findings);
  say('SERVICE_RETIRED', 'warning', { retiredOn: RETIRED_ON, successor: SUCCESSOR }, RETIREMENT_REMEDY);
  if (OUTDATED_RUNTIMES.test(input.runtime)) {
    say('RUNTIME_OUTDATED', 'warning', { runtime: input.runtime }, 'Choose a newer version of the runtime.');
  }
  if (!KNOWN_RUNTIMES.test(input.runtime)) {
    const remedy = 'Name a runtime such as NODE|22-lts, or an image: DOCKER|nginx:1.';
    say('RUNTIME_UNKNOWN', 'warning', { runtime: input.runtime }, remedy);
  }
  const plan = await client.get(planId, context);
  if (plan.state === 'missing') {
    say('PLAN_NOT_FOUND', 'error', { plan: planId.toString() });
    return findings;
  }
  if (!isOnKubernetes(plan.body)) say('PLAN_NOT_ON_KUBERNETES', 'error', { kind: rawText(plan.body, 'kind') });
  const status = rawText(plan.body, 'properties', 'status');
  if (status !== null && status !== 'Ready') {
    say('PLAN_NOT_READY', 'error', { status }, 'Wait until the plan is ready.');
  }
  const wanted = wantedOf(parts, context);
  const existing = await client.get(wanted.id, context);
  if (existing.state === 'missing') return findings;
  const difference = wanted.difference(existing.body);
  if (difference === undefined) say('WEB_APP_EXISTS', 'info', { webApp: wanted.id.toString() });
  else say('WEB_APP_ELSEWHERE', 'error', difference, 'Use another name, or delete that web app first.');
  return findings;
}

async function verifyCreate(parts: AppServiceParts, context: OperationContext<CreateInput>): Promise<Verification> {
  const wanted = wantedOf(parts, context);
  const reading = await readWebApp(parts, wanted.id, context);
  if (reading === undefined || wanted.difference(reading.body) !== undefined) {
    return { verdict: 'missed', message: `${wanted.what} is not there as it was asked for.` };
  }
  const { defaultHostName, runtime, instances, state } = reading.properties;
  return {
    verdict: 'reached',
    result: { id: wanted.id.toString(), uid: wanted.id.uid, defaultHostName, runtime, instances, state },
    observations: [await observeReading(parts, reading, context)],
    absent: [],
  };
}

function wantedOf({ client }: AppServiceParts, context: OperationContext<CreateInput>): WantedObject {
  const { input } = context;
  const plan = planOf(context);
  const id = webAppId(input, plan);
  return {
    what: `The web app ${id.name}`,
    id,
    async body() {
      const { body } = present(await client.get(plan, context), `The plan ${plan.name}`);
      const customLocation = customLocationOf(body);
      const isImage = /^docker\|/i.test(input.runtime);
      return {
        kind: isImage ? 'linux,kubernetes,app,container' : 'linux,kubernetes,app',
        location: locationOf(body, `The plan ${plan.name}`),
        ...(customLocation === undefined ? {} : { extendedLocation: extendedLocation(customLocation) }),
        ...(input.tags === undefined ? {} : { tags: { ...input.tags } }),
        properties: {
          serverFarmId: plan.toString(),
          httpsOnly: input.httpsOnly,
          reserved: true,
          siteConfig: siteConfigOf(input),
        },
      };
    },
    difference(body) {
      const other = rawText(body, 'properties', 'serverFarmId');
      return other?.toLowerCase() === plan.canonical ? undefined : { plan: other };
    },
  };
}

function siteConfigOf({ runtime, instances, alwaysOn, startupCommand, settings }: CreateInput): JsonObject {
  const appSettings = Object.entries(settings ?? {}).map(([name, value]) => ({ name, value }));
  return {
    linuxFxVersion: runtime,
    numberOfWorkers: instances,
    alwaysOn,
    ...(startupCommand === undefined ? {} : { appCommandLine: startupCommand }),
    ...(appSettings.length === 0 ? {} : { appSettings }),
  };
}

function planOf({ references }: Pick<OperationContext<CreateInput>, 'references'>): ArmId {
  return referencedArmId(references, 'plan', PLAN_TYPE);
}

function webAppId(input: CreateInput, plan: ArmId): ArmId {
  return siblingOf(plan, WEB_APP_TYPE, input.name, input.resourceGroup);
}
