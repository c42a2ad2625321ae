import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { ArmError } from '../arm-error.js';
import { withoutPath } from '../json-path.js';
import { parseRequest } from './fleet.family.js';

export const MOST_GROUPS = 50;
const MOST_AT_ONCE = 50;
const NAME_LENGTH = 50;
const NAME_PATTERN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const SHARE_PATTERN = /^(?:(\d+)|(\d{1,3})%)$/;

const groupSchema = z.looseObject({
  name: z.string().optional(),
  maxConcurrency: z.string().optional(),
  maxAllowedFailures: z.string().optional(),
});

const stageSchema = z.looseObject({
  name: z.string().optional(),
  groups: z.array(groupSchema).optional(),
  afterStageWaitInSeconds: z.int().min(0).optional(),
  maxConcurrency: z.string().optional(),
  maxAllowedFailures: z.string().optional(),
});

export const strategySchema = z.looseObject({ stages: z.array(stageSchema) });

export interface Stage {
  name: string;
  groups: Group[];
  afterStageWaitInSeconds?: number | undefined;
  maxConcurrency?: string | undefined;
  maxAllowedFailures?: string | undefined;
}

export interface Group {
  name: string;
  maxConcurrency?: string | undefined;
  maxAllowedFailures?: string | undefined;
}

/** Members that only later API versions know, below `properties` of strategies and of runs. */
export const VERSIONED_STRATEGY: readonly { path: string; since: string }[] = [
  ...['maxConcurrency', 'beforeGates', 'afterGates'].flatMap((member) => [
    { path: `properties.strategy.stages.${member}`, since: '2026-02-01-preview' },
    { path: `properties.strategy.stages.groups.${member}`, since: '2026-02-01-preview' },
  ]),
  { path: 'properties.strategy.stages.maxAllowedFailures', since: '2026-06-02-preview' },
  { path: 'properties.strategy.stages.groups.maxAllowedFailures', since: '2026-06-02-preview' },
];

/** What the API version of a request does not know never reaches the provider. */
export function knownTo(apiVersion: string, body: JsonObject): JsonObject {
  let known = body;
  for (const { path, since } of VERSIONED_STRATEGY) if (apiVersion < since) known = withoutPath(known, path);
  return known;
}

/**
 * The stages of a strategy, in order.
 * @throws ArmError naming what is wrong. That each name may occur once and the limits are documented; the codes are our choice.
 */
export function checkedStages(strategy: JsonObject): Stage[] {
  const { stages } = parseRequest(strategySchema, strategy);
  if (stages.length === 0) throw invalidStrategy('stages', 'A strategy needs at least one stage.');
  const [stageNames, groupNames] = [new Set<string>(), new Set<string>()];
  return stages.map((stage, index) => {
    const at = `stages[${index}]`;
    const name = checkedName(stage.name, `${at}.name`, stageNames);
    const groups = stage.groups ?? [];
    if (groups.length === 0) throw invalidStrategy(`${at}.groups`, `The stage '${name}' has no groups.`);
    if (groups.length > MOST_GROUPS) {
      throw invalidStrategy(`${at}.groups`, `A stage can have at most ${MOST_GROUPS} groups.`);
    }
    checkedShare(stage.maxConcurrency, `${at}.maxConcurrency`, 1, MOST_AT_ONCE);
    checkedShare(stage.maxAllowedFailures, `${at}.maxAllowedFailures`, 0, Number.POSITIVE_INFINITY);
    const most = fixed(stage.maxConcurrency) ?? MOST_AT_ONCE;
    return {
      ...stage,
      name,
      groups: groups.map((group, position) => {
        const inGroup = `${at}.groups[${position}]`;
        checkedShare(group.maxConcurrency, `${inGroup}.maxConcurrency`, 1, most);
        checkedShare(group.maxAllowedFailures, `${inGroup}.maxAllowedFailures`, 0, Number.POSITIVE_INFINITY);
        return { ...group, name: checkedName(group.name, `${inGroup}.name`, groupNames) };
      }),
    };
  });
}

/** A number or a share of so many, rounded down. */
export function resolvedShare(text: string | undefined, of: number, minimum: number): number | undefined {
  const match = SHARE_PATTERN.exec(text ?? '');
  if (match === null) return undefined;
  const value = match[1] === undefined ? Math.floor((of * Number(match[2])) / 100) : Number(match[1]);
  return Math.max(minimum, value);
}

/** How many clusters of a stage are upgraded at the same time where nothing is said. */
export const STAGE_CONCURRENCY = MOST_AT_ONCE;

export function invalidStrategy(property: string, message: string): ArmError {
  return new ArmError(400, 'InvalidParameter', message, { target: `properties.strategy.${property}` });
}

function checkedName(name: string | undefined, at: string, taken: Set<string>): string {
  if (name === undefined || name.length > NAME_LENGTH || !NAME_PATTERN.test(name)) {
    const rule = `it must match ${NAME_PATTERN.source} and have at most ${NAME_LENGTH} characters`;
    throw invalidStrategy(at, `The name '${name ?? ''}' is invalid: ${rule}.`);
  }
  if (taken.has(name)) throw invalidStrategy(at, `The name '${name}' occurs more than once.`);
  taken.add(name);
  return name;
}

function checkedShare(text: string | undefined, at: string, minimum: number, maximum: number): void {
  if (text === undefined) return;
  const match = SHARE_PATTERN.exec(text);
  const [, number, percent] = match ?? [];
  const fits =
    number === undefined
      ? Number(percent ?? -1) >= minimum && Number(percent) <= 100
      : Number(number) >= minimum && Number(number) <= maximum;
  if (!fits)
    throw invalidStrategy(at, `The value '${text}' is neither a number that is allowed here nor a percentage.`);
}

function fixed(text: string | undefined): number | undefined {
  return text === undefined || text.endsWith('%') ? undefined : Number(text);
}
