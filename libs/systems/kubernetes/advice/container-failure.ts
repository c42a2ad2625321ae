import type { JsonObject } from '#libs/kernel/json.js';
import { rawObject, rawObjects, rawText } from '../../contract/raw-reader.js';

/** A container as its pod declares it, and how it stands. */
export interface ContainerStanding {
  name: string;
  image: string | null;
  status: JsonObject;
  /** Why it waits, where it does. */
  waiting: string | null;
  message: string | null;
  /** How it ended last, where it has. */
  ended: JsonObject | null;
}

export function containersStanding(pod: JsonObject): ContainerStanding[] {
  const declared = [...rawObjects(pod, 'spec', 'initContainers'), ...rawObjects(pod, 'spec', 'containers')];
  const statuses = [
    ...rawObjects(pod, 'status', 'initContainerStatuses'),
    ...rawObjects(pod, 'status', 'containerStatuses'),
  ];
  return declared.flatMap((container) => {
    const name = rawText(container, 'name') ?? '';
    const status = statuses.find((each) => rawText(each, 'name') === name);
    if (status === undefined) return [];
    return [
      {
        name,
        image: rawText(container, 'image'),
        status,
        waiting: rawText(status, 'state', 'waiting', 'reason'),
        message: rawText(status, 'state', 'waiting', 'message'),
        ended: rawObject(status, 'state', 'terminated') ?? rawObject(status, 'lastState', 'terminated'),
      },
    ];
  });
}
