import type { JsonObject } from '#libs/kernel/json.js';
import type { Advice, AdviceRemedy } from '../../contract/advice.js';
import { rawInteger, rawObject, rawText } from '../../contract/raw-reader.js';
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
const LOG_PROCESSOR = /^.+-k8se-log-processor-[a-z0-9]+$/;

const READ_REMEDY: AdviceRemedy = {
  description: 'Read what the container wrote before it ended, and what its probes and its limits are.',
  operations: [],
};
/** The extension could be removed, and never be installed again: Azure takes no new installation. */
const LOG_REMEDY: AdviceRemedy = {
  description:
    'The web apps run on without their log processor. To give the settings logProcessor.appLogs.logAnalyticsConfig.customerId (the id of the workspace) and logProcessor.appLogs.logAnalyticsConfig.sharedKey (its key), each once more in base64, the extension would have to be installed anew, and Azure has taken no new installation of App Service on Kubernetes since 2025-09-30 and retired it on 2026-03-31: do not remove it for this. Read the logs in the cluster, or move the web apps to Container Apps on Arc (appService.webApp.planMigration).',
  operations: [],
};

/** Of containers that run at the moment, which a look at how they are now does not show. */
export function frequentRestartsAdvice(pod: JsonObject, now: Date): Advice[] {
  const isLogProcessor = LOG_PROCESSOR.test(rawText(pod, 'metadata', 'name') ?? '');
  return containersStanding(pod).flatMap((container) => {
    const ends = restartsOften(container, now);
    if (isLogProcessor && (ends || container.waiting === CRASH_LOOP)) {
      return [adviceFor('LOG_PROCESSOR_RESTARTS', container, LOG_REMEDY)];
    }
    return ends ? [adviceFor('CONTAINER_RESTARTS_OFTEN', container, READ_REMEDY)] : [];
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
  remedy: AdviceRemedy,
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
  return { code, severity: 'warning', cause: FREQUENT_RESTARTS_CODES[code], evidence, remedies: [remedy] };
}
