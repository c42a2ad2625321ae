import type { JsonObject } from '#libs/kernel/json.js';
import type { Secret } from '#libs/kernel/secret.js';
import type { OperationDefinition, StepOutcome } from '#libs/systems/contract/operation-definition.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import { contextOf } from '#libs/systems/contract/system.contract-suite.js';

/** An operation as a runner would drive it, one call at a time. */
export function playOperation(
  operations: readonly OperationDefinition[],
  type: string,
  input: JsonObject,
  references: Readonly<Record<string, ResourceTarget>>,
) {
  const operation = operations.find((candidate) => candidate.type === type);
  if (operation === undefined) throw new Error(`There is no operation ${type}`);
  const parsed = operation.input.parse(input);
  const context = () => contextOf(operation, parsed, references);
  return {
    operation,
    context,
    target: () => operation.target(parsed, references),
    /** `error CODE`, in order. */
    codes: async () => (await operation.preflight(context())).map(({ code, severity }) => `${severity} ${code}`),
    findings: () => operation.preflight(context()),
    plan: () => operation.plan?.(context()),
    step: (name: string, resumeToken?: Secret, attempt = 1): Promise<StepOutcome> => {
      const step = operation.steps.find((candidate) => candidate.name === name);
      if (step === undefined) throw new Error(`${type} has no step ${name}`);
      return step.run({ ...context(), resumeToken, attempt });
    },
    verify: () => operation.verify(context()),
  };
}

/** The resume token of a step that waits. */
export function tokenOf(outcome: StepOutcome): Secret | undefined {
  if (outcome.outcome !== 'wait') throw new Error(`The step does not wait: ${outcome.outcome}`);
  return outcome.resumeToken;
}
