import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { rawFlag, rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { appServicePlanKind, hostNameBindingKind, isOnKubernetes, webAppKind } from './app-service.kinds.js';
import type { AppServiceParts } from './app-service.parts.js';
import { asJson } from './environment.operations.js';
import { inItsPlace, type MisplacedRequest } from './other-place.js';
import { PlaceReader } from './place.reader.js';
import { runRemoval, verifyRemoval } from './wanted-object.js';
import { MOST_INSTANCES, runtimeInput, settingName } from './web-app-create.operations.js';
import {
  observeReading,
  placeMembers,
  placeOf,
  readWebApp,
  theWebApp,
  webAppIdOf,
  type WebAppReading,
} from './web-app.reading.js';

/** The greatest number of instances is a setting of the app. */
const MOST_INSTANCES_SETTING = 'K8SE_APP_MAX_INSTANCE_COUNT';

const webAppFindings = {
  WEB_APP_NOT_FOUND: 'Azure does not know the web app.',
  WEB_APP_NOT_ON_KUBERNETES: 'The web app is none on Kubernetes.',
  WEB_APP_STOPPED: 'The web app is stopped: no pod runs until it is started.',
} as const satisfies Record<string, string>;

function webAppTarget({ references }: Pick<OperationContext<unknown>, 'references'>) {
  const id = webAppIdOf({ references });
  return { id: id.toString(), kind: webAppKind.name, lock: id.canonical };
}

/** Says what is wrong with the web app as such. @returns undefined where nothing further can be said. */
async function judgeWebApp(
  parts: AppServiceParts,
  context: OperationContext<unknown>,
  say: ReturnType<typeof findingReporter<keyof typeof webAppFindings>>,
): Promise<WebAppReading | undefined> {
  const id = webAppIdOf(context);
  const reading = await readWebApp(parts, id, context);
  if (reading === undefined) {
    say('WEB_APP_NOT_FOUND', 'error', { webApp: id.toString() });
    return undefined;
  }
  if (!isOnKubernetes(reading.body)) {
    say('WEB_APP_NOT_ON_KUBERNETES', 'error', { kind: reading.properties.appKind });
    return undefined;
  }
  if (reading.properties.state === 'Stopped') say('WEB_APP_STOPPED', 'warning', { state: 'Stopped' });
  return reading;
}

const scaleInput = z.strictObject({
  webApp: resourceReference('The web app to scale'),
  instances: z.int().min(1).max(MOST_INSTANCES).describe('The least number of instances; one pod each.'),
  maxInstances: z
    .int()
    .min(1)
    .max(MOST_INSTANCES)
    .optional()
    .describe('The greatest number of instances; where absent it is raised only if it is lower than `instances`.'),
});
type ScaleInput = z.output<typeof scaleInput>;

const scaleFindings = {
  ...webAppFindings,
  LIMIT_BELOW_INSTANCES: 'The greatest number of instances would be lower than the least.',
  LIMIT_RAISED: `The setting ${MOST_INSTANCES_SETTING} of the app is lower than the instances asked for: it is raised.`,
  ALREADY_AT_INSTANCES: 'The web app has this number of instances already.',
} as const satisfies Record<string, string>;

export function scaleWebApp(parts: AppServiceParts): OperationDefinition<typeof scaleInput> {
  const { client } = parts;
  return {
    type: 'appService.webApp.scale',
    title: 'Scale a web app on Kubernetes',
    description:
      'Sets the least number of instances of a web app on Kubernetes, and the greatest where it would stand in the way.',
    permission: 'appService/webApps/write',
    input: scaleInput,
    references: { webApp: [webAppKind.name] },
    timeoutSeconds: 1800,
    findings: scaleFindings,
    target: (_input, references) => webAppTarget({ references }),
    async preflight(context) {
      const { instances, maxInstances } = context.input;
      const findings: Finding[] = [];
      const say = findingReporter(scaleFindings, findings);
      if (maxInstances !== undefined && maxInstances < instances) {
        say('LIMIT_BELOW_INSTANCES', 'error', { instances, maxInstances }, 'Raise maxInstances.');
      }
      const reading = await judgeWebApp(parts, context, say);
      if (reading === undefined) return findings;
      const limit = await limitOf(parts, reading.id, context);
      if (maxInstances === undefined && limit !== undefined && limit < instances) {
        say('LIMIT_RAISED', 'warning', { instances, limit });
      }
      if (reading.properties.instances === instances) say('ALREADY_AT_INSTANCES', 'info', { instances });
      return findings;
    },
    steps: [
      {
        name: 'limit',
        description: 'Raises the greatest number of instances, where it would stand in the way.',
        run: (context) => runLimit(parts, context),
      },
      {
        name: 'scale',
        description: 'Sets the least number of instances.',
        async run(context): Promise<StepOutcome> {
          const { id, properties: present } = await theWebApp(parts, webAppIdOf(context), context);
          const { instances } = context.input;
          if (present.instances === instances) {
            return { outcome: 'done', message: `The web app ${id.name} asks for ${instances} instances.` };
          }
          const properties = { numberOfWorkers: instances };
          await inItsPlace(scaleRequest(context), () => client.changeConfig(id, properties, context));
          return { outcome: 'done', message: `App Service was asked for ${instances} instances of ${id.name}.` };
        },
      },
      {
        name: 'pods',
        description: 'Waits until so many pods of the web app are ready.',
        run: (context) => runPods(parts, context, (pods) => pods.filter(isReady).length >= context.input.instances),
      },
    ],
    async verify(context): Promise<Verification> {
      const reading = await readWebApp(parts, webAppIdOf(context), context);
      const { instances } = context.input;
      if (reading?.properties.instances !== instances) {
        const now = reading?.properties.instances ?? 'an unknown number of';
        return { verdict: 'missed', message: `The web app asks for ${now} instances; ${instances} were asked for.` };
      }
      return reached(parts, reading, context, { instances });
    },
  };
}

async function runLimit(parts: AppServiceParts, context: StepContext<ScaleInput>): Promise<StepOutcome> {
  const { instances, maxInstances } = context.input;
  const id = webAppIdOf(context);
  const settings = await parts.client.readSettings(id, context);
  const present = numberOf(settings[MOST_INSTANCES_SETTING]);
  const wanted = maxInstances ?? (present !== undefined && present < instances ? instances : present);
  if (wanted === undefined || wanted === present) {
    return { outcome: 'done', message: 'The greatest number of instances is not in the way.' };
  }
  const changed = { ...settings, [MOST_INSTANCES_SETTING]: String(wanted) };
  await inItsPlace(scaleRequest(context), () => parts.client.writeSettings(id, changed, context));
  return { outcome: 'done', message: `At most ${wanted} instances run.`, output: { maxInstances: wanted } };
}

function scaleRequest({ input }: StepContext<ScaleInput>): MisplacedRequest {
  return {
    again: 'Scale the web app again',
    evidence: { webApp: input.webApp },
    operations: [{ type: 'appService.webApp.scale', input: asJson(input) }],
  };
}

async function limitOf(
  parts: AppServiceParts,
  id: ArmId,
  context: OperationContext<unknown>,
): Promise<number | undefined> {
  return numberOf((await parts.client.readSettings(id, context))[MOST_INSTANCES_SETTING]);
}

function numberOf(text: string | undefined): number | undefined {
  const number = Number(text);
  return text !== undefined && text !== '' && Number.isInteger(number) ? number : undefined;
}

/** How a cluster that cannot be asked is told: the web app itself was changed all the same. */
const OUT_OF_SIGHT = 'Pilothouse cannot see into the cluster: whether the pods run is not known.';

/**
 * Waits for what is wanted of the pods, as far as the cluster can be looked into.
 * @param isEnough of the pods that there are
 */
async function runPods(
  parts: AppServiceParts,
  context: StepContext<unknown>,
  isEnough: (pods: readonly JsonObject[]) => boolean,
): Promise<StepOutcome> {
  const reading = await theWebApp(parts, webAppIdOf(context), context);
  if (reading.properties.state === 'Stopped') return { outcome: 'done', message: 'The web app is stopped.' };
  const pods = await podsOf(parts, reading, context);
  if (pods === undefined) return { outcome: 'done', message: OUT_OF_SIGHT };
  const readyPods = pods.filter(isReady).length;
  const message = `${readyPods} of ${pods.length} pods are ready.`;
  if (isEnough(pods)) return { outcome: 'done', message, output: { readyPods } };
  return { outcome: 'wait', message, retryAfterSeconds: parts.client.arm.pollIntervalSeconds };
}

/** undefined where the cluster cannot be looked into. */
async function podsOf(
  parts: AppServiceParts,
  { id, body }: WebAppReading,
  context: OperationContext<unknown>,
): Promise<JsonObject[] | undefined> {
  const place = await placeOf(parts, body, context);
  if (place === undefined) return undefined;
  try {
    const pods = await new PlaceReader(parts.client, parts.kube, context).findPods(id, place);
    return pods.filter((pod) => rawText(pod, 'metadata', 'deletionTimestamp') === null);
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    return undefined;
  }
}

function isReady(pod: JsonObject): boolean {
  return rawObjects(pod, 'status', 'conditions').some(
    (condition) => rawText(condition, 'type') === 'Ready' && rawText(condition, 'status') === 'True',
  );
}

async function reached(
  parts: AppServiceParts,
  reading: WebAppReading,
  context: OperationContext<unknown>,
  more: JsonObject,
): Promise<Verification> {
  return {
    verdict: 'reached',
    result: { id: reading.id.toString(), uid: reading.id.uid, ...more },
    observations: [await observeReading(parts, reading, context)],
    absent: [],
  };
}

const restartInput = z.strictObject({ webApp: resourceReference('The web app to restart') });

export function restartWebApp(parts: AppServiceParts): OperationDefinition<typeof restartInput> {
  return {
    type: 'appService.webApp.restart',
    title: 'Restart a web app on Kubernetes',
    description: 'Starts a web app anew, and waits until new pods of it are ready.',
    permission: 'appService/webApps/write',
    input: restartInput,
    references: { webApp: [webAppKind.name] },
    timeoutSeconds: 1800,
    findings: webAppFindings,
    target: (_input, references) => webAppTarget({ references }),
    async preflight(context) {
      const findings: Finding[] = [];
      await judgeWebApp(parts, context, findingReporter(webAppFindings, findings));
      return findings;
    },
    steps: [
      {
        name: 'look',
        description: 'Notes which pods run now.',
        async run(context): Promise<StepOutcome> {
          const pods = await podsOf(parts, await theWebApp(parts, webAppIdOf(context), context), context);
          if (pods === undefined) return { outcome: 'done', message: OUT_OF_SIGHT, output: { pods: null } };
          const uids = pods.flatMap((pod) => rawText(pod, 'metadata', 'uid') ?? []);
          return { outcome: 'done', message: `${uids.length} pods run.`, output: { pods: uids } };
        },
      },
      {
        name: 'restart',
        description: 'Asks App Service to start the web app anew.',
        async run(context): Promise<StepOutcome> {
          const before = notedPods(context);
          const pods = await podsOf(parts, await theWebApp(parts, webAppIdOf(context), context), context);
          const isDone =
            before !== null && before.length > 0 && pods?.every((pod) => !before.includes(uidOf(pod))) === true;
          if (isDone) return { outcome: 'done', message: 'Every pod is a new one already.' };
          await parts.client.restart(webAppIdOf(context), context);
          return { outcome: 'done', message: 'App Service starts the web app anew.' };
        },
      },
      {
        name: 'pods',
        description: 'Waits until new pods have taken the place of those before.',
        async run(context): Promise<StepOutcome> {
          const before = notedPods(context);
          if (before === null) return { outcome: 'done', message: OUT_OF_SIGHT };
          // Not so many as before: a change of the settings may just have been replacing them as well.
          return runPods(
            parts,
            context,
            (pods) => pods.length > 0 && pods.every((pod) => isReady(pod) && !before.includes(uidOf(pod))),
          );
        },
      },
    ],
    async verify(context): Promise<Verification> {
      const reading = await readWebApp(parts, webAppIdOf(context), context);
      if (reading === undefined) return { verdict: 'missed', message: 'The web app is not there any more.' };
      return reached(parts, reading, context, { state: reading.properties.state });
    },
  };
}

/** null where the pods could not be seen. */
function notedPods({ outputs }: OperationContext<unknown>): string[] | null {
  const { look } = outputs;
  return isJsonObject(look) && Array.isArray(look.pods) ? rawTexts(look, 'pods') : null;
}

function uidOf(pod: JsonObject): string {
  return rawText(pod, 'metadata', 'uid') ?? '';
}

const configureInput = z.strictObject({
  webApp: resourceReference('The web app to configure'),
  runtime: runtimeInput.optional(),
  alwaysOn: z.boolean().optional().describe('Whether it is kept running without requests.'),
  startupCommand: z
    .string()
    .max(2000)
    .optional()
    .describe('The command that starts it; empty for that of the runtime.'),
  httpsOnly: z.boolean().optional().describe('Whether plain HTTP is sent on to HTTPS.'),
  settings: z
    .record(settingName, z.string().max(10_000))
    .optional()
    .describe('Settings to set; others stay. They stay in the record of the operation.'),
  removeSettings: z.array(settingName).max(500).optional().describe('Names of settings to take away.'),
  secretSettings: z
    .string()
    .min(2)
    .max(100_000)
    .optional()
    .describe('Settings to set whose values are secrets: a JSON object of texts by name. It is write-only.'),
});
type ConfigureInput = z.output<typeof configureInput>;

const configureFindings = {
  ...webAppFindings,
  NOTHING_TO_CONFIGURE: 'Nothing was given that would be changed.',
  SECRET_SETTINGS_UNREADABLE: 'The secret settings are no JSON object of texts by name.',
  SETTING_SET_AND_REMOVED: 'A setting is both to be set and to be taken away.',
} as const satisfies Record<string, string>;

export function configureWebApp(parts: AppServiceParts): OperationDefinition<typeof configureInput> {
  const { client } = parts;
  return {
    type: 'appService.webApp.configure',
    title: 'Configure a web app on Kubernetes',
    description: 'Changes the runtime, the start and the settings of a web app on Kubernetes; what is not given stays.',
    permission: 'appService/webApps/write',
    input: configureInput,
    secretFields: ['secretSettings'],
    references: { webApp: [webAppKind.name] },
    timeoutSeconds: 1800,
    findings: configureFindings,
    target: (_input, references) => webAppTarget({ references }),
    async preflight(context) {
      const { webApp: _webApp, ...changes } = context.input;
      const findings: Finding[] = [];
      const say = findingReporter(configureFindings, findings);
      if (Object.keys(changes).length === 0) say('NOTHING_TO_CONFIGURE', 'error', {}, 'Give what is to be changed.');
      const secret = secretSettingsOf(context);
      if (secret === undefined) {
        say('SECRET_SETTINGS_UNREADABLE', 'error', {}, 'Write it as {"NAME":"value"}.');
      }
      const set = new Set([...Object.keys(changes.settings ?? {}), ...Object.keys(secret ?? {})]);
      const both = (changes.removeSettings ?? []).filter((name) => set.has(name));
      if (both.length > 0) say('SETTING_SET_AND_REMOVED', 'error', { settings: both });
      await judgeWebApp(parts, context, say);
      return findings;
    },
    steps: [
      {
        name: 'settings',
        description: 'Writes the settings.',
        async run(context): Promise<StepOutcome> {
          const id = webAppIdOf(context);
          const present = await client.readSettings(id, context);
          const wanted = wantedSettings(present, context);
          const names = changedNames(present, wanted);
          if (names.length === 0) return { outcome: 'done', message: 'The settings are as they were asked for.' };
          await inItsPlace(configureRequest(context), () => client.writeSettings(id, wanted, context));
          return { outcome: 'done', message: `Settings written: ${names.join(', ')}.`, output: { settings: names } };
        },
      },
      {
        name: 'configuration',
        description: 'Writes the runtime and how it is started.',
        async run(context): Promise<StepOutcome> {
          const { id, config } = await theWebApp(parts, webAppIdOf(context), context);
          const change = configChange(config, context.input);
          if (Object.keys(change).length === 0) {
            return { outcome: 'done', message: 'The configuration is as it was asked for.' };
          }
          await inItsPlace(configureRequest(context), () => client.changeConfig(id, change, context));
          return { outcome: 'done', message: `Changed: ${Object.keys(change).join(', ')}.` };
        },
      },
      {
        name: 'app',
        description: 'Writes what is said of the app itself.',
        async run(context): Promise<StepOutcome> {
          const { httpsOnly } = context.input;
          const reading = await theWebApp(parts, webAppIdOf(context), context);
          if (httpsOnly === undefined || reading.properties.httpsOnly === httpsOnly) {
            return { outcome: 'done', message: 'The app is as it was asked for.' };
          }
          const place = placeMembers(reading.body, `The web app ${reading.id.name}`);
          const body = { ...place, properties: { httpsOnly } };
          await inItsPlace(configureRequest(context, place), () => client.patch(reading.id, body, context));
          return { outcome: 'done', message: `Plain HTTP is ${httpsOnly ? '' : 'not '}sent on to HTTPS.` };
        },
      },
    ],
    async verify(context): Promise<Verification> {
      const id = webAppIdOf(context);
      const reading = await readWebApp(parts, id, context);
      if (reading === undefined) return { verdict: 'missed', message: 'The web app is not there any more.' };
      const settings = await client.readSettings(id, context);
      const open = [
        ...changedNames(settings, wantedSettings(settings, context)),
        ...Object.keys(configChange(reading.config, context.input)),
      ];
      const { httpsOnly } = context.input;
      if (httpsOnly !== undefined && reading.properties.httpsOnly !== httpsOnly) open.push('httpsOnly');
      if (open.length > 0) return { verdict: 'missed', message: `Not as it was asked for: ${open.join(', ')}.` };
      return reached(parts, reading, context, { runtime: reading.properties.runtime, settings: Object.keys(settings) });
    },
  };
}

function configureRequest(context: StepContext<ConfigureInput>, sent?: JsonObject): MisplacedRequest {
  const { input, secrets } = context;
  // Secrets are not told again: whoever gave them has to give them once more.
  const isWhole = secrets.secretSettings === undefined && input.secretSettings === undefined;
  return {
    again: 'Configure the web app again',
    evidence: { webApp: input.webApp, ...(sent === undefined ? {} : { sent }) },
    operations: isWhole ? [{ type: 'appService.webApp.configure', input: asJson(input) }] : [],
  };
}

/** undefined where they cannot be read. */
function secretSettingsOf({ input, secrets }: OperationContext<ConfigureInput>): Record<string, string> | undefined {
  const text = secrets.secretSettings?.reveal() ?? input.secretSettings;
  if (text === undefined) return {};
  try {
    const parsed = z.record(settingName, z.string()).safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || (Error.isError(error) && error.name === 'SyntaxError')) return undefined;
    throw error;
  }
}

function wantedSettings(
  present: Readonly<Record<string, string>>,
  context: OperationContext<ConfigureInput>,
): Record<string, string> {
  const removed = new Set(context.input.removeSettings ?? []);
  const kept = Object.entries(present).filter(([name]) => !removed.has(name));
  return { ...Object.fromEntries(kept), ...context.input.settings, ...secretSettingsOf(context) };
}

function changedNames(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => before[name] !== after[name]);
}

function configChange(config: JsonObject, { runtime, alwaysOn, startupCommand }: ConfigureInput): JsonObject {
  return {
    ...(runtime === undefined || rawText(config, 'linuxFxVersion') === runtime ? {} : { linuxFxVersion: runtime }),
    ...(alwaysOn === undefined || rawFlag(config, 'alwaysOn') === alwaysOn ? {} : { alwaysOn }),
    ...(startupCommand === undefined || (rawText(config, 'appCommandLine') ?? '') === startupCommand
      ? {}
      : { appCommandLine: startupCommand }),
  };
}

const deleteInput = z.strictObject({
  webApp: resourceReference('The web app to delete'),
  deleteEmptyPlan: z
    .boolean()
    .default(false)
    .describe('Whether its plan goes as well, where this was the last web app of it.'),
});

const deleteFindings = {
  WEB_APP_NOT_FOUND: 'The web app is gone already.',
  HOST_NAMES_GO: 'These host names go with the web app.',
} as const satisfies Record<string, string>;

export function deleteWebApp(parts: AppServiceParts): OperationDefinition<typeof deleteInput> {
  const { client } = parts;
  return {
    type: 'appService.webApp.delete',
    title: 'Delete a web app',
    description: 'Deletes a web app with its host names. Its plan stays unless it is asked to go with the last app.',
    permission: 'appService/webApps/delete',
    input: deleteInput,
    references: { webApp: [webAppKind.name] },
    timeoutSeconds: 1800,
    findings: deleteFindings,
    target: (_input, references) => webAppTarget({ references }),
    async preflight(context) {
      const findings: Finding[] = [];
      const say = findingReporter(deleteFindings, findings);
      const id = webAppIdOf(context);
      const reading = await readWebApp(parts, id, context);
      if (reading === undefined) {
        say('WEB_APP_NOT_FOUND', 'info', { webApp: id.toString() });
        return findings;
      }
      const { defaultHostName, hosts } = reading.properties;
      const own = hosts.map(({ name }) => name).filter((name) => name !== defaultHostName);
      if (own.length > 0) say('HOST_NAMES_GO', 'warning', { hostNames: own });
      return findings;
    },
    steps: [
      {
        name: 'look',
        description: 'Notes the host names and the plan that may go with it.',
        async run(context): Promise<StepOutcome> {
          const reading = await readWebApp(parts, webAppIdOf(context), context);
          const output: JsonObject = {
            hostNames: reading?.properties.hosts.map(({ name }) => name) ?? [],
            plan: reading?.properties.planId ?? null,
          };
          return { outcome: 'done', message: reading === undefined ? 'It is gone already.' : 'It is there.', output };
        },
      },
      {
        name: 'delete',
        description: 'Asks App Service to delete the web app and waits until it is gone.',
        run(context) {
          const id = webAppIdOf(context);
          return runRemoval(client, `The web app ${id.name}`, id, context, () =>
            client.deleteWebApp(id, context.input.deleteEmptyPlan, context),
          );
        },
      },
    ],
    async verify(context) {
      const id = webAppIdOf(context);
      const look = isJsonObject(context.outputs.look) ? context.outputs.look : {};
      const gone = rawTexts(look, 'hostNames').map((name): ResourceTarget => {
        const binding = id.child('hostNameBindings', name);
        return { uid: binding.uid, id: binding.toString(), kind: hostNameBindingKind.name };
      });
      const plan = ArmId.tryParse(rawText(look, 'plan') ?? '');
      if (plan !== undefined && (await client.get(plan, context)).state === 'missing') {
        gone.push({ uid: plan.uid, id: plan.toString(), kind: appServicePlanKind.name });
      }
      return verifyRemoval(client, `The web app ${id.name}`, id, context, gone);
    },
  };
}
