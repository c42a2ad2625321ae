import { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import { customLocationOf } from '#libs/azure/custom-location.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import { isOnKubernetes, webAppKind, type WebAppProperties } from './app-service.kinds.js';
import type { AppServiceParts } from './app-service.parts.js';
import { CONNECTED_ENVIRONMENT_TYPE, CONTAINER_APP_TYPE } from './container-apps.kinds.js';
import { LONGEST_APP_NAME, MOST_REPLICAS, containerAppProperties } from './container-apps.operations.js';
import { theWebApp, readWebApp, webAppIdOf, placeMembers, type WebAppReading } from './web-app.reading.js';
import { siblingOf } from './app-service.inputs.js';

const planInput = z.strictObject({ webApp: resourceReference('The web app that would move') });

const planFindings = {
  WEB_APP_NOT_FOUND: 'Azure does not know the web app.',
  WEB_APP_NOT_ON_KUBERNETES: 'The web app is none on Kubernetes.',
} as const satisfies Record<string, string>;

/** Settings that tell App Service how to run an app: they say nothing to the app itself. */
const SETTINGS_OF_APP_SERVICE = /^(K8SE_|WEBSITE_|WEBSITES_|DOCKER_|SCM_|APPLICATIONINSIGHTS_ROLE|PORT$)/i;
/** The port that App Service tells apps to listen on. */
const PORT_OF_APP_SERVICE = 8080;

/** What is lost, or has to be done by hand. */
export interface MigrationLoss {
  /** Stable: `BUILT_IN_RUNTIME`. */
  code: string;
  message: string;
  /** What to do instead. */
  instead: string;
}

export interface MigrationPlan {
  containerApp: JsonObject;
  lost: MigrationLoss[];
}

export function planMigration(parts: AppServiceParts): OperationDefinition<typeof planInput> {
  return {
    type: 'appService.webApp.planMigration',
    title: 'Plan the move of a web app to Container Apps',
    description:
      'Tells the container app that a web app on Kubernetes would become, and what would be lost. It reads only and changes nothing.',
    permission: 'appService/webApps/read',
    input: planInput,
    references: { webApp: [webAppKind.name] },
    timeoutSeconds: 600,
    findings: planFindings,
    target(_input, references) {
      const id = webAppIdOf({ references });
      return { id: id.toString(), kind: webAppKind.name, lock: `${id.canonical}/migration` };
    },
    async preflight(context) {
      const findings: Finding[] = [];
      const say = findingReporter(planFindings, findings);
      const id = webAppIdOf(context);
      const reading = await readWebApp(parts, id, context);
      if (reading === undefined) say('WEB_APP_NOT_FOUND', 'error', { webApp: id.toString() });
      else if (!isOnKubernetes(reading.body)) {
        say('WEB_APP_NOT_ON_KUBERNETES', 'error', { kind: reading.properties.appKind });
      }
      return findings;
    },
    steps: [
      {
        name: 'read',
        description: 'Reads the web app and writes down what it would become.',
        async run(context): Promise<StepOutcome> {
          const { lost } = await plannedMigration(parts, context);
          return { outcome: 'done', message: `${lost.length} things would be lost or have to be done by hand.` };
        },
      },
    ],
    async verify(context): Promise<Verification> {
      const { containerApp, lost } = await plannedMigration(parts, context);
      return {
        verdict: 'reached',
        result: { containerApp, lost: lost.map((loss) => ({ ...loss })) },
        observations: [],
        absent: [],
      };
    },
  };
}

async function plannedMigration(parts: AppServiceParts, context: OperationContext<unknown>): Promise<MigrationPlan> {
  const reading = await theWebApp(parts, webAppIdOf(context), context);
  const settings = Object.keys(await parts.client.readSettings(reading.id, context));
  return migrationOf(reading, settings, await environmentOn(parts, reading, context));
}

/** The environment of Container Apps on the same custom location, where there is one. */
async function environmentOn(
  { client }: AppServiceParts,
  { id, body }: WebAppReading,
  context: OperationContext<unknown>,
): Promise<string | undefined> {
  const place = customLocationOf(body);
  if (place === undefined) return undefined;
  for await (const page of client.list(CONNECTED_ENVIRONMENT_TYPE, id.subscriptionId ?? '', context)) {
    const found = page.items.find((item) => customLocationOf(item)?.equals(place) === true);
    if (found !== undefined) return rawText(found, 'id') ?? undefined;
  }
  return undefined;
}

/** Pure. @param settingNames without their values, which are no business of a plan. */
export function migrationOf(
  { id, body, properties }: Pick<WebAppReading, 'id' | 'body' | 'properties'>,
  settingNames: readonly string[],
  environmentId: string | undefined,
): MigrationPlan {
  const lost: MigrationLoss[] = [];
  const name = containerAppName(id.name);
  const image = imageOf(properties.runtime);
  const carried = settingNames.filter((setting) => !SETTINGS_OF_APP_SERVICE.test(setting));
  const dropped = settingNames.filter((setting) => SETTINGS_OF_APP_SERVICE.test(setting));
  if (environmentId === undefined) {
    lost.push({
      code: 'NO_ENVIRONMENT',
      message: 'There is no environment of Container Apps on the custom location yet.',
      instead: 'Install the extension Microsoft.App.Environment, then run containerApps.environment.create.',
    });
  }
  if (image === undefined) {
    lost.push({
      code: 'BUILT_IN_RUNTIME',
      message: `Container Apps has no built-in runtime such as ${properties.runtime ?? 'that of the app'}: it runs images.`,
      instead: 'Build an image of the app, push it to a registry, and put it in the place of the one named here.',
    });
  }
  if (carried.length > 0) {
    lost.push({
      code: 'SETTING_VALUES',
      message: `The values of the settings are not told: ${carried.join(', ')}.`,
      instead: 'Set each as a secret of the container app; the plan refers to them.',
    });
  }
  if (dropped.length > 0) {
    lost.push({
      code: 'SETTINGS_OF_APP_SERVICE',
      message: `These settings mean something to App Service alone: ${dropped.join(', ')}.`,
      instead: 'Leave them out; of a private registry, name the credential in `configuration.registries`.',
    });
  }
  lost.push(...lossesOfHosts(properties));
  if (name !== id.name) {
    lost.push({
      code: 'NAME_CHANGED',
      message: `The name ${id.name} is none for a container app: it would be ${name}.`,
      instead: 'Choose another one, if this does not suit.',
    });
  }
  const least = Math.min(properties.instances ?? 1, MOST_REPLICAS);
  const containerApp: JsonObject = {
    id: siblingOf(id, CONTAINER_APP_TYPE, name, undefined).toString(),
    ...placeMembers(body, `The web app ${id.name}`),
    properties: containerAppProperties({
      environmentId: environmentId ?? '',
      name,
      image: image ?? 'mcr.microsoft.com/k8se/quickstart:latest',
      targetPort: PORT_OF_APP_SERVICE,
      external: true,
      cpu: 0.5,
      memoryGi: 1,
      variables: carried.map((setting) => ({ name: setting, secretRef: secretName(setting) })),
      secrets: carried.map((setting) => ({ name: secretName(setting), value: '' })),
      ...(properties.startupCommand === null ? {} : { command: ['/bin/sh', '-c', properties.startupCommand] }),
      scale: { minReplicas: properties.alwaysOn === false ? 0 : least, maxReplicas: Math.max(10, least) },
    }),
  };
  return { containerApp, lost };
}

function lossesOfHosts({ hosts, defaultHostName, httpsOnly }: WebAppProperties): MigrationLoss[] {
  const lost: MigrationLoss[] = [];
  const own = hosts.filter(({ name }) => name !== defaultHostName);
  if (defaultHostName !== null) {
    lost.push({
      code: 'DEFAULT_HOST_NAME',
      message: `The host name ${defaultHostName} ends with the web app.`,
      instead: 'Lead callers to the host name of the container app, or to one of your own.',
    });
  }
  if (own.length > 0) {
    lost.push({
      code: 'HOST_NAMES',
      message: `These host names have to be bound anew: ${own.map(({ name }) => name).join(', ')}.`,
      instead: 'Bind them to the container app, then change DNS.',
    });
  }
  const secured = own.filter(({ thumbprint }) => thumbprint !== null);
  if (secured.length > 0) {
    lost.push({
      code: 'CERTIFICATES',
      message: `The certificates of ${secured.map(({ name }) => name).join(', ')} cannot be taken out of App Service.`,
      instead: 'Upload them to the environment of Container Apps from where they were issued.',
    });
  }
  lost.push({
    code: 'DEPLOYMENT_SITE',
    message: 'The site for deployments (SCM: zip deployment, Git, console) has nothing in its place.',
    instead: 'Deploy by images.',
  });
  if (!httpsOnly) {
    lost.push({
      code: 'PLAIN_HTTP',
      message: 'Container Apps sends plain HTTP on to HTTPS.',
      instead: 'Set `configuration.ingress.allowInsecure` where callers need plain HTTP.',
    });
  }
  return lost;
}

/** undefined for one of App Service's own runtimes. */
function imageOf(runtime: string | null): string | undefined {
  const [kind = '', image] = runtime?.split('|') ?? [];
  return kind.toLowerCase() === 'docker' ? image : undefined;
}

function containerAppName(webApp: string): string {
  const plain = webApp
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-')
    .replace(/-+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, LONGEST_APP_NAME)
    .replace(/-+$/, '');
  return plain === '' ? 'app' : plain;
}

function secretName(setting: string): string {
  const plain = setting
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return plain === '' ? 'setting' : plain;
}
