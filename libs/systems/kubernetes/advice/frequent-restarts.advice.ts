import type { RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { Advice, AdviceRemedy, KnownObject } from '../../contract/advice.js';
import { rawInteger, rawObject, rawText, rawTextRecord } from '../../contract/raw-reader.js';
import { containersStanding, type ContainerStanding } from './container-failure.js';

export const FREQUENT_RESTARTS_CODES = {
  CONTAINER_RESTARTS_OFTEN:
    'The container runs, and ends again and again: it was restarted within the past hour, and often before.',
  LOG_PROCESSOR_RESTARTS:
    'The log processor of App Service ends again and again: the settings of its Log Analytics workspace are absent or not valid, and they are taken at the installation alone.',
} as const satisfies Record<string, string>;

/** From how many restarts on a container is no longer one that had a bad moment. */
const OFTEN = 3;
/** What a container waits for between two attempts. */
const CRASH_LOOP = 'CrashLoopBackOff';
/** An end that lies further back is history. */
const RECENT_MS = 3_600_000;
/** App Service names the pods of its extension after it. */
const LOG_PROCESSOR = /^(?<extension>.+)-k8se-log-processor-[a-z0-9]+$/;
const APP_SERVICE_EXTENSION = 'microsoft.web.appservice';
/** The kind of what `arc.extension.remove` takes; it belongs to another system. */
export const EXTENSION_KIND = 'ClusterExtension';

export interface RestartSituation {
  pod: JsonObject;
  now: Date;
  /** The uid of the cluster. */
  cluster: string;
  /** The extensions of the cluster, where it is connected to Arc. */
  extensions: readonly KnownObject[];
}

/** Whether it is worth looking at the extensions of the cluster: the pod is of one, and was restarted. */
export function isLogProcessor(pod: JsonObject): boolean {
  const wasRestarted = ({ status }: ContainerStanding): boolean => (rawInteger(status, 'restartCount') ?? 0) > 0;
  return extensionOf(pod) !== undefined && containersStanding(pod).some(wasRestarted);
}

/** Of containers that run at the moment, which a look at how they are now does not show. */
export function frequentRestartsAdvice(situation: RestartSituation): Advice[] {
  const { pod, now } = situation;
  const extension = extensionOf(pod);
  return containersStanding(pod).flatMap((container) => {
    const ends = restartsOften(container, now);
    if (extension !== undefined && (ends || container.waiting === CRASH_LOOP)) {
      return [adviceFor('LOG_PROCESSOR_RESTARTS', container, logRemedies(situation, extension))];
    }
    const remedy = {
      description: 'Read what the container wrote before it ended, and what its probes and its limits are.',
      operations: [],
    };
    return ends ? [adviceFor('CONTAINER_RESTARTS_OFTEN', container, [remedy])] : [];
  });
}

function restartsOften({ status, ended }: ContainerStanding, now: Date): boolean {
  const restarts = rawInteger(status, 'restartCount') ?? 0;
  const finishedAt = Date.parse(rawText(ended, 'finishedAt') ?? '');
  const isRunning = rawObject(status, 'state', 'running') !== null;
  return isRunning && restarts >= OFTEN && now.getTime() - finishedAt <= RECENT_MS;
}

function adviceFor(
  code: keyof typeof FREQUENT_RESTARTS_CODES,
  { name, image, status, ended }: ContainerStanding,
  remedies: AdviceRemedy[],
): Advice {
  const evidence = {
    container: name,
    image,
    restarts: rawInteger(status, 'restartCount'),
    lastTermination:
      ended === null
        ? null
        : {
            exitCode: rawInteger(ended, 'exitCode'),
            reason: rawText(ended, 'reason'),
            finishedAt: rawText(ended, 'finishedAt'),
          },
  };
  return { code, severity: 'warning', cause: FREQUENT_RESTARTS_CODES[code], evidence, remedies };
}

/** The name of the extension of App Service whose log processor the pod is. */
function extensionOf(pod: JsonObject): string | undefined {
  return LOG_PROCESSOR.exec(rawText(pod, 'metadata', 'name') ?? '')?.groups?.extension;
}

/** The key of the workspace is a secret: whoever installs the extension anew has to give it. */
function logRemedies({ cluster, extensions }: RestartSituation, name: string): AdviceRemedy[] {
  const description =
    'Remove the extension and install it anew with the secret settings logProcessor.appLogs.logAnalyticsConfig.customerId (the id of the workspace) and logProcessor.appLogs.logAnalyticsConfig.sharedKey (its key), each once more in base64; add them to the second operation as protectedSettings. What is placed on its custom location has to go first.';
  const extension = extensions.find(
    (each) => each.name === name && rawText(each.properties, 'extensionType')?.toLowerCase() === APP_SERVICE_EXTENSION,
  );
  return [{ description, operations: extension === undefined ? [] : reinstallation(cluster, extension) }];
}

function reinstallation(cluster: string, { id, name, properties }: KnownObject): RemedyOperation[] {
  const releaseNamespace = rawText(properties, 'scope', 'cluster', 'releaseNamespace');
  const settings = rawTextRecord(properties, 'configurationSettings');
  return [
    { type: 'arc.extension.remove', input: { extension: id } },
    {
      type: 'arc.extension.install',
      input: {
        cluster,
        name,
        extensionType: 'Microsoft.Web.Appservice',
        ...(releaseNamespace === null ? {} : { releaseNamespace }),
        settings: { ...settings, 'logProcessor.appLogs.destination': 'log-analytics' },
      },
    },
  ];
}
