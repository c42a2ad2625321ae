import type { JsonObject } from '#libs/kernel/json.js';
import type { Advice } from '../../contract/advice.js';
import { rawText } from '../../contract/raw-reader.js';
import { TILLER_REMEDY, isRefusalOfTiller, isTillerWithoutRights, tillerCodes } from '../../contract/tiller.js';
import { containersStanding } from './container-failure.js';

export const TILLER_CODES = tillerCodes;

const CODE = 'TILLER_WITHOUT_RIGHTS';
const LONGEST_WORDS = 1000;

/** Of the deployment of Tiller itself, which runs all the same. */
export function tillerAdvice(workload: JsonObject): Advice[] {
  if (!isTillerWithoutRights(workload)) return [];
  return [adviceWith('warning', { namespace: rawText(workload, 'metadata', 'namespace'), serviceAccount: 'default' })];
}

/** Of a pod that asked Tiller for something, and ended with what was answered. */
export function tillerRefusalAdvice(pod: JsonObject): Advice[] {
  return containersStanding(pod).flatMap(({ name, ended, message }) => {
    const said = rawText(ended, 'message') ?? message;
    if (said === null || !isRefusalOfTiller(said)) return [];
    return [adviceWith('error', { container: name, message: said.slice(0, LONGEST_WORDS) })];
  });
}

function adviceWith(severity: Advice['severity'], evidence: JsonObject): Advice {
  const remedies = [{ description: TILLER_REMEDY, operations: [] }];
  return { code: CODE, severity, cause: TILLER_CODES[CODE], evidence, remedies };
}
