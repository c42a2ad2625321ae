import { z } from 'zod';
import { canonicalLocation, type ArmId } from '#libs/kernel/arm-id.js';
import { ControlError, type RemedyOperation } from '#libs/kernel/control-error.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import type { Secret } from '#libs/kernel/secret.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import { findReleaseRecords } from '#libs/kube/release-records.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import { reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { ADDRESS_POOL, addressPoolOf, isOutside, sharesAddress } from '../contract/address-pool.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter, type FindingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { freeingOf } from '../contract/left-release.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawObject, rawText } from '../contract/raw-reader.js';
import { judgeRemoval, verifyRemoval } from '../contract/removal.js';
import { resourceReference } from '../contract/resource-reference.js';
import { extensionName, namespaceName } from './arc-names.js';
import type { ArcParts } from './arc-parts.js';
import {
  clusterIdOf,
  connectivityFindings,
  judgeConnectivity,
  judgeProvider,
  providerFindings,
} from './arc-preflight.js';
import { FAILURES, recognised, recognising } from './arc.failures.js';
import { EXTENSION_TYPE } from './arc.types.js';
import {
  clusterExtensionKind,
  describeClusterExtension,
  installationHealth,
  observeClusterExtension,
  type ClusterExtensionProperties,
} from './cluster-extension.kind.js';
import { connectedClusterKind } from './connected-cluster.kind.js';
import { customLocationsOn } from './connected-cluster.operations.js';
import { describeCustomLocation } from './custom-location.kind.js';
import { offeredExtensionVersions, runsOn } from './extension-version.rules.js';
import {
  clientOf,
  ifAllowed,
  listObjects,
  lookInto,
  readObject,
  seenIfAny,
  seenOr,
  reachFindings,
} from './reached-cluster.js';
import { withRelease } from './release.diagnosis.js';

const SERVICE = { group: '', kind: 'Service' };
const STORAGE_CLASS = { group: 'storage.k8s.io', kind: 'StorageClass' };

/** Types that Azure has closed, with what comes after them. */
const RETIRED: ReadonlyMap<string, { since: string; successor: string }> = new Map([
  ['microsoft.web.appservice', { since: '2025-09-30', successor: 'Microsoft.App.Environment (Container Apps on Arc)' }],
]);

const settingsInput = z.record(z.string().min(1).max(500), z.string().max(100_000));
const protectedSettingsInput = z
  .string()
  .max(500_000)
  .refine((text) => parsedSettings(text) !== undefined, 'must be a JSON object of texts');

const installInput = z.strictObject({
  cluster: resourceReference('The connected cluster'),
  name: extensionName.describe('The name of the extension: 1 to 53 lower-case letters, digits and hyphens.'),
  extensionType: z
    .string()
    .max(200)
    .regex(/^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9-]+)+$/, 'must be a type such as Microsoft.Flux')
    .describe('The type of the extension, such as `Microsoft.Flux`.'),
  releaseNamespace: namespaceName
    .optional()
    .describe('The namespace that it is installed in; that of the type where absent.'),
  releaseTrain: z.string().min(1).max(100).default('Stable').describe('The release train.'),
  version: z
    .string()
    .max(100)
    .regex(/^[0-9A-Za-z.+-]+$/, 'must be a version')
    .optional()
    .describe('The version to hold it at; without one Azure takes the newest and upgrades it by itself.'),
  settings: settingsInput.optional().describe('Its settings, by name.'),
  protectedSettings: protectedSettingsInput
    .optional()
    .describe('Its secret settings: a JSON object of texts. They are write-only.'),
});
type InstallInput = z.output<typeof installInput>;

const versionFindings = {
  KUBERNETES_VERSION_NOT_SUPPORTED: 'The extension does not run on the Kubernetes version of the cluster.',
} as const satisfies Record<string, string>;

/** What can be seen of settings in the cluster alone. */
const settingFindings = {
  ADDRESS_IN_USE: 'The address for the load balancer belongs to another service of the cluster.',
  ADDRESS_OUTSIDE_POOL: 'The load balancer of the cluster has no pool with the address: it would never give it.',
  STORAGE_CLASS_NOT_FOUND: 'The cluster has no storage class of the name that the settings give.',
} as const satisfies Record<string, string>;

const installFindings = {
  ...connectivityFindings,
  ...providerFindings,
  ...reachFindings,
  EXTENSION_TYPE_RETIRED: FAILURES.EXTENSION_TYPE_RETIRED,
  EXTENSION_EXISTS: 'An extension of this name and type is there already: it gets the settings that are given.',
  EXTENSION_EXISTS_DIFFERENT: 'An extension of this name and another type is there already.',
  RELEASE_NAME_IN_USE: FAILURES.RELEASE_NAME_IN_USE,
  ...versionFindings,
  ...settingFindings,
} as const satisfies Record<string, string>;

export function installExtension(parts: ArcParts): OperationDefinition<typeof installInput> {
  return {
    type: 'arc.extension.install',
    title: 'Install an extension',
    description: 'Has Azure install software in a connected cluster, and waits until its agents report that it runs.',
    permission: 'arc/extensions/write',
    input: installInput,
    secretFields: ['protectedSettings'],
    references: { cluster: [connectedClusterKind.name] },
    timeoutSeconds: 7200,
    findings: installFindings,
    target(input, references) {
      const cluster = clusterIdOf({ references });
      // Changes of extensions of one cluster trip over each other in its agents.
      return {
        id: idIn(cluster, input.name).toString(),
        kind: clusterExtensionKind.name,
        lock: `${cluster.canonical}/extensions`,
      };
    },
    preflight: (context) => preflightInstall(parts, context),
    steps: [
      {
        name: 'install',
        description: 'Asks Azure for the extension and waits until it is installed.',
        run: (context) => runInstall(parts, context),
      },
    ],
    verify: (context) => verifyExtension(parts, idIn(clusterIdOf(context), context.input.name), context),
  };
}

async function preflightInstall(parts: ArcParts, context: OperationContext<InstallInput>): Promise<Finding[]> {
  const { input } = context;
  const cluster = clusterIdOf(context);
  const findings: Finding[] = [];
  const say = findingReporter(installFindings, findings);
  const retired = RETIRED.get(input.extensionType.toLowerCase());
  if (retired !== undefined) {
    say(
      'EXTENSION_TYPE_RETIRED',
      'warning',
      { extensionType: input.extensionType, closedSince: retired.since, successor: retired.successor },
      `Use its successor: ${retired.successor}.`,
    );
  }
  const known = await judgeConnectivity(parts, cluster, 'error', context, say);
  if (known === undefined) return findings;
  const location = known.location ?? undefined;
  await judgeProvider(parts, cluster.subscriptionId ?? '', EXTENSION_TYPE, location, context, say);
  const existing = await parts.client.get(idIn(cluster, input.name), context);
  if (existing.state === 'found') {
    const type = rawText(existing.body, 'properties', 'extensionType');
    if (isType(type, input.extensionType)) say('EXTENSION_EXISTS', 'info', { extensionType: type });
    else
      say(
        'EXTENSION_EXISTS_DIFFERENT',
        'error',
        { extensionType: type },
        'Use another name, or remove that one first.',
      );
  }
  const present =
    existing.state === 'missing' ? undefined : describeClusterExtension(rawObject(existing.body, 'properties') ?? {});
  // One that is there stays at its version where none is asked for.
  if (present === undefined || input.version !== undefined) {
    const wanted = { type: input.extensionType, version: input.version, releaseTrain: input.releaseTrain };
    await judgeKubernetesVersion(parts, cluster, known, wanted, context, say);
  }
  await judgeInCluster(parts, cluster, present, context, say);
  return findings;
}

/** Told by a catalogue that may know nothing of the type, or not be there at all: the installation goes on all the same. */
async function judgeKubernetesVersion(
  parts: ArcParts,
  cluster: ArmId,
  { location, properties }: { location: string | null; properties: JsonObject },
  wanted: { type: string; version: string | undefined; releaseTrain: string },
  context: OperationContext<unknown>,
  say: FindingReporter<keyof typeof versionFindings>,
): Promise<void> {
  const kubernetesVersion = rawText(properties, 'kubernetesVersion');
  if (kubernetesVersion === null || location === null) return;
  const distribution = rawText(properties, 'distribution');
  const place = { subscriptionId: cluster.subscriptionId ?? '', location: canonicalLocation(location) };
  const offered = await seenIfAny(async () => {
    const items: JsonObject[] = [];
    const pages = parts.client.listExtensionVersions(place, wanted.type, wanted.releaseTrain, context);
    for await (const page of pages) items.push(...page.items);
    return offeredExtensionVersions(items);
  });
  // Without a version Azure takes the newest, and may know better which of them that is for this cluster.
  const chosen = offered?.find(({ version }) => wanted.version === undefined || version === wanted.version);
  if (offered === undefined || chosen === undefined || runsOn(chosen, { kubernetesVersion, distribution })) return;
  const others = offered.filter((each) => runsOn(each, { kubernetesVersion, distribution }));
  const supporting = others.map(({ version }) => version);
  const remedy =
    supporting.length === 0
      ? 'Upgrade the cluster to a version of Kubernetes that the extension runs on.'
      : 'Hold the extension at one of the versions that run on the cluster, or upgrade the cluster.';
  say(
    'KUBERNETES_VERSION_NOT_SUPPORTED',
    wanted.version === undefined ? 'warning' : 'error',
    { kubernetesVersion, distribution, version: chosen.version, supporting },
    remedy,
  );
}

/** What can be seen in the cluster alone. Without access to it the installation goes on all the same. */
async function judgeInCluster(
  parts: ArcParts,
  cluster: ArmId,
  present: ClusterExtensionProperties | undefined,
  context: OperationContext<InstallInput>,
  say: FindingReporter<keyof typeof installFindings>,
): Promise<void> {
  const { name, releaseNamespace, settings } = context.input;
  const client = clientOf(parts, cluster);
  const isSought = present === undefined && releaseNamespace !== undefined;
  const look = await lookInto(async () => ({
    // A credential that may read no secrets still sees the rest.
    records: isSought ? await ifAllowed(() => findReleaseRecords(client, name, releaseNamespace, context)) : undefined,
    settings: await lookAtSettings(client, settings, context),
  }));
  const seen = seenOr(look, 'info', say);
  if (seen === undefined) return;
  if (seen.records !== undefined && seen.records.length > 0) {
    const secrets = seen.records.map(({ metadata }) => metadata.name);
    const namespace = releaseNamespace ?? '';
    const { remedy, operations } = freeingOf(cluster, { name, namespace, records: seen.records });
    say('RELEASE_NAME_IN_USE', 'error', { secrets, namespace }, remedy, operations);
  }
  judgeSettings(seen.settings, present?.releaseNamespace ?? releaseNamespace, say);
}

/** What of the cluster the settings speak of. */
async function lookAtSettings(
  client: ClusterClient,
  settings: Readonly<Record<string, string>> | undefined,
  call: KubeCall,
) {
  const address = settingNamed(settings, 'loadBalancerIp');
  const storageClass = settingNamed(settings, 'buildService.storageClassName');
  return {
    address,
    services: address === undefined ? [] : await listObjects(client, SERVICE, undefined, call),
    pools: address === undefined ? [] : await ifAllowed(() => listObjects(client, ADDRESS_POOL, undefined, call)),
    storageClass,
    hasStorageClass:
      storageClass === undefined ||
      (await readObject(client, STORAGE_CLASS, undefined, storageClass, call)) !== undefined,
  };
}

function judgeSettings(
  seen: Awaited<ReturnType<typeof lookAtSettings>>,
  releaseNamespace: string | undefined,
  say: FindingReporter<keyof typeof settingFindings>,
): void {
  const { address, services, pools, storageClass } = seen;
  if (address !== undefined) {
    const holders = services.filter(
      (service) => rawText(service, 'spec', 'loadBalancerIP') === address || ingressOf(service).includes(address),
    );
    for (const holder of holders.filter(({ metadata }) => metadata.namespace !== releaseNamespace)) {
      const evidence = { address, service: `${holder.metadata.namespace ?? ''}/${holder.metadata.name}` };
      const severity = sharesAddress(holder) ? 'warning' : 'error';
      say('ADDRESS_IN_USE', severity, evidence, 'Give an address of the load balancer that is free.');
    }
    const addressPools = (pools ?? []).map(addressPoolOf);
    if (isOutside(addressPools, address)) {
      const ranges = addressPools.flatMap(({ name, addresses }) =>
        addresses.map((text) => ({ pool: name, addresses: text })),
      );
      const evidence = { address, pools: ranges };
      say('ADDRESS_OUTSIDE_POOL', 'error', evidence, 'Give a free address of one of the pools, or extend a pool.');
    }
  }
  if (storageClass !== undefined && !seen.hasStorageClass) {
    say('STORAGE_CLASS_NOT_FOUND', 'error', { storageClass }, 'Name a storage class of the cluster.');
  }
}

function ingressOf(service: JsonObject): string[] {
  const ingress = rawObject(service, 'status', 'loadBalancer')?.ingress;
  return Array.isArray(ingress) ? ingress.flatMap((entry) => rawText(entry, 'ip') ?? []) : [];
}

/** Settings of an App Service extension are written with and without the name of their part. */
function settingNamed(settings: Readonly<Record<string, string>> | undefined, name: string): string | undefined {
  const found = Object.entries(settings ?? {}).find(
    ([key]) => key.toLowerCase() === name.toLowerCase() || key.toLowerCase().endsWith(`.${name.toLowerCase()}`),
  );
  // One without a value leaves it to the cluster.
  return found === undefined || found[1] === '' ? undefined : found[1];
}

function runInstall(parts: ArcParts, context: StepContext<InstallInput>): Promise<StepOutcome> {
  const { input, secrets } = context;
  const { client } = parts;
  const id = idIn(clusterIdOf(context), input.name);
  return explained(parts, id, input.releaseNamespace, again('arc.extension.install', context), context, () =>
    reachDesiredState(
      client.arm,
      context.resumeToken,
      {
        working: `Azure installs the extension ${id.name}.`,
        read: () => client.get(id, context),
        judge: (reading) => judgeInstallation(id, input, reading),
        write: (reading) =>
          reading.state === 'missing'
            ? client.create(id, { properties: installation(input, secrets.protectedSettings) }, context)
            : // A PUT would take away the secrets that it does not bring.
              client.patch(id, { properties: changes(input, secrets.protectedSettings) }, context),
      },
      context,
    ),
  );
}

function judgeInstallation(id: ArmId, input: InstallInput, reading: ArmReading): DesiredStateVerdict {
  if (reading.state === 'missing') return { verdict: 'different' };
  const raw = rawObject(reading.body, 'properties') ?? {};
  if (!isType(rawText(raw, 'extensionType'), input.extensionType)) {
    throw new ControlError('CONFLICT', `The extension ${id.name} is of another type.`, {
      remedy: 'Use another name, or remove that one first (arc.extension.remove).',
    });
  }
  return judgeState(id, raw, reading.body, isAsWanted(raw, input));
}

function judgeState(id: ArmId, raw: JsonObject, body: JsonObject, asWanted: boolean): DesiredStateVerdict {
  const state = rawText(raw, 'provisioningState');
  switch (provisioningPhase(state)) {
    case 'succeeded':
    case 'unknown':
      return asWanted
        ? { verdict: 'reached', message: `The extension ${id.name} is installed.` }
        : { verdict: 'different' };
    case 'moving':
      return state?.toLowerCase() === 'deleting'
        ? { verdict: 'busy', message: `The extension ${id.name} is being removed.` }
        : { verdict: 'underway', message: `The extension ${id.name} is ${state}.` };
    case 'failed':
    case 'canceled':
      return { verdict: 'failed', error: faultOf(id, raw, body) };
  }
}

/** The words of the agents where there are any: they say more than those of the provider. */
function faultOf(id: ArmId, raw: JsonObject, body: JsonObject): ControlError {
  const { reason } = installationHealth(raw);
  return reason === null
    ? failedOperationError(`Installing ${id.name}`, body)
    : new ControlError('AZURE_OPERATION_FAILED', `Installing ${id.name}: ${reason}`);
}

function isAsWanted(raw: JsonObject, input: InstallInput): boolean {
  const present = describeClusterExtension(raw);
  const settings = Object.entries(input.settings ?? {}).every(([name, value]) => present.settings[name] === value);
  // Secret settings cannot be compared: given again, they are written again.
  return settings && isHeldAt(present, input.version) && input.protectedSettings === undefined;
}

/** One that Azure upgrades by itself is held at no version, whatever it names. */
function isHeldAt(present: ClusterExtensionProperties, version: string | undefined): boolean {
  return version === undefined || (version === present.version && !present.autoUpgrade);
}

function installation(input: InstallInput, secret: Secret | undefined): JsonObject {
  return {
    extensionType: input.extensionType,
    ...(input.releaseNamespace === undefined
      ? {}
      : { scope: { cluster: { releaseNamespace: input.releaseNamespace } } }),
    ...changes({ ...input, autoUpgrade: input.version === undefined }, secret),
  };
}

interface Changes {
  version?: string | undefined;
  releaseTrain?: string | undefined;
  settings?: Record<string, string> | undefined;
  autoUpgrade?: boolean | undefined;
}

/** Azure takes a version only where it does not upgrade by itself. */
function changes(input: Changes, secret: Secret | undefined): JsonObject {
  const { version, releaseTrain, settings } = input;
  const autoUpgrade = version !== undefined ? false : input.autoUpgrade;
  const secrets = secret === undefined ? undefined : parsedSettings(secret.reveal());
  return {
    ...(autoUpgrade === undefined ? {} : { autoUpgradeMinorVersion: autoUpgrade }),
    ...(version === undefined ? {} : { version }),
    ...(releaseTrain === undefined ? {} : { releaseTrain }),
    ...(settings === undefined ? {} : { configurationSettings: { ...settings } }),
    ...(secrets === undefined ? {} : { configurationProtectedSettings: secrets }),
  };
}

function parsedSettings(text: string): Record<string, string> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (!isJsonObject(value)) return undefined;
  const entries = Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return entries.length === Object.keys(value).length ? Object.fromEntries(entries) : undefined;
}

async function verifyExtension(
  parts: ArcParts,
  id: ArmId,
  context: OperationContext<InstallInput | UpdateInput>,
): Promise<Verification> {
  const reading = await parts.client.get(id, context);
  if (reading.state === 'missing') return { verdict: 'missed', message: `The extension ${id.name} is not there.` };
  const raw = rawObject(reading.body, 'properties') ?? {};
  const state = rawText(raw, 'provisioningState');
  if (provisioningPhase(state) === 'moving') {
    const message = `The extension ${id.name} is ${state}.`;
    return { verdict: 'pending', message, retryAfterSeconds: parts.client.arm.pollIntervalSeconds };
  }
  const health = installationHealth(raw);
  if (health.state === 'Degraded') {
    // Azure can say that it has succeeded while the agents say that it has not.
    const error = new ControlError('VERIFICATION_FAILED', health.reason ?? `The extension ${id.name} does not work.`);
    const known = recognised(error, { cluster: id.parent ?? id });
    throw await withRelease(parts, known, id, undefined, undefined, context);
  }
  const { extensionType, currentVersion, releaseNamespace } = describeClusterExtension(raw);
  const { version } = context.input;
  if (version !== undefined && currentVersion !== null && currentVersion !== version) {
    const message = `The agents report the version ${currentVersion} of ${id.name}, not yet ${version}.`;
    return { verdict: 'pending', message, retryAfterSeconds: parts.client.arm.pollIntervalSeconds };
  }
  return {
    verdict: 'reached',
    result: { extension: id.toString(), uid: id.uid, extensionType, currentVersion, releaseNamespace },
    observations: [observeClusterExtension(reading.body, { observedAt: reading.observedAt, source: 'OPERATION' })],
    absent: [],
    // What it has installed can be seen in the cluster from now on.
    opened: id.parent === undefined ? [] : [id.parent.uid],
  };
}

const updateInput = z.strictObject({
  extension: resourceReference('The extension to change'),
  version: installInput.shape.version.describe('The version to hold it at.'),
  autoUpgrade: z.boolean().optional().describe('Whether Azure upgrades it by itself; not together with a version.'),
  releaseTrain: z.string().min(1).max(100).optional().describe('The release train.'),
  settings: settingsInput.optional().describe('Settings to change or add; the others stay.'),
  protectedSettings: protectedSettingsInput
    .optional()
    .describe('Secret settings to change or add: a JSON object of texts; the others stay. They are write-only.'),
});
type UpdateInput = z.output<typeof updateInput>;

const updateFindings = {
  EXTENSION_NOT_FOUND: 'Azure does not know the extension.',
  EXTENSION_BUSY: 'Another operation runs on the extension; the change waits until it has ended.',
  SYSTEM_EXTENSION: 'The extension came with the cluster: it is nobody\u2019s to change.',
  VERSION_WITH_AUTO_UPGRADE: 'A version can be held only where Azure does not upgrade by itself.',
  NOTHING_TO_CHANGE: 'The extension is as it is wanted already.',
  ...connectivityFindings,
  ...reachFindings,
  ...versionFindings,
  ...settingFindings,
} as const satisfies Record<string, string>;

export function updateExtension(parts: ArcParts): OperationDefinition<typeof updateInput> {
  return {
    type: 'arc.extension.update',
    title: 'Change an extension',
    description: 'Changes the version or settings of an extension. What is not named stays, also secret settings.',
    permission: 'arc/extensions/write',
    input: updateInput,
    secretFields: ['protectedSettings'],
    references: { extension: [clusterExtensionKind.name] },
    timeoutSeconds: 7200,
    findings: updateFindings,
    target(_input, references) {
      const id = extensionIdOf({ references });
      return { id: id.toString(), kind: clusterExtensionKind.name, lock: `${id.parent?.canonical ?? ''}/extensions` };
    },
    preflight: (context) => preflightUpdate(parts, context),
    steps: [
      {
        name: 'update',
        description: 'Asks Azure for the change and waits until it is made.',
        run: (context) => runUpdate(parts, context),
      },
    ],
    verify: (context) => verifyExtension(parts, extensionIdOf(context), context),
  };
}

async function preflightUpdate(parts: ArcParts, context: OperationContext<UpdateInput>): Promise<Finding[]> {
  const { input } = context;
  const id = extensionIdOf(context);
  const findings: Finding[] = [];
  const say = findingReporter(updateFindings, findings);
  const reading = await parts.client.get(id, context);
  if (reading.state === 'missing') {
    say('EXTENSION_NOT_FOUND', 'error', { extension: id.toString() });
    return findings;
  }
  const raw = rawObject(reading.body, 'properties') ?? {};
  const state = rawText(raw, 'provisioningState');
  if (provisioningPhase(state) === 'moving') say('EXTENSION_BUSY', 'warning', { provisioningState: state });
  if (describeClusterExtension(raw).isSystem) say('SYSTEM_EXTENSION', 'error', { name: id.name });
  if (input.version !== undefined && input.autoUpgrade === true) {
    say('VERSION_WITH_AUTO_UPGRADE', 'error', { version: input.version }, 'Give one of the two.');
  }
  if (isUpdated(raw, input)) say('NOTHING_TO_CHANGE', 'info', { extension: id.toString() });
  if (id.parent === undefined) return findings;
  const cluster = await judgeConnectivity(parts, id.parent, 'error', context, say);
  const present = describeClusterExtension(raw);
  if (cluster !== undefined && input.version !== undefined) {
    const releaseTrain = input.releaseTrain ?? present.releaseTrain ?? 'Stable';
    const wanted = { type: present.extensionType ?? '', version: input.version, releaseTrain };
    await judgeKubernetesVersion(parts, id.parent, cluster, wanted, context, say);
  }
  const client = clientOf(parts, id.parent);
  const seen = seenOr(await lookInto(() => lookAtSettings(client, input.settings, context)), 'info', say);
  if (seen !== undefined) judgeSettings(seen, present.releaseNamespace ?? undefined, say);
  return findings;
}

function isUpdated(raw: JsonObject, input: UpdateInput): boolean {
  const present = describeClusterExtension(raw);
  return (
    input.protectedSettings === undefined &&
    isHeldAt(present, input.version) &&
    (input.autoUpgrade === undefined || input.autoUpgrade === present.autoUpgrade) &&
    (input.releaseTrain === undefined || input.releaseTrain === present.releaseTrain) &&
    Object.entries(input.settings ?? {}).every(([name, value]) => present.settings[name] === value)
  );
}

function runUpdate(parts: ArcParts, context: StepContext<UpdateInput>): Promise<StepOutcome> {
  const { input, secrets } = context;
  const { client } = parts;
  const id = extensionIdOf(context);
  return explained(parts, id, undefined, again('arc.extension.update', context), context, () =>
    reachDesiredState(
      client.arm,
      context.resumeToken,
      {
        working: `Azure changes the extension ${id.name}.`,
        read: () => client.get(id, context),
        judge: (reading) => {
          if (reading.state === 'missing') throw goneError(id);
          const raw = rawObject(reading.body, 'properties') ?? {};
          return judgeState(id, raw, reading.body, isUpdated(raw, input));
        },
        write: () => client.patch(id, { properties: changes(input, secrets.protectedSettings) }, context),
      },
      context,
    ),
  );
}

const removeInput = z.strictObject({
  extension: resourceReference('The extension to remove'),
  force: z
    .boolean()
    .default(false)
    .describe('Whether Azure forgets it without asking the cluster, where it may go on. For clusters that are gone.'),
});
type RemoveInput = z.output<typeof removeInput>;

const removeFindings = {
  EXTENSION_NOT_FOUND: 'The extension is gone already.',
  SYSTEM_EXTENSION: updateFindings.SYSTEM_EXTENSION,
  CUSTOM_LOCATIONS_DEPEND: 'Custom locations stand on the extension: they have to go first.',
  CLUSTER_OFFLINE: 'The agents of the cluster are not connected: the removal would wait for them in vain.',
  LEFT_IN_CLUSTER: 'By force Azure only forgets the extension: what it has installed stays in the cluster.',
} as const satisfies Record<string, string>;

export function removeExtension(parts: ArcParts): OperationDefinition<typeof removeInput> {
  return {
    type: 'arc.extension.remove',
    title: 'Remove an extension',
    description: 'Has Azure remove an extension from a connected cluster; or forget it, where the cluster is gone.',
    permission: 'arc/extensions/delete',
    input: removeInput,
    references: { extension: [clusterExtensionKind.name] },
    timeoutSeconds: 7200,
    findings: removeFindings,
    target(_input, references) {
      const id = extensionIdOf({ references });
      return { id: id.toString(), kind: clusterExtensionKind.name, lock: `${id.parent?.canonical ?? ''}/extensions` };
    },
    preflight: (context) => preflightRemove(parts, context),
    steps: [
      {
        name: 'remove',
        description: 'Asks Azure to remove the extension and waits until it is gone.',
        run: (context) => runRemove(parts, context),
      },
    ],
    async verify(context) {
      const id = extensionIdOf(context);
      const reading = await parts.client.get(id, context);
      return verifyRemoval(`The extension ${id.name}`, reading, context.target, parts.client.arm.pollIntervalSeconds);
    },
  };
}

async function preflightRemove(parts: ArcParts, context: OperationContext<RemoveInput>): Promise<Finding[]> {
  const id = extensionIdOf(context);
  const findings: Finding[] = [];
  const say = findingReporter(removeFindings, findings);
  const reading = await parts.client.get(id, context);
  if (reading.state === 'missing') {
    say('EXTENSION_NOT_FOUND', 'info', { extension: id.toString() });
    return findings;
  }
  const raw = rawObject(reading.body, 'properties') ?? {};
  if (describeClusterExtension(raw).isSystem) say('SYSTEM_EXTENSION', 'error', { name: id.name });
  const dependents = await locationsOnExtension(parts, id, context);
  if (dependents.length > 0) {
    const operations = dependents.map((customLocation) => ({
      type: 'arc.customLocation.delete',
      input: { customLocation },
    }));
    const remedy = 'Delete them first (arc.customLocation.delete).';
    say('CUSTOM_LOCATIONS_DEPEND', 'error', { customLocations: dependents }, remedy, operations);
  }
  if (context.input.force) {
    say('LEFT_IN_CLUSTER', 'warning', { extension: id.name });
    return findings;
  }
  const cluster = id.parent === undefined ? undefined : await parts.client.get(id.parent, context);
  const connectivityStatus =
    cluster?.state === 'found' ? rawText(cluster.body, 'properties', 'connectivityStatus') : null;
  if (connectivityStatus !== 'Connected') {
    say('CLUSTER_OFFLINE', 'error', { connectivityStatus }, 'Bring the cluster back, or give force.', [
      { type: 'arc.extension.remove', input: { extension: id.toString(), force: true } },
    ]);
  }
  return findings;
}

async function locationsOnExtension(
  parts: ArcParts,
  extension: ArmId,
  context: OperationContext<unknown>,
): Promise<string[]> {
  if (extension.parent === undefined) return [];
  const dependents: string[] = [];
  for (const location of await customLocationsOn(parts, extension.parent, context)) {
    const reading = await parts.client.get(location, context);
    if (reading.state === 'missing') continue;
    const { extensionIds } = describeCustomLocation(rawObject(reading.body, 'properties') ?? {});
    if (extensionIds.some((id) => id.toLowerCase() === extension.canonical)) dependents.push(location.toString());
  }
  return dependents;
}

function runRemove(parts: ArcParts, context: StepContext<RemoveInput>): Promise<StepOutcome> {
  const { client } = parts;
  const id = extensionIdOf(context);
  const { force } = context.input;
  return explained(parts, id, undefined, again('arc.extension.remove', context), context, () =>
    reachDesiredState(
      client.arm,
      context.resumeToken,
      {
        working: `Azure removes the extension ${id.name}.`,
        read: () => client.get(id, context),
        judge: (reading) => {
          const verdict = judgeRemoval(`The extension ${id.name}`, reading, failedOperationError);
          // What hangs in its removal is what force is for.
          return force && verdict.verdict === 'underway' && context.resumeToken === undefined
            ? { verdict: 'different' }
            : verdict;
        },
        write: () => (force ? client.forget(id, context) : client.delete(id, context)),
      },
      context,
    ),
  );
}

function goneError(id: ArmId): ControlError {
  return new ControlError('AZURE_NOT_FOUND', `The extension ${id.name} is not there any more.`);
}

function extensionIdOf(context: Pick<OperationContext<unknown>, 'references'>): ArmId {
  return referencedArmId(context.references, 'extension', EXTENSION_TYPE);
}

function idIn(cluster: ArmId, name: string): ArmId {
  return cluster.resource(EXTENSION_TYPE, name);
}

function isType(present: string | null, wanted: string): boolean {
  return present?.toLowerCase() === wanted.toLowerCase();
}

/** Does something whose failures are known, and are explained by what can be seen in the cluster. @throws ControlError */
async function explained<T>(
  parts: ArcParts,
  extension: ArmId,
  namespace: string | undefined,
  repeated: RemedyOperation | undefined,
  context: OperationContext<unknown>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await recognising({ cluster: extension.parent ?? extension }, work);
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    throw await withRelease(parts, error, extension, namespace, repeated, context);
  }
}

/** The same once more; undefined where it held secrets, which nobody has any more. */
function again(
  type: string,
  { input }: OperationContext<InstallInput | UpdateInput | RemoveInput>,
): RemedyOperation | undefined {
  if ('protectedSettings' in input && input.protectedSettings !== undefined) return undefined;
  // Members that were not given are left out.
  const plain: unknown = JSON.parse(JSON.stringify(input));
  return isJsonObject(plain) ? { type, input: plain } : undefined;
}
