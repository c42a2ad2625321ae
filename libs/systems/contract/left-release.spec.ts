import { expect, it } from '@jest/globals';
import { ArmId } from '#libs/kernel/arm-id.js';
import { CONNECTED_ID } from '#libs/testing/arc-samples.js';
import { freeingOf } from './left-release.js';

it.each([
  { statuses: ['failed'], isFreed: true, reason: 'it never ran' },
  { statuses: ['superseded', 'failed'], isFreed: true, reason: 'none of its revisions runs' },
  { statuses: ['uninstalling'], isFreed: true, reason: 'it was taken out by halves' },
  { statuses: [undefined], isFreed: true, reason: 'nothing says that it runs' },
  { statuses: ['superseded', 'deployed', 'failed'], isFreed: false, reason: 'one of its revisions runs' },
  { statuses: ['pending-install'], isFreed: false, reason: 'it may still come' },
  { statuses: ['pending-upgrade'], isFreed: false, reason: 'what it was before may run' },
  { statuses: [], isFreed: false, reason: 'there is nothing to delete' },
])('deletes the records of $statuses: $isFreed, since $reason', ({ statuses, isFreed }) => {
  const records = statuses.map((status, index) => ({
    metadata: { name: `r.v${index}`, labels: { owner: 'helm', ...(status === undefined ? {} : { status }) } },
  }));
  const { operations } = freeingOf(ArmId.parse(CONNECTED_ID), { name: 'r', namespace: 'apps', records });
  expect(operations).toEqual(
    !isFreed
      ? []
      : records.map(({ metadata: { name } }) => ({
          type: 'kubernetes.object.delete',
          input: { cluster: CONNECTED_ID, apiVersion: 'v1', kind: 'Secret', name, namespace: 'apps' },
        })),
  );
});
