import { z } from 'zod';
import { MAXIMUM_PAGE_SIZE } from '#libs/kernel/page.js';
import { HEALTH_STATES } from '#libs/systems/contract/observation.js';
import { textFault } from './json-body.js';

/** The ways in which a query parameter or an argument is written. A parameter that is given twice is refused. */

/** A filter's text: never empty, and nothing that the database could not take. */
export function filterText(maximum: number) {
  return z
    .string('must be given once')
    .min(1, 'must not be empty')
    .max(maximum, `must have at most ${maximum} characters`)
    .superRefine((text, context) => {
      const fault = textFault(text);
      if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
    });
}

/** `a,b` and `?x=a&x=b` alike. */
export function filterList(maximum: number) {
  return z
    .union([z.string(), z.array(z.string())])
    .transform((value) => (Array.isArray(value) ? value : [value]).flatMap((part) => part.split(',')))
    .pipe(z.array(filterText(200)).max(maximum, `must have at most ${maximum} values`));
}

export function wholeNumber(minimum: number, maximum: number) {
  const message = `must be a whole number from ${minimum} to ${maximum}`;
  return z
    .string('must be given once')
    .regex(/^-?\d{1,15}$/, message)
    .transform(Number)
    .refine((value) => value >= minimum && value <= maximum, message);
}

export const flag = z.enum(['true', 'false'], 'must be true or false').transform((value) => value === 'true');

export const pageLimit = wholeNumber(1, MAXIMUM_PAGE_SIZE);
export const pageCursor = filterText(4096);
export const maximumAge = wholeNumber(0, 31_536_000);

export const instant = z.iso
  .datetime({ offset: true, error: 'must be an ISO 8601 time with its offset, such as 2026-01-31T12:00:00Z' })
  .transform((value) => new Date(value));

export const healthStates = filterList(10).pipe(
  z.array(z.enum(HEALTH_STATES, `must be one of ${HEALTH_STATES.join(', ')}`)),
);
