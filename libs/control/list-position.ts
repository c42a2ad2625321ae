import { ControlError } from '#libs/kernel/control-error.js';
import { decodeCursor } from '#libs/kernel/page.js';
import { isUuid } from '#libs/kernel/resource-uid.js';

/** As Postgres prints a time in JSON; the sessions are in UTC. */
const PRINTED_TIME = /^[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\+00:00$/;

/** Where a list that goes by time of creation and id goes on. @throws ControlError INVALID_CURSOR */
export function listPosition(list: string, cursor: string | undefined): { createdAt: string; id: string } | null {
  if (cursor === undefined) return null;
  const [createdAt, id] = decodeCursor(list, 2, cursor);
  if (typeof createdAt === 'string' && isPrintedTime(createdAt) && typeof id === 'string' && isUuid(id)) {
    return { createdAt, id };
  }
  throw new ControlError('INVALID_CURSOR', 'The cursor was not issued by this list.');
}

/** A day that is in no calendar would be refused by Postgres only. */
function isPrintedTime(text: string): boolean {
  const time = new Date(text);
  return (
    PRINTED_TIME.test(text) && !Number.isNaN(time.getTime()) && time.toISOString().slice(0, 19) === text.slice(0, 19)
  );
}
