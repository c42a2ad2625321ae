import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ManualClock } from '#libs/kernel/clock.js';
import { pod } from '#libs/testing/kubernetes-samples.js';
import { NodeLoad, podShareOf, type PodShare } from './node-load.js';

function share(node: string, cpuMillicores = 100, memoryBytes = 10): PodShare {
  return { node, cpuMillicores, memoryBytes };
}

describe('podShareOf', () => {
  it.each([
    { change: {}, counts: true, reason: 'it runs' },
    { change: { status: { phase: 'Pending' } }, counts: true, reason: 'it has a place and is starting' },
    { change: { metadata: { deletionTimestamp: 'x' } }, counts: true, reason: 'it is still being stopped' },
    { change: { spec: { nodeName: null } }, counts: false, reason: 'it has no place' },
    { change: { status: { phase: 'Succeeded' } }, counts: false, reason: 'it has done its work' },
    { change: { status: { phase: 'Failed' } }, counts: false, reason: 'it has failed' },
  ])('is there or not ($counts): $reason', ({ change, counts }) => {
    const expected = { node: 'node-1', cpuMillicores: 250, memoryBytes: 64 * 2 ** 20 };
    expect(podShareOf(pod('p', change))).toEqual(counts ? expected : undefined);
  });
});

describe('NodeLoad', () => {
  let clock: ManualClock;
  let load: NodeLoad;
  beforeEach(() => {
    clock = new ManualClock();
    load = new NodeLoad(clock);
  });

  it('knows nothing before all pods were listed', () => {
    load.list('a', share('n'));
    expect(load.requestsOn('n')).toBeUndefined();
    expect(load.takeChanged()).toEqual(new Set());
    load.endList();
    expect(load.requestsOn('n')).toEqual({ cpuMillicores: 100, memoryBytes: 10, pods: 1 });
    expect(load.requestsOn('empty')).toEqual({ cpuMillicores: 0, memoryBytes: 0, pods: 0 });
    expect(load.takeChanged()).toEqual(new Set(['n']));
  });

  it('tells of no change where nothing that counts has changed', () => {
    load.list('a', share('n'));
    load.endList();
    load.takeChanged();
    load.set('a', share('n'));
    load.set('waiting', undefined);
    expect(load.takeChanged()).toEqual(new Set());
  });

  it('tells of both nodes when a pod is elsewhere', () => {
    load.list('a', share('n'));
    load.endList();
    load.takeChanged();
    load.set('a', share('m'));
    expect(load.takeChanged()).toEqual(new Set(['n', 'm']));
    expect(load.requestsOn('n')?.pods).toBe(0);
  });

  it('forgets what a later list does not hold, and nothing because of one that broke off', () => {
    load.list('a', share('n'));
    load.list('b', share('n'));
    load.endList();
    load.beginList();
    load.list('a', share('n'));
    load.beginList();
    load.list('b', share('n'));
    load.endList();
    expect(load.requestsOn('n')).toMatchObject({ pods: 1 });
    load.endList();
    expect(load.requestsOn('n')).toMatchObject({ pods: 0 });
  });

  it('stands for a while when nobody tells of pods any more, and is then unknown', () => {
    load.list('a', share('n'));
    load.endList();
    load.leave();
    expect(load.requestsOn('n')).toMatchObject({ pods: 1 });
    clock.advance(300_000);
    expect(load.requestsOn('n')).toBeUndefined();
    load.list('a', share('n'));
    load.endList();
    expect(load.requestsOn('n')).toMatchObject({ pods: 1 });
  });

  it('is the sum of what is there, whatever has happened before', () => {
    const event = fc.record({
      pod: fc.constantFrom('a', 'b', 'c', 'd'),
      share: fc.option(
        fc.record({ node: fc.constantFrom('n', 'm'), cpuMillicores: fc.nat(1000), memoryBytes: fc.nat(1000) }),
        { nil: undefined },
      ),
      how: fc.constantFrom('set' as const, 'list' as const),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const sums = new NodeLoad(clock);
        const pods = new Map<string, PodShare>();
        sums.endList();
        for (const each of events) {
          sums[each.how](each.pod, each.share);
          if (each.share === undefined) pods.delete(each.pod);
          else pods.set(each.pod, each.share);
        }
        for (const node of ['n', 'm']) {
          const there = [...pods.values()].filter((each) => each.node === node);
          expect(sums.requestsOn(node)).toEqual({
            cpuMillicores: there.reduce((sum, each) => sum + each.cpuMillicores, 0),
            memoryBytes: there.reduce((sum, each) => sum + each.memoryBytes, 0),
            pods: there.length,
          });
        }
      }),
    );
  });
});
