import { ControlError, type Diagnosis, type RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';

/** Answers of Azure may be pages long. */
const LONGEST_WORDS = 2000;

/** A failure that is known by the words that an outside system has for it. `Scene`: what the failed work was about. */
export interface Recognition<Code extends string, Scene> {
  code: Code;
  /** Looked for in the code and the words of the outside system, in any casing. */
  words: RegExp;
  evidence?(match: RegExpExecArray): JsonObject;
  remedy: string;
  operations?(scene: Scene, match: RegExpExecArray): RemedyOperation[];
}

export interface Recognised<Code extends string, Scene> {
  known: Recognition<Code, Scene>;
  match: RegExpExecArray;
}

/** The first that fits. */
export function recognitionOf<Code extends string, Scene>(
  error: ControlError,
  recognitions: readonly Recognition<Code, Scene>[],
): Recognised<Code, Scene> | undefined {
  for (const known of recognitions) {
    const match = known.words.exec(`${error.externalCode ?? ''}: ${error.message}`);
    if (match !== null) return { known, match };
  }
  return undefined;
}

/** What was said, for the evidence. */
export function saidBy(error: ControlError): string {
  return error.message.slice(0, LONGEST_WORDS);
}

/** The error in the words of its diagnosis; what the outside system said stays behind it. */
export function diagnosed(error: ControlError, diagnosis: Diagnosis, remedy = error.remedy): ControlError {
  return new ControlError(error.code, diagnosis.cause, {
    ...(remedy === undefined ? {} : { remedy }),
    diagnosis,
    retry: error.retry,
    ...(error.externalCode === undefined ? {} : { externalCode: error.externalCode }),
    cause: error,
  });
}
